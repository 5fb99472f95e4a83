# mypy: disallow-untyped-defs=False
"""Ranks of places from ranks of diagonals in Triton: a minimum over the 64 diagonals that cover a place."""

import torch
import triton
import triton.language as tl
from torch import Tensor

ROWS, PIECE = 64, 1024  # rows of a block; places of a program


def band_rank_triton(diagonal_rank: Tensor) -> Tensor:
    """`band_rank` for GPUs."""
    batch, heads, keys = diagonal_rank.shape
    rank = torch.empty(batch, heads, keys + ROWS, dtype=torch.int32, device=diagonal_rank.device)
    grid = (triton.cdiv(keys + ROWS, PIECE), batch * heads)
    _least[grid](diagonal_rank.contiguous(), rank, keys, ROWS=ROWS, PIECE=PIECE, num_warps=4)
    return rank


@triton.jit(do_not_specialize=["keys"])
def _least(diagonal_rank, rank, keys, ROWS: tl.constexpr, PIECE: tl.constexpr):
    which = tl.program_id(1).to(tl.int64)
    diagonal_rank += which * keys
    place = tl.program_id(0) * PIECE + tl.arange(0, PIECE)
    least = tl.zeros([PIECE], tl.int32) + (keys + ROWS)
    for i in range(0, ROWS):
        distance = keys - place + i
        inside = (distance >= 0) & (distance < keys)
        least = tl.minimum(least, tl.load(diagonal_rank + distance, mask=inside, other=2147483647))
    tl.store(rank + which * (keys + ROWS) + place, least, mask=place < keys + ROWS)
