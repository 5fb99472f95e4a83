# mypy: disallow-untyped-defs=False
"""Attention summed over blocks in Triton: one pass over the keys for each row's log-sum-exp, one for the sums."""

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn.functional import pad

from nl_tasks.kernels.devices import fits
from nl_tasks.kernels.triton_support import LOG2E, product, rows_contiguous


def attention_mass_triton(q: Tensor, k: Tensor, *, scale: float, block: int) -> Tensor:
    """`attention_mass` for GPUs; head dimensions up to 256."""
    q, k = rows_contiguous(q), rows_contiguous(k)
    batch, heads, queries, dim = q.shape
    keys = k.shape[2]
    side = max(64, block)
    while side > 16 and not fits(q, 2 * side):
        side //= 2
    whole, block = block, min(block, side)
    mass = torch.zeros(batch, heads, triton.cdiv(queries, block), triton.cdiv(keys, block), device=q.device)
    _mass[(triton.cdiv(queries, side), heads, batch)](
        q, k, mass, *q.stride()[:3], *k.stride()[:3], heads // k.shape[1], queries, keys, *mass.shape[2:],
        scale * LOG2E, SIDE=side, BLOCK=block, DIM=dim, WIDE=max(16, triton.next_power_of_2(dim)),
        EXACT=q.dtype == torch.float32, num_warps=4 if side <= 64 else 8, num_stages=2,
    )  # fmt: skip
    return mass if block == whole else _summed(mass, whole // block)


def _summed(mass: Tensor, times: int) -> Tensor:
    """Sums of squares of `times` x `times` entries; those at the end may be of fewer."""
    padded = pad(mass, (0, -mass.shape[3] % times, 0, -mass.shape[2] % times))
    return padded.unflatten(3, (-1, times)).sum(4).unflatten(2, (-1, times)).sum(3)


@triton.jit
def _scores(q_tile, k, key, keys, last, k_row, dims, scale, DIM: tl.constexpr, EXACT: tl.constexpr):
    """Scores (base 2) of a tile of rows and keys, -inf where a row, whose last key is `last`, does not see a key."""
    inside = (key < keys)[:, None] & (dims < DIM)[None, :]
    k_tile = tl.load(k + key.to(tl.int64)[:, None] * k_row + dims[None, :], mask=inside, other=0.0)
    return tl.where(key[None, :] <= last[:, None], product(q_tile, tl.trans(k_tile), EXACT) * scale, float("-inf"))


@triton.jit(do_not_specialize=["group", "queries", "keys", "blocks", "columns"])
def _mass(
    q, k, mass, q_batch, q_head, q_row, k_batch, k_head, k_row, group, queries, keys, blocks, columns, scale,
    SIDE: tl.constexpr, BLOCK: tl.constexpr, DIM: tl.constexpr, WIDE: tl.constexpr, EXACT: tl.constexpr,
):  # fmt: skip
    """SIDE rows of one head."""
    tile, head, batch = tl.program_id(0), tl.program_id(1).to(tl.int64), tl.program_id(2).to(tl.int64)
    q += batch * q_batch + head * q_head
    k += batch * k_batch + head // group * k_head
    mass += (batch * tl.num_programs(1) + head) * blocks * columns
    dims, row = tl.arange(0, WIDE), tile * SIDE + tl.arange(0, SIDE)
    inside = (row < queries)[:, None] & (dims < DIM)[None, :]
    q_tile = tl.load(q + row.to(tl.int64)[:, None] * q_row + dims[None, :], mask=inside, other=0.0)
    last = row + keys - queries
    end = tl.minimum(keys, (tile + 1) * SIDE + keys - queries)
    high = tl.full([SIDE], float("-inf"), tl.float32)
    total = tl.zeros([SIDE], tl.float32)
    for start in range(0, end, SIDE):  # every row sees key 0: from the first tile on, `high` is finite
        scores = _scores(q_tile, k, start + tl.arange(0, SIDE), keys, last, k_row, dims, scale, DIM, EXACT)
        new = tl.maximum(high, tl.max(scores, 1))
        total = total * tl.math.exp2(high - new) + tl.sum(tl.math.exp2(scores - new[:, None]), 1)
        high = new
    lse = tl.where(row < queries, high + tl.math.log2(total), float("inf"))  # rows beyond the last weigh nothing
    PER: tl.constexpr = SIDE // BLOCK
    at = tile * PER + tl.arange(0, PER)
    for start in range(0, end, SIDE):
        scores = _scores(q_tile, k, start + tl.arange(0, SIDE), keys, last, k_row, dims, scale, DIM, EXACT)
        weights = tl.math.exp2(scores - lse[:, None])
        sums = tl.sum(tl.sum(tl.reshape(weights, [PER, BLOCK, PER, BLOCK]), 3), 1)
        column = start // BLOCK + tl.arange(0, PER)
        there = (at < blocks)[:, None] & (column < columns)[None, :]
        tl.store(mass + at.to(tl.int64)[:, None] * columns + column[None, :], sums, mask=there)
