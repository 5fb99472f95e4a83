# mypy: disallow-untyped-defs=False
"""Column and diagonal sums of the last queries' attention in Triton, without the weights in memory.

Two passes over the keys: the first finds each row's log-sum-exp, the second sums. A program of the second follows one
band of diagonals through all rows, so every sum has a fixed order and results repeat to the bit.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from nl_tasks.kernels.devices import narrow
from nl_tasks.kernels.triton_support import LOG2E, product, rows_contiguous

SPLIT = 4096  # keys that one program of the first pass reads


def line_sums_triton(q: Tensor, k: Tensor, *, scale: float) -> tuple[Tensor, Tensor]:
    """`line_sums` for GPUs; head dimensions up to 256."""
    q, k = rows_contiguous(q), rows_contiguous(k)
    batch, heads, rows, dim = q.shape
    keys, group = k.shape[2], heads // k.shape[1]
    tile = 32 if narrow(q) else 64  # rows and keys
    tiles, splits = triton.cdiv(rows, tile), triton.cdiv(keys, SPLIT)
    shape = {"DIM": dim, "WIDE": max(16, triton.next_power_of_2(dim)), "EXACT": q.dtype == torch.float32}
    sizes = (*q.stride()[:3], *k.stride()[:3], heads, group, rows, keys, scale * LOG2E)
    parts = q.new_empty(batch * heads, splits, tiles * tile, dtype=torch.float32)
    _row_lse[(splits, tiles, batch * heads)](
        q, k, parts, *sizes, SPLIT=SPLIT, TILE=tile, **shape, num_warps=4, num_stages=2
    )
    high = parts.amax(1)
    lse = high + (parts - high[:, None]).exp2().sum(1).log2()

    least = 1 - tiles  # bands are counted by the key tile of the first row tile, relative to it
    last = (keys - rows + tile - 1) // tile
    bands = last - least + 1
    columns = q.new_zeros(batch * heads, tiles, keys, dtype=torch.float32)
    skewed = q.new_empty(batch * heads, bands, 2 * tile, dtype=torch.float32)
    _sums[(bands, batch * heads)](
        q, k, lse, columns, skewed, *sizes, last, TILE=tile, **shape, num_warps=2 if dim <= 128 else 4, num_stages=2
    )
    total = q.new_zeros(batch * heads, (bands + 1) * tile, dtype=torch.float32)
    total[:, :-tile] += skewed[..., :tile].flatten(1)
    total[:, tile:] += skewed[..., tile:].flatten(1)
    zero = last * tile - (keys - rows) + tile  # entry of distance 0
    return columns.sum(1).view(batch, heads, keys), total[:, zero : zero + keys].view(batch, heads, keys)


@triton.jit
def _tile(x, place, count, dims, step, DIM: tl.constexpr):
    """The rows `place` of x, `step` elements apart; zeros for those that are not among 0..count - 1."""
    inside = ((place >= 0) & (place < count))[:, None] & (dims < DIM)[None, :]
    return tl.load(x + place[:, None].to(tl.int64) * step + dims[None, :], mask=inside, other=0.0)


@triton.jit
def _row_lse(
    q, k, parts, q_batch, q_head, q_row, k_batch, k_head, k_row, heads, group, rows, keys, scale,
    SPLIT: tl.constexpr, TILE: tl.constexpr, DIM: tl.constexpr, WIDE: tl.constexpr, EXACT: tl.constexpr,
):  # fmt: skip
    """Log-sum-exp (base 2) of TILE rows over SPLIT keys."""
    split, tile, which = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    batch, head = which // heads, which % heads
    q += batch * q_batch + head * q_head
    k += batch * k_batch + head // group * k_head
    row = tile * TILE + tl.arange(0, TILE)
    dims = tl.arange(0, WIDE)
    position = row + keys - rows
    q_tile = _tile(q, row, rows, dims, q_row, DIM)
    high = tl.full([TILE], float("-inf"), tl.float32)
    total = tl.zeros([TILE], tl.float32)
    stop = tl.minimum(keys, tl.minimum((split + 1) * SPLIT, (tile + 1) * TILE + keys - rows))
    for start in range(split * SPLIT, stop, TILE):
        key = start + tl.arange(0, TILE)
        scores = product(q_tile, tl.trans(_tile(k, key, keys, dims, k_row, DIM)), EXACT) * scale
        scores = tl.where((key[None, :] <= position[:, None]) & (key < keys)[None, :], scores, float("-inf"))
        new = tl.maximum(high, tl.max(scores, 1))
        finite = tl.where(new == float("-inf"), 0.0, new)
        total = total * tl.math.exp2(high - finite) + tl.sum(tl.math.exp2(scores - finite[:, None]), 1)
        high = new
    found = tl.where(total > 0, high + tl.math.log2(tl.where(total > 0, total, 1.0)), float("-inf"))
    tl.store(parts + (which * tl.num_programs(0) + split) * tl.num_programs(1) * TILE + row, found)


@triton.jit
def _sums(
    q, k, lse, columns, skewed, q_batch, q_head, q_row, k_batch, k_head, k_row, heads, group, rows, keys, scale, last,
    TILE: tl.constexpr, DIM: tl.constexpr, WIDE: tl.constexpr, EXACT: tl.constexpr,
):  # fmt: skip
    """The tiles along one band of diagonals: their column sums, a row of tiles apart, and their diagonal sums."""
    band, which = tl.program_id(0), tl.program_id(1).to(tl.int64)
    batch, head = which // heads, which % heads
    q += batch * q_batch + head * q_head
    k += batch * k_batch + head // group * k_head
    inside = tl.arange(0, TILE)
    dims = tl.arange(0, WIDE)
    tiles = tl.cdiv(rows, TILE)
    seen = tl.zeros([TILE, TILE], tl.float32)
    for tile in range(0, tiles):
        row, key = tile * TILE + inside, (last - band + tile) * TILE + inside
        q_tile, k_tile = _tile(q, row, rows, dims, q_row, DIM), _tile(k, key, keys, dims, k_row, DIM)
        scores = product(q_tile, tl.trans(k_tile), EXACT) * scale
        of = tl.load(lse + which * tiles * TILE + row, mask=row < rows, other=0.0)
        real = (key >= 0) & (key < keys)
        allowed = (key[None, :] <= (row + keys - rows)[:, None]) & (row < rows)[:, None] & real[None, :]
        weights = tl.where(allowed, tl.math.exp2(scores - of[:, None]), 0.0)
        tl.store(columns + (which * tiles + tile) * keys + key, tl.sum(weights, 0), mask=real)
        seen += weights  # rows and keys move on together: the same place is on the same diagonal
    # Turn row i by i places: row less key is then constant along a column, but for those that wrapped around.
    from_key = (inside[:, None] - inside[None, :]) & (TILE - 1)
    turned = tl.gather(seen, from_key, 1)
    wrapped = inside[None, :] > inside[:, None]
    sums = skewed + (which * tl.num_programs(0) + band) * 2 * TILE + inside
    tl.store(sums, tl.sum(tl.where(wrapped, turned, 0.0), 0))
    tl.store(sums + TILE, tl.sum(tl.where(wrapped, 0.0, turned), 0))
