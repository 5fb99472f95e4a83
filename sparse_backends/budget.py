"""From an asked sparsity to a budget: own parameters with defaults, targets, and searches for the nearest count."""

from collections.abc import Callable
from dataclasses import field
from typing import Any

import torch
from torch import Tensor

from nl_tasks.kernels.plan import causal_entries


def budget(default: float) -> Any:
    """Declare a field of a backend that sets its budget: `sparsity=` takes the place of all such fields."""
    return field(default=None, metadata={"budget": default})


def nearest_int(entries: Callable[[int], float], target: float, low: int, high: int) -> int:
    """Return the `k` in `low..high` whose non-decreasing `entries(k)` is nearest to `target` (the lower if tied)."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if entries(middle) <= target else (low, middle)
    return low if abs(entries(low) - target) <= abs(entries(high) - target) else high


def nearest_float(entries: Callable[[float], float], target: float, low: float, high: float, steps: int = 30) -> float:
    """Return the `x` in `low..high` whose `entries(x)`, non-decreasing in x, is nearest to `target`, by bisection."""
    if entries(high) <= target:
        return high
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if entries(middle) <= target else (low, middle)
    return low if abs(entries(low) - target) <= abs(entries(high) - target) else high


def too_sparse(name: str, sparsity: float, floor: Callable[[int], int], rows: int | None, keys: int) -> str:
    """Say why `sparsity` is out of reach with `floor(keys)` entries always kept, and what would work.

    `rows` is the number of query rows, None if it is the number of keys (a prefill from the start).
    """

    def full(length: int) -> int:
        return causal_entries(length if rows is None else min(rows, length), length)

    def fits(length: int) -> bool:
        return floor(length) <= (1 - sparsity) * full(length) + 1e-6  # as in Backend.check

    low, high = keys, 2 * keys
    while not fits(high) and high < 2**40:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    largest = 1 - floor(keys) / full(keys)
    return (
        f"{name}: sparsity={sparsity} is out of range: at {keys} tokens the part that is always kept allows at most "
        f"{int(max(0.0, largest) * 1e4) / 1e4}; {sparsity} works from {high} tokens on"
    )


def top(scores: Tensor, count: int) -> Tensor:
    """Return the indices of the `count` largest of `scores` along the last dimension, ascending, `[..., count]` int32.

    Of equal scores the lower index wins.
    """
    order = scores.sort(dim=-1, descending=True, stable=True).indices[..., :count]
    return order.sort(dim=-1).values.int()


def listed(kept: Tensor) -> tuple[Tensor, Tensor]:
    """Turn a mask `[..., n]` into its indices, ascending and padded with 0 to the longest, and counts; both int32."""
    counts = kept.sum(-1)
    longest = max(1, int(counts.max()))
    order = (~kept).to(torch.uint8).sort(dim=-1, stable=True).indices[..., :longest]
    real = torch.arange(longest, device=kept.device) < counts[..., None]
    return torch.where(real, order, 0).int(), counts.int()
