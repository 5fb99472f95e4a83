"""Is a drop in accuracy smaller than a margin? A test that holds for all scores in [0, 1], few or many.

The test is a bet (Waudby-Smith and Ramdas, arXiv 2010.09686, section 4.4: predictable plug-in, one-sided): a gambler
stakes on every sample that the drop is below the margin. If the drop were the margin or more, the game would be
unfair to him and his capital would reach 1 / alpha with probability alpha at most. Nothing is assumed about the
distribution; a t-test at n = 100 is wrong more than twice as often as it says where few answers change
(`benchmarks/guarantee_error_rate.py`).
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

_STAKE = 0.95  # of the capital at most: one bad sample must not end the game


def drop_p_values(drops: ArrayLike, margin: float | NDArray[np.float64], *, alpha: float = 0.05) -> NDArray[np.float64]:
    """P-values of the hypothesis that the mean drop is `margin` or more.

    Args:
        drops: Dense score minus sparse score of each sample, -1 to 1, `[..., n]`.
        margin: Above 0, at most 1; a number, or an array that broadcasts with `[...]`.
        alpha: The level at which power is sought; the p-values hold at every level.

    Returns:
        `[...]`, above 0, at most 1. Raises ValueError for numbers out of range.
    """
    gains, limit = _as_bets(drops, margin)
    if not 0 < alpha < 1:
        raise ValueError(f"alpha={alpha} is out of range: above 0, below 1")
    n = gains.shape[-1]
    seen = np.arange(1, n + 1)
    means = (0.5 + np.cumsum(gains, axis=-1)) / (seen + 1)
    spread = (0.25 + np.cumsum((gains - means) ** 2, axis=-1)) / (seen + 1)
    known = np.concatenate([np.full((*gains.shape[:-1], 1), 0.25), spread[..., :-1]], axis=-1)
    stakes = np.minimum(np.sqrt(2 * math.log(1 / alpha) / (n * known)), _STAKE / limit)
    capital = np.cumsum(np.log1p(stakes * (gains - limit)), axis=-1).max(axis=-1)
    return np.exp(-np.maximum(capital, 0.0))


def drop_bound(drops: ArrayLike, *, alpha: float = 0.05) -> float:
    """Upper confidence bound of the mean drop at level 1 - `alpha`: the least margin rejected, to 4 digits.

    `drops` `[n]` is dense score minus sparse score. 1.0 if no margin is rejected. Raises ValueError as `drop_p_values`.
    """
    values = np.asarray(drops, dtype=float)
    margins = np.arange(1, 10001) / 10000
    low, high = 0, len(margins) - 1
    if drop_p_values(values, margins[high], alpha=alpha) > alpha:
        return 1.0
    while low < high:  # the capital grows with the margin on every path of the game
        middle = (low + high) // 2
        if drop_p_values(values, margins[middle], alpha=alpha) <= alpha:
            high = middle
        else:
            low = middle + 1
    return float(margins[low])


def samples_needed(drops: ArrayLike, margin: float, *, level: float = 0.05) -> int | None:
    """About how many samples like these the test needs to reject at `level`; None if the drop is not below the margin.

    From the rate at which the best constant stake makes capital grow on `drops` `[n]`.
    """
    gains, limit = _as_bets(drops, margin)
    stakes = np.linspace(0, 1, 201)[1:, None] * _STAKE / limit
    growth = np.log1p(stakes * (gains - limit)).mean(axis=-1).max()
    return math.ceil(math.log(1 / level) / growth) if growth > 0 and gains.mean() > limit else None


def shuffled(drops: ArrayLike) -> NDArray[np.float64]:
    """`drops` `[..., n]` in an order that depends on n alone, so that depths spread over the index hint at nothing."""
    values = np.asarray(drops, dtype=float)
    return values[..., np.random.Generator(np.random.Philox(key=values.shape[-1])).permutation(values.shape[-1])]


def _as_bets(drops: ArrayLike, margin: float | NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Outcomes in [0, 1], large where the sparse score is, and the mean they exceed if the drop is below margin."""
    values = np.asarray(drops, dtype=float)
    if values.ndim == 0 or values.shape[-1] == 0:
        raise ValueError("drops is empty: a test needs at least one sample")
    if not np.all(np.abs(values) <= 1):
        worst = values.flat[np.argmax(~(np.abs(values) <= 1))]
        raise ValueError(f"drops holds {worst}, out of range: -1 to 1")
    if not np.all((np.asarray(margin) > 0) & (np.asarray(margin) <= 1)):
        raise ValueError(f"margin={margin} is out of range: above 0, at most 1")
    limit = np.asarray((1 - np.asarray(margin, dtype=float)) / 2)[..., None]
    return (1 - values) / 2, np.maximum(limit, 1e-9)
