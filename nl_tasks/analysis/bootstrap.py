"""Resampling that keeps pairs together: the same samples are drawn for everything that answered them."""

from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 1000


def paired_means(
    scores: Sequence[Mapping[str, ArrayLike]], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean over tasks of each entry's mean score, and the same for resampled samples.

    Args:
        scores: For each entry, its scores by task, each `[n]` in the order of the samples' indices. All entries have
            the same tasks with the same samples.
        resamples: How many times to draw.
        seed: Of the draws.

    Returns:
        `[entries]` and `[resamples, entries]`. Raises ValueError if entries differ in tasks or number of samples.
    """
    if not scores or not scores[0]:
        raise ValueError("scores is empty: resampling needs scores of a task")
    bits = np.random.Generator(np.random.Philox(key=seed))
    tasks = sorted(scores[0])
    means = np.zeros(len(scores))
    drawn = np.zeros((resamples, len(scores)))
    if any(set(entry) != set(tasks) for entry in scores):
        raise ValueError("scores have different tasks, so their means cannot be compared")
    for task in tasks:
        rows = [np.asarray(entry[task], dtype=float) for entry in scores]
        if len(sizes := {len(row) for row in rows}) > 1 or sizes == {0}:
            raise ValueError(f"{task} has {sorted(sizes)} samples: scores must be of the same ones, at least one")
        table = np.stack(rows)  # [entries, n]
        counts = bits.multinomial(table.shape[1], np.full(table.shape[1], 1 / table.shape[1]), size=resamples)
        means += table.mean(1) / len(tasks)
        drawn += counts @ table.T / table.shape[1] / len(tasks)
    return means, drawn


def cautious_band(
    scores: Mapping[str, ArrayLike], drawn: NDArray[np.float64], level: float = 0.95
) -> tuple[float, float]:
    """The percentile interval of one entry's `drawn` `[resamples]`, joined with one that never vanishes.

    Resamples of scores that are all equal are equal too, as if nothing else were possible. The other interval is
    normal, with two pretended samples a task, one 0 and one 1 (Agresti and Coull 1998, doi 10.2307/2685469).
    """
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    centre = variance = 0.0
    for values in scores.values():
        padded = np.concatenate([np.asarray(values, dtype=float), [0.0, 1.0]])
        centre += padded.mean() / len(scores)
        variance += padded.var() / len(padded) / len(scores) ** 2
    half = NormalDist().inv_cdf((1 + level) / 2) * variance**0.5
    return max(min(float(low), centre - half), 0.0), min(max(float(high), centre + half), 1.0)
