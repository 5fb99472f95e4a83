"""Means that say how far to trust them."""

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from nl_tasks.scoring.registry import Score

Group = TypeVar("Group", bound=Hashable)

_Z = 1.959963984540054  # 97.5% of a normal distribution
_RESAMPLES = 2000
_CHUNK = 2**22


@dataclass(frozen=True)
class Summary:
    """Scores of `n` samples: mean, its standard error (None for one sample), 95% interval, share not readable."""

    n: int
    mean: float
    stderr: float | None
    low: float
    high: float
    unparsed: float


def summarise(scores: Sequence[Score]) -> Summary:
    """Mean of all scores, unreadable answers among them as 0.

    The interval is Wilson's where every score is 0 or 1, else a percentile bootstrap of 2000 resamples whose random
    numbers are always the same. Raises ValueError for no scores at all.
    """
    if not scores:
        raise ValueError("scores is empty: a summary needs at least one")
    values = np.array([score.value for score in scores])
    n, mean = len(values), float(values.mean())
    low, high = _wilson(mean, n) if np.isin(values, (0, 1)).all() else _bootstrap(values)
    return Summary(
        n=n,
        mean=mean,
        stderr=float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else None,
        low=low,
        high=high,
        unparsed=sum(not score.parsed for score in scores) / n,
    )


def breakdown(scores: Iterable[Score], groups: Iterable[Group]) -> dict[Group, Summary]:
    """A summary for each group, in the order of first appearance; `groups` tells each score's."""
    members: dict[Group, list[Score]] = {}
    for score, group in zip(scores, groups, strict=True):
        members.setdefault(group, []).append(score)
    return {group: summarise(those) for group, those in members.items()}


def _wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927, doi 10.1080/01621459.1927.10502953)."""
    shrink = 1 + _Z**2 / n
    middle = (share + _Z**2 / (2 * n)) / shrink
    half = _Z / shrink * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
    # At 0 and 1 the bound is exact; rounding must not move it.
    return (0.0 if share == 0 else middle - half, 1.0 if share == 1 else middle + half)


def _bootstrap(values: np.ndarray) -> tuple[float, float]:
    if len(values) == 1:
        return 0.0, 1.0  # one score says nothing about the spread of others
    bits = np.random.Philox(key=0)
    means: list[np.ndarray] = []
    rows = max(1, min(_RESAMPLES, _CHUNK // len(values)))
    for _ in range(0, _RESAMPLES, rows):
        words = bits.random_raw(rows * len(values)) >> np.uint64(32)
        chosen = (words * np.uint64(len(values)) >> np.uint64(32)).astype(np.int64)
        means.append(values[chosen].reshape(rows, -1).mean(axis=1))
    low, high = np.quantile(np.concatenate(means)[:_RESAMPLES], (0.025, 0.975))
    return float(low), float(high)
