# mypy: disallow-untyped-defs=False
"""Window scores in Triton: two passes over the keys, one for each row's log-sum-exp and one for the columns.

The rows of all query heads of a KV head are stacked, so that a tile of keys is loaded once for them in either pass.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from nl_tasks.kernels.devices import narrow
from nl_tasks.kernels.triton_support import LOG2E, product, rows_contiguous

_SPLIT = 8192  # keys that one program of the first pass reads


def window_scores_triton(q: Tensor, k: Tensor, *, scale: float, over: str) -> Tensor:
    """`window_scores` for GPUs; head dimensions up to 256."""
    q, k = rows_contiguous(q), rows_contiguous(k)
    batch, heads, rows, dim = q.shape
    kv, keys = k.shape[1], k.shape[2]
    group = heads // kv
    wide = max(16, triton.next_power_of_2(dim))
    large = wide * q.element_size() <= 256  # two tiles of it fit in registers and shared memory
    most, step = (32, 16) if narrow(q) else (128, 64) if large else (64, 32)
    stacked = min(most, max(16, triton.next_power_of_2(rows * group)))
    shape = {"ROWS": stacked, "KEYS": step, "DIM": dim, "WIDE": wide, "EXACT": q.dtype == torch.float32}
    sizes = (*q.stride()[:3], *k.stride()[:3], rows, group, keys, scale * LOG2E)
    tiles, splits = triton.cdiv(rows * group, stacked), triton.cdiv(keys, _SPLIT)
    parts = q.new_empty(batch * kv, splits, tiles * stacked, dtype=torch.float32)
    warps = 8 if stacked == 128 else 4
    _lse[(splits, tiles, batch * kv)](q, k, parts, kv, *sizes, SPLIT=_SPLIT, **shape, num_warps=warps)
    high = parts.amax(1, keepdim=True).clamp(min=torch.finfo(torch.float32).min)  # rows beyond the last: all -inf
    lse = high[:, 0] + (parts - high).exp2().sum(1).log2()
    out = q.new_empty(batch, kv, keys, dtype=torch.float32)
    _columns[(triton.cdiv(keys, shape["KEYS"]), batch * kv)](
        q, k, lse, out, kv, *sizes, tiles, MEAN=over == "mean", **shape, num_warps=warps
    )
    return out


@triton.jit
def _queries(q, at, rows, group, q_head, q_row, dims, DIM: tl.constexpr):
    """Stacked rows `at` of one KV head's query heads, zeros beyond the last."""
    where = (at // rows).to(tl.int64) * q_head + (at % rows).to(tl.int64) * q_row
    inside = (at < rows * group)[:, None] & (dims < DIM)[None, :]
    return tl.load(q + where[:, None] + dims[None, :], mask=inside, other=0.0)


@triton.jit
def _keys(k, key, keys, k_row, dims, DIM: tl.constexpr):
    inside = (key < keys)[:, None] & (dims < DIM)[None, :]
    return tl.load(k + key.to(tl.int64)[:, None] * k_row + dims[None, :], mask=inside, other=0.0)


@triton.jit(do_not_specialize=["kv", "rows", "group", "keys"])
def _lse(
    q, k, parts, kv, q_batch, q_head, q_row, k_batch, k_head, k_row, rows, group, keys, scale,
    ROWS: tl.constexpr, KEYS: tl.constexpr, SPLIT: tl.constexpr, DIM: tl.constexpr, WIDE: tl.constexpr,
    EXACT: tl.constexpr,
):  # fmt: skip
    """Log-sum-exp (base 2) of ROWS stacked rows over SPLIT keys."""
    split, tile, which = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    q += which // kv * q_batch + which % kv * group * q_head
    k += which // kv * k_batch + which % kv * k_head
    dims = tl.arange(0, WIDE)
    at = tile * ROWS + tl.arange(0, ROWS)
    last = tl.where(at < rows * group, at % rows + keys - rows, -1)  # the last key that a row sees
    q_tile = _queries(q, at, rows, group, q_head, q_row, dims, DIM)
    high = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    for start in range(split * SPLIT, tl.minimum(keys, (split + 1) * SPLIT), KEYS):
        key = start + tl.arange(0, KEYS)
        scores = product(q_tile, tl.trans(_keys(k, key, keys, k_row, dims, DIM)), EXACT) * scale
        scores = tl.where(key[None, :] <= last[:, None], scores, float("-inf"))
        new = tl.maximum(high, tl.max(scores, 1))
        finite = tl.where(new == float("-inf"), 0.0, new)
        total = total * tl.math.exp2(high - finite) + tl.sum(tl.math.exp2(scores - finite[:, None]), 1)
        high = new
    some = total > 0
    found = tl.where(some, high + tl.math.log2(tl.where(some, total, 1.0)), float("-inf"))
    tl.store(parts + (which * tl.num_programs(0) + split) * tl.num_programs(1) * ROWS + at, found)


@triton.jit(do_not_specialize=["kv", "rows", "group", "keys", "tiles"])
def _columns(
    q, k, lse, out, kv, q_batch, q_head, q_row, k_batch, k_head, k_row, rows, group, keys, scale, tiles,
    MEAN: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr, DIM: tl.constexpr, WIDE: tl.constexpr,
    EXACT: tl.constexpr,
):  # fmt: skip
    """What KEYS keys get from all rows."""
    which = tl.program_id(1).to(tl.int64)
    q += which // kv * q_batch + which % kv * group * q_head
    k += which // kv * k_batch + which % kv * k_head
    dims = tl.arange(0, WIDE)
    key = tl.program_id(0) * KEYS + tl.arange(0, KEYS)
    k_tile = tl.trans(_keys(k, key, keys, k_row, dims, DIM))
    found = tl.zeros([ROWS, KEYS], tl.float32)
    for tile in range(0, tiles):
        at = tile * ROWS + tl.arange(0, ROWS)
        last = tl.where(at < rows * group, at % rows + keys - rows, -1)
        scores = product(_queries(q, at, rows, group, q_head, q_row, dims, DIM), k_tile, EXACT) * scale
        of = tl.load(lse + which * tiles * ROWS + at)
        weights = tl.math.exp2(tl.where(key[None, :] <= last[:, None], scores - of[:, None], float("-inf")))
        if MEAN:
            found += weights
        else:
            found = tl.maximum(found, weights)
    result = tl.sum(found, 0) / group if MEAN else tl.max(found, 0)
    tl.store(out + which * keys + key, result, mask=key < keys)
