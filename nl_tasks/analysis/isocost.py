"""Which size and which sparsity for a given cost: accuracy against cost, and what nothing else beats on both.

Each (model, method, sparsity) is a point (arXiv 2504.17768, section 4.1). Bands come from resampling the samples, the
same ones for every point.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nl_tasks.analysis.bootstrap import RESAMPLES, cautious_band, paired_means


@dataclass(frozen=True, kw_only=True)
class Point:
    """One way to run a model: `sparsity` 0.0 is dense; `scores` by task, `[n]` in the order of the samples' indices."""

    model: str
    method: str
    sparsity: float
    cost: float
    scores: Mapping[str, ArrayLike]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a point stands.

    Attributes:
        point: The point.
        accuracy: Mean over tasks.
        low: Lower end of its 95% band.
        high: Upper end.
        on_frontier: No point costs at most as much and is better, or costs less and is as good.
        frontier_share: Share of resamples in which it is on the frontier.
    """

    point: Point
    accuracy: float
    low: float
    high: float
    on_frontier: bool
    frontier_share: float


def isocost(points: Sequence[Point], *, resamples: int = RESAMPLES) -> list[Standing]:
    """Where each point stands among all, by cost. Raises ValueError if points differ in tasks or samples."""
    means, drawn = paired_means([point.scores for point in points], resamples=resamples)
    costs = np.array([point.cost for point in points])
    if len(wrong := costs[~(np.isfinite(costs) & (costs > 0))]):
        raise ValueError(f"cost={wrong[0]} is out of range: above 0")
    bands = [cautious_band(point.scores, drawn[:, i]) for i, point in enumerate(points)]
    shares = np.mean([pareto(costs, row) for row in drawn], axis=0)
    best = pareto(costs, means)
    return [
        Standing(
            point=points[i],
            accuracy=float(means[i]),
            low=bands[i][0],
            high=bands[i][1],
            on_frontier=bool(best[i]),
            frontier_share=float(shares[i]),
        )
        for i in np.argsort(costs, kind="stable")
    ]


def pareto(costs: NDArray[np.float64], gains: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the points `[n]` that no other matches at lower cost or beats at the same."""
    order = np.lexsort((-gains, costs))
    ahead = np.maximum.accumulate(np.concatenate([[-np.inf], gains[order][:-1]]))
    best = np.zeros(len(costs), dtype=bool)
    best[order] = gains[order] > ahead
    twin = {(costs[i], gains[i]) for i in np.flatnonzero(best)}  # equal in both: none beats the other
    return best | np.array([(c, g) in twin for c, g in zip(costs, gains)])


@dataclass(frozen=True, kw_only=True)
class CriticalLength:
    """From which length on a larger model, made sparse until it costs no more, beats a smaller one run densely.

    Attributes:
        small: The model that is run densely.
        large: The model that is run sparsely.
        length: The shortest length from which on it does at every longer one; None if it does not at the longest.
        low: Lower end of the 95% interval (None: at no length).
        high: Upper end (None: at no length).
        probability: Share of resamples in which there is such a length.
        advantage: By length, accuracy of the best affordable sparse point of `large` minus that of dense `small`; None
            where no point of `large` is cheap enough.
    """

    small: str
    large: str
    length: int | None
    low: int | None
    high: int | None
    probability: float
    advantage: dict[int, float | None]


def critical_length(
    points: Mapping[int, Sequence[Point]], small: str, large: str, *, resamples: int = RESAMPLES
) -> CriticalLength:
    """Compare dense `small` with sparse `large` over `points` by length.

    Raises ValueError if a length has no dense point of `small`, or none of `large`.
    """
    lengths = sorted(points)
    drawn, measured = [], []
    for length in lengths:
        base = [p for p in points[length] if p.model == small and p.sparsity == 0]
        rivals = [p for p in points[length] if p.model == large and p.sparsity > 0]
        if not base or not rivals:
            missing = f"dense {small}" if not base else f"sparse {large}"
            raise ValueError(f"length {length} has no point of {missing}")
        affordable = [p for p in rivals if p.cost <= base[0].cost]
        means, samples = paired_means([p.scores for p in [base[0], *affordable]], resamples=resamples, seed=length)
        measured.append(float(means[1:].max() - means[0]) if affordable else -math.inf)
        drawn.append(samples[:, 1:].max(1) - samples[:, 0] if affordable else np.full(resamples, -np.inf))
    found = np.array([_from(lengths, row) for row in np.stack(drawn, axis=1)])
    low, high = np.quantile(found, [0.025, 0.975], method="inverted_cdf")
    best = _from(lengths, np.array(measured))
    return CriticalLength(
        small=small,
        large=large,
        length=_finite(best),
        low=_finite(low),
        high=_finite(high),
        probability=float(np.isfinite(found).mean()),
        advantage={n: None if math.isinf(gain) else gain for n, gain in zip(lengths, measured)},
    )


def _from(lengths: Sequence[int], gains: NDArray[np.float64]) -> float:
    """The first length of the winning run that ends at the last; infinity if there is none."""
    behind = np.flatnonzero(~(gains > 0))
    first = behind[-1] + 1 if len(behind) else 0
    return float(lengths[first]) if first < len(lengths) else math.inf


def _finite(value: float) -> int | None:
    return int(value) if math.isfinite(value) else None
