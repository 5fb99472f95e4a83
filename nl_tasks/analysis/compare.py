"""Which method for which task: paired differences from dense attention, ranked, the worst task first.

A mean over tasks hides the task that breaks, so there is none here that stands alone. Intervals are simultaneous
over the methods of a task (maximum t over resamples of the samples; Hothorn et al. 2008, doi 10.1002/bimj.200810425).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nl_tasks.analysis.bootstrap import RESAMPLES


@dataclass(frozen=True, kw_only=True)
class Method:
    """What one method did on one task.

    Attributes:
        name: Of the method, as `quest:sparsity=0.9`.
        phase: prefill, decode or evict.
        scores: `[n]`, in the order of the samples' indices.
        evidence_recall: Mean share of the evidence that was seen; None if unknown.
        time: Seconds of the phase in which it acts; None if unknown.
        dense_time: The same of dense attention.
    """

    name: str
    phase: str
    scores: ArrayLike
    evidence_recall: float | None = None
    time: float | None = None
    dense_time: float | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One method on one task.

    Attributes:
        method: The method.
        rank: 1 is the best mean score.
        accuracy: Mean score.
        difference: Mean score minus dense mean score.
        low: Lower end of the simultaneous 95% interval of `difference`.
        high: Upper end.
        speedup: Dense time over the method's; below 1 the method loses; None if unknown.
    """

    method: Method
    rank: int
    accuracy: float
    difference: float
    low: float
    high: float
    speedup: float | None

    @property
    def loses_time(self) -> bool:
        """Whether dense attention was faster."""
        return self.speedup is not None and self.speedup < 1


def compare(
    dense: Mapping[str, ArrayLike], methods: Mapping[str, Sequence[Method]], *, resamples: int = RESAMPLES
) -> dict[str, list[Comparison]]:
    """Compare methods by task with dense scores `[n]` of the same samples, the task of the largest loss first.

    Raises ValueError if a task has no dense scores, or scores are not of the same samples.
    """
    found = {}
    for task, those in methods.items():
        if task not in dense:
            raise ValueError(f"task={task!r} has no dense scores to compare with")
        found[task] = _compare(task, np.asarray(dense[task], dtype=float), those, resamples)
    return dict(sorted(found.items(), key=lambda item: min((c.difference for c in item[1]), default=0.0)))


def _compare(task: str, dense: NDArray[np.float64], methods: Sequence[Method], resamples: int) -> list[Comparison]:
    rows = [np.asarray(method.scores, dtype=float) for method in methods]
    for method, row in zip(methods, rows):
        if row.shape != dense.shape or not len(dense):
            raise ValueError(
                f"{task}, {method.name}: {len(row)} scores beside {len(dense)} dense are not of the same samples"
            )
    if not rows:
        return []
    differences = np.stack(rows) - dense  # [methods, n]
    low, high = simultaneous_intervals(differences, resamples=resamples)
    order = sorted(range(len(rows)), key=lambda i: -rows[i].mean())
    return [
        Comparison(
            method=methods[i],
            rank=1 + sum(bool(row.mean() > rows[i].mean()) for row in rows),
            accuracy=float(rows[i].mean()),
            difference=float(differences[i].mean()),
            low=float(low[i]),
            high=float(high[i]),
            speedup=_ratio(methods[i].dense_time, methods[i].time),
        )
        for i in order
    ]


def simultaneous_intervals(
    differences: NDArray[np.float64], *, level: float = 0.95, resamples: int = RESAMPLES
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Intervals of the means of `differences` `[methods, n]` that all hold together with probability `level`.

    Two pretended samples, one +1 and one -1, keep an interval from vanishing where no answer changed (Bonett and
    Price 2012, doi 10.1002/sim.4325, for proportions).
    """
    n = differences.shape[1]
    means = differences.mean(1)
    errors = np.sqrt(((differences**2).sum(1) + 2) / (n + 2) - (n * means / (n + 2)) ** 2) / np.sqrt(n + 2)
    bits = np.random.Generator(np.random.Philox(key=n))
    counts = bits.multinomial(n, np.full(n, 1 / n), size=resamples)
    largest = np.abs((counts @ differences.T / n - means) / errors).max(1)
    half = max(float(np.quantile(largest, level)), 1.96) * errors
    return np.maximum(means - half, -1), np.minimum(means + half, 1)


def _ratio(dense: float | None, sparse: float | None) -> float | None:
    return dense / sparse if dense and sparse else None
