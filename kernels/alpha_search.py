"""How many columns and diagonals hold the same share of each head's attention, the share found by their entries."""

import torch
from torch import Tensor

from nl_tasks.kernels.devices import runs_triton
from nl_tasks.kernels.line_entries import line_entries
from nl_tasks.kernels.line_search import nearest_step

STEPS = 2**32  # shares that are told apart


def covering_sizes(
    band_rank: Tensor, column_rank: Tensor, mass: Tensor, target: int, low: int, least: int, slashes: int, queries: int
) -> Tensor:
    """Return each head's numbers of columns and diagonals that come nearest to `target` entries, `[2, B, H]` int32.

    Either is `needed` for a share alpha that the heads of a row have in common, at least `least`; where alpha = 0 is
    too much, one number from `low` to `least` for all. Of diagonals never fewer than `slashes`. Entries are summed over
    the heads of a row; of tied sizes the lower, but alpha = 1 if that is not too much.

    `mass` `[2, B, H, S]` float64 adds up the attention of columns and of diagonals in the order in which they are kept;
    `band_rank`, `column_rank` are as in `line_entries`. Nothing waits for a GPU.
    """
    # One search: steps from 0 on are shares of STEPS, those before it are how much the sizes fall short of `least`.
    given = band_rank, column_rank, mass, target, min(0, low - least), least, slashes, STEPS
    if runs_triton(band_rank) and queries == column_rank.shape[-1]:
        from nl_tasks.kernels.triton_alpha_search import covering_sizes_triton

        return covering_sizes_triton(*given)
    return covering_sizes_torch(*given, queries)


def covering_sizes_torch(
    band_rank: Tensor,
    column_rank: Tensor,
    mass: Tensor,
    target: int,
    low: int,
    least: int,
    slashes: int,
    steps: int,
    queries: int,
) -> Tensor:
    """`covering_sizes` in plain torch, for the steps from `low` to `steps`."""

    def sizes(step: Tensor) -> Tensor:  # [n, B] to [2, n, B, H]
        fewest = least + step.clamp(max=0)
        fewest = torch.stack([fewest, fewest.clamp(min=slashes)])
        return needed(mass, step.double() / steps).maximum(fewest[..., None])

    def entries(step: Tensor) -> Tensor:
        columns, diagonals = sizes(step)
        return line_entries(band_rank, column_rank, columns, diagonals, queries).sum(2)

    step = nearest_step(entries, target, low, steps, mass.shape[1], mass.device)
    top = torch.full_like(step, steps)[None]
    return sizes(torch.where(entries(top) <= target, top, step))[:, 0].int()


def needed(cumulative: Tensor, alpha: Tensor) -> Tensor:
    """Count the leading entries of `cumulative` `[2, B, H, S]` it takes to reach `alpha` of the last.

    `[2, n, B, H]`, at least 1; `alpha` `[n, B]` float64 are each row's own. All for 1, be the last entries nothing.
    """
    size = cumulative.shape[-1]
    reached = cumulative[..., -1:] * alpha.mT[:, None]  # [2, B, H, n]
    found = (torch.searchsorted(cumulative, reached.contiguous()) + 1).movedim(-1, 1)
    return torch.where(alpha[:, :, None] >= 1, size, found).clamp(max=size)
