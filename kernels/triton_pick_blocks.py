# mypy: disallow-untyped-defs=False
"""The best key blocks of each query block in Triton: a row of scores in registers, its list written in one pass."""

import torch
import triton
import triton.language as tl
from torch import Tensor


def pick_blocks_triton(scores: Tensor, counts: Tensor, own: Tensor, last: Tensor, longest: int, near: int) -> Tensor:
    """List the forced blocks and the best others of each row of `scores` `[n, R, C]` float32, `[n, R, longest]` int32.

    Row r keeps `counts[r]` of the blocks up to `last[r]`: block 0 and those from `own[r] - near` on first, then by
    descending score, of equals the lower; ascending in the list, padded with 0. All three are `[R]` int32, `counts`
    may be `[n, R]`; they hold at least the forced blocks and at most those up to `last`. C is at most 16384.
    """
    heads, rows, columns = scores.shape
    size = max(16, triton.next_power_of_2(columns))
    lists = torch.empty(heads, rows, longest, dtype=torch.int32, device=scores.device)
    _pick[(rows, heads)](
        scores.contiguous(), lists, counts.contiguous(), own, last, rows * (counts.dim() - 1), columns, longest, near,
        SIZE=size, LONGEST=triton.next_power_of_2(longest), num_warps=min(16, max(1, size // 1024)),
    )  # fmt: skip
    return lists


@triton.jit
def _pick(
    scores, lists, counts, own, last, counts_head, columns, longest, near,
    SIZE: tl.constexpr, LONGEST: tl.constexpr,
):  # fmt: skip
    """One row: find the score of the last kept block bit by bit, then number the kept ones."""
    row = tl.program_id(0)
    at = tl.program_id(1).to(tl.int64) * tl.num_programs(0) + row
    count = tl.load(counts + tl.program_id(1) * counts_head + row)
    first_near, final = tl.load(own + row) - near, tl.load(last + row)
    column = tl.arange(0, SIZE)
    seen = column <= final
    value = tl.load(scores + at * columns + column, mask=seen & (column < columns), other=0.0) + 0.0  # -0 equals 0
    bits = value.to(tl.int32, bitcast=True)
    order = tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits)  # integers in the order of the floats
    order = tl.where((column == 0) | (column >= first_near), 0x7FFFFFFF, order)
    order = tl.where(seen, order, -0x80000000)
    limit = tl.where(tl.sum((order >= 0).to(tl.int32), 0) >= count, 0, -0x80000000)
    for step in range(0, 31):
        tried = limit + (1 << (30 - step))
        limit = tl.where(tl.sum((order >= tried).to(tl.int32), 0) >= count, tried, limit)
    above = order > limit
    same = (order == limit) & seen
    room = count - tl.sum(above.to(tl.int32), 0)
    kept = above | (same & (tl.cumsum(same.to(tl.int32), 0) <= room))
    place = tl.cumsum(kept.to(tl.int32), 0) - 1
    lists += at * longest
    tl.store(lists + place, column, mask=kept)
    padding = tl.arange(0, LONGEST)
    tl.store(lists + padding, tl.zeros([LONGEST], tl.int32), mask=(padding >= count) & (padding < longest))
