"""The n-th largest of more numbers than fit in memory, exactly, in two passes."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

_HALF = 2**16


def nth_largest(parts: Callable[[], Iterator[Tensor]], n: int) -> tuple[Tensor, int]:
    """Return the n-th largest of all numbers (float32), and how many are at least as large.

    `parts()` yields them in 1-d tensors, the same at each call, and is called twice: once to count numbers by the upper
    half of their bits, once by the lower half. With n <= 0 the answer is (inf, 0); with fewer than n numbers, (-inf,
    their number).
    """
    if n <= 0:
        return torch.tensor(torch.inf), 0
    upper = sum(torch.bincount(_ordered(part) // _HALF, minlength=_HALF) for part in parts())
    above, high = _reach(torch.as_tensor(upper), n)
    if high < 0:
        return torch.tensor(-torch.inf), above
    counts: int | Tensor = 0
    for part in parts():
        key = _ordered(part)
        counts = counts + torch.bincount(key[key // _HALF == high] % _HALF, minlength=_HALF)
    more, low = _reach(torch.as_tensor(counts), n - above)
    bits = torch.tensor(high * _HALF + low - 2**31)
    value = torch.where(bits < 0, bits ^ (2**31 - 1), bits).int().view(torch.float32)
    return value, above + more + int(torch.as_tensor(counts)[low])


def _ordered(values: Tensor) -> Tensor:
    """Map float32 to int64 in 0..2**32 - 1, keeping the order."""
    bits = values.float().view(torch.int32).long()
    return torch.where(bits < 0, bits ^ (2**31 - 1), bits) + 2**31


def _reach(counts: Tensor, n: int) -> tuple[int, int]:
    """From the highest bin down, the bin that holds the n-th number and how many lie above it; (all, -1) if too few."""
    upto = counts.flip(0).cumsum(0)
    if int(upto[-1]) < n:
        return int(upto[-1]), -1
    place = int((upto < n).sum())
    return int(upto[place] - counts.flip(0)[place]), len(counts) - 1 - place
