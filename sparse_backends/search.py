"""Each row's nearest budget, found where the scores lie: several values are tried a round, no device is waited for."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def ways_of(device: torch.device) -> int:
    """Parts that a search splits its range into: a GPU counts several plans in the time of one."""
    return 2 if device.type == "cpu" else 16


def search_float(
    entries: Callable[[Tensor], Tensor], target: float, low: float, high: float, rows: int, device: torch.device
) -> Tensor:
    """Return for each row the x in `low..high` whose `entries(x)` is nearest to `target`, of 2**32 steps, `[B]`.

    `entries` maps `[n, B]` float64 to `[n, B]` numbers, each row's own, that do not decrease with x. `high`, if that is
    not too much.
    """
    ways = ways_of(device)
    steps = torch.arange(1, ways, dtype=torch.float64, device=device)[:, None]
    first, last = (torch.full((rows,), bound, dtype=torch.float64, device=device) for bound in (low, high))
    for _ in range(math.ceil(32 / math.log2(ways))):
        tried = first + (last - first) * steps / ways
        first, last = _narrowed(entries(tried) <= target, tried, first, last)
    top = torch.full_like(last, high)
    found = entries(torch.stack([first, last, top]))
    return torch.where(found[2] <= target, top, _nearer(found[:2], target, first, last))


def _narrowed(fits: Tensor, tried: Tensor, first: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """The part of each row's range between the last value that fits and the first that does not."""
    count = fits.sum(0, keepdim=True)
    edges = torch.cat([first[None], tried, last[None]])
    return edges.gather(0, count)[0], edges.gather(0, count + 1)[0]


def _nearer(found: Tensor, target: float, first: Tensor, last: Tensor) -> Tensor:
    distance = (found.double() - target).abs()
    return torch.where(distance[0] <= distance[1], first, last)
