# mypy: disallow-untyped-defs=False
"""The lists of vertical-slash plans in Triton: long rows in pieces, counted first."""

import torch
import triton
import triton.language as tl
from torch import Tensor

ROWS, PIECE = 64, 2048  # rows of a block; places of a program


def line_lists_triton(
    band_rank: Tensor, column_rank: Tensor, verticals: Tensor, slashes: Tensor, width: int
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """`line_lists` for GPUs: columns, their counts, starts, ends, their counts, band table."""
    shape, keys, device = column_rank.shape[:2], column_rank.shape[2], column_rank.device
    heads, longest = shape.numel(), keys // ROWS + 2
    pieces = triton.cdiv(keys + ROWS + 1, PIECE)
    given = band_rank.contiguous(), column_rank.contiguous(), verticals.contiguous(), slashes.contiguous()
    counts = torch.empty(3, heads, pieces, dtype=torch.int32, device=device)
    _count[(pieces, heads)](*given, counts, keys, ROWS=ROWS, PIECE=PIECE, num_warps=4)
    upto = counts.cumsum(-1, dtype=torch.int32)
    columns = torch.empty(*shape, width, dtype=torch.int32, device=device)
    starts, ends = torch.empty(2, *shape, longest, dtype=torch.int32, device=device)
    covered = torch.empty(*shape, keys + ROWS, dtype=torch.bool, device=device)
    _place[(pieces, heads)](
        *given, counts, upto, columns, starts, ends, covered.view(torch.uint8), keys, width, longest,
        ROWS=ROWS, PIECE=PIECE, num_warps=4,
    )  # fmt: skip
    column_counts, bands, _ = upto[..., -1].view(3, *shape)
    return columns, column_counts, starts, ends, bands, covered


@triton.jit
def _piece(band_rank, column_rank, verticals, slashes, keys, ROWS: tl.constexpr, PIECE: tl.constexpr):
    """Places of a piece as keys or in the band table; which are kept columns, in bands, and behind one in a band."""
    place, which = tl.program_id(0) * PIECE + tl.arange(0, PIECE), tl.program_id(1).to(tl.int64)
    vertical, slash = tl.load(verticals + which), tl.load(slashes + which)
    size = keys + ROWS
    band_rank += which * size
    column = tl.load(column_rank + which * keys + place, mask=place < keys, other=2147483647) < vertical
    here = tl.load(band_rank + place, mask=place < size, other=2147483647) < slash
    before = tl.load(band_rank + place - 1, mask=(place > 0) & (place <= size), other=2147483647) < slash
    return place, column.to(tl.int32), here.to(tl.int32), before.to(tl.int32)


@triton.jit(do_not_specialize=["keys"])
def _count(
    band_rank, column_rank, verticals, slashes, counts, keys, ROWS: tl.constexpr, PIECE: tl.constexpr
):  # fmt: skip
    _, column, here, before = _piece(band_rank, column_rank, verticals, slashes, keys, ROWS, PIECE)
    at = tl.program_id(1) * tl.num_programs(0) + tl.program_id(0)
    step = tl.num_programs(0) * tl.num_programs(1)
    tl.store(counts + at, tl.sum(column, 0))
    tl.store(counts + step + at, tl.sum(here * (1 - before), 0))
    tl.store(counts + 2 * step + at, tl.sum(before * (1 - here), 0))


@triton.jit
def _list(counts, upto, place, kept, which_list, listed, value, width, PIECE: tl.constexpr):
    """Write the kept values of a piece behind those of the pieces before it, and its part of the padding."""
    pieces, which = tl.num_programs(0), tl.program_id(1).to(tl.int64)
    row = (which_list * tl.num_programs(1) + which) * pieces
    before = tl.load(upto + row + tl.program_id(0)) - tl.load(counts + row + tl.program_id(0))
    target = before + tl.cumsum(kept, 0) - 1
    listed += which * width
    tl.store(listed + target, value, mask=(kept > 0) & (target < width))
    total = tl.load(upto + row + pieces - 1)
    tl.store(listed + place, tl.zeros([PIECE], tl.int32), mask=(place >= total) & (place < width))


@triton.jit(do_not_specialize=["keys", "width", "longest"])
def _place(
    band_rank, column_rank, verticals, slashes, counts, upto, columns, starts, ends, covered, keys, width, longest,
    ROWS: tl.constexpr, PIECE: tl.constexpr,
):  # fmt: skip
    place, column, here, before = _piece(band_rank, column_rank, verticals, slashes, keys, ROWS, PIECE)
    _list(counts, upto, place, column, 0, columns, place, width, PIECE)
    _list(counts, upto, place, here * (1 - before), 1, starts, place - keys, longest, PIECE)
    _list(counts, upto, place, before * (1 - here), 2, ends, place - keys, longest, PIECE)
    size = keys + ROWS
    tl.store(covered + tl.program_id(1).to(tl.int64) * size + place, here.to(tl.uint8), mask=place < size)
