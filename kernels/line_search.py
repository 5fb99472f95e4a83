"""How many columns and diagonals come nearest to a number of entries, for each row of a batch."""

from collections.abc import Callable

import torch
from torch import Tensor

from nl_tasks.kernels.devices import runs_triton
from nl_tasks.kernels.line_entries import line_entries


def nearest_size(
    band_rank: Tensor, column_rank: Tensor, target: int, low: int, high: int, slashes: int, queries: int
) -> Tensor:
    """Return the k in `low..high` whose plans have nearest to `target` entries, the lower if tied, `[B]` int32.

    Plans keep k columns and k diagonals, of the latter no fewer than `slashes`; their entries are summed over the heads
    of a row. `band_rank`, `column_rank` are as in `line_entries`. Nothing waits for a GPU.
    """
    high = max(low, high)
    if runs_triton(band_rank) and queries == column_rank.shape[-1]:
        from nl_tasks.kernels.triton_line_search import nearest_size_triton

        return nearest_size_triton(band_rank, column_rank, target, low, high, slashes)
    return nearest_size_torch(band_rank, column_rank, target, low, high, slashes, queries)


def nearest_size_torch(
    band_rank: Tensor, column_rank: Tensor, target: int, low: int, high: int, slashes: int, queries: int
) -> Tensor:
    """`nearest_size` in plain torch."""
    shape = column_rank.shape[:2]

    def entries(k: Tensor) -> Tensor:  # of sizes [n, B]
        sizes = k[:, :, None].expand(-1, *shape)
        return line_entries(band_rank, column_rank, sizes, sizes.clamp(min=slashes), queries).sum(2)

    return nearest_step(entries, target, low, high, shape[0], band_rank.device).int()


def nearest_step(
    entries: Callable[[Tensor], Tensor], target: int, low: int, high: int, rows: int, device: torch.device
) -> Tensor:
    """Return for each row the step in `low..high` with nearest to `target` entries, the lower if tied, `[B]` int64.

    `entries` maps `[n, B]` to `[n, B]`, each row's own, that do not decrease. The range is halved until its ends are
    neighbours.
    """
    first, last = (torch.full((rows,), bound, device=device) for bound in (low, high))
    for _ in range((high - low - 1).bit_length()):
        tried = (first + last) // 2
        fits = entries(tried[None])[0] <= target
        first, last = torch.where(fits, tried, first), torch.where(fits, last, tried)
    below, above = (entries(torch.stack([first, last])) - target).abs()
    return torch.where(below <= above, first, last)
