# mypy: disallow-untyped-defs=False
"""Turning masks into lists in Triton: long rows in pieces, counted first."""

import torch
import triton
import triton.language as tl
from torch import Tensor

PIECE = 2048


def compact_triton(kept: Tensor, width: int, padding: int) -> tuple[Tensor, Tensor]:
    """`compact` for GPUs."""
    size, shape = kept.shape[-1], kept.shape[:-1]
    flat = kept.reshape(-1, size).view(torch.uint8)
    pieces = triton.cdiv(size, PIECE)
    counts = torch.empty(len(flat), pieces, dtype=torch.int32, device=kept.device)
    # Rows, of which there may be more than the 65,535 of a grid's other dimensions, come first.
    _count[(len(flat), pieces)](flat, counts, size, PIECE=PIECE, num_warps=4)
    upto = counts.cumsum(-1, dtype=torch.int32)
    listed = torch.full((len(flat), width), padding, dtype=torch.int32, device=kept.device)
    _place[(len(flat), pieces)](flat, counts, upto, listed, size, width, PIECE=PIECE, num_warps=4)
    return listed.view(*shape, width), upto[:, -1].reshape(shape)


@triton.jit
def _piece(kept, size, PIECE: tl.constexpr):
    place = tl.program_id(1) * PIECE + tl.arange(0, PIECE)
    row = kept + tl.program_id(0).to(tl.int64) * size
    return place, tl.load(row + place, mask=place < size, other=0).to(tl.int32)


@triton.jit
def _count(kept, counts, size, PIECE: tl.constexpr):
    _, some = _piece(kept, size, PIECE)
    tl.store(counts + tl.program_id(0) * tl.num_programs(1) + tl.program_id(1), tl.sum(some, 0))


@triton.jit
def _place(kept, counts, upto, listed, size, width, PIECE: tl.constexpr):
    place, some = _piece(kept, size, PIECE)
    at = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    before = tl.load(upto + at) - tl.load(counts + at)
    target = before + tl.cumsum(some, 0) - 1
    tl.store(listed + tl.program_id(0).to(tl.int64) * width + target, place, mask=(some > 0) & (target < width))
