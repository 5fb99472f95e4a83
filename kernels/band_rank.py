"""From ranks of single diagonals to ranks of the places that their 64 x 64 blocks cover."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from nl_tasks.kernels.devices import runs_triton
from nl_tasks.kernels.line_entries import ROWS


def band_rank(diagonal_rank: Tensor) -> Tensor:
    """How many diagonals it takes until the place i - S, relative to a block's first row, is in a band.

    `diagonal_rank` `[B, H, S]` int32 is each distance's place in the order in which diagonals are kept. A diagonal of
    distance d covers the places from -d to 63 - d. `[B, H, S + 64]` int32, S + 64 for a place that none reaches.
    """
    if runs_triton(diagonal_rank):
        from nl_tasks.kernels.triton_band_rank import band_rank_triton

        return band_rank_triton(diagonal_rank)
    return band_rank_torch(diagonal_rank)


def band_rank_torch(diagonal_rank: Tensor) -> Tensor:
    """`band_rank` in plain torch."""
    nothing = diagonal_rank.shape[-1] + ROWS
    rank = pad(diagonal_rank.flip(-1), (1, ROWS - 1), value=nothing)
    reach = 1
    while reach < ROWS:  # the least rank among the last `reach` places
        rank = torch.minimum(rank, pad(rank[..., :-reach], (reach, 0), value=nothing))
        reach *= 2
    return rank
