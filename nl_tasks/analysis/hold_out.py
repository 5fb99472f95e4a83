"""How well a scaling law predicts what it was not fitted to: the largest value of an axis is held out."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nl_tasks.analysis.libraries import library
from nl_tasks.analysis.scaling_law import AXES, Observations, ScalingLaw, cell_means, fit_scaling_law


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Predicted against measured accuracy of one task's held-out cells.

    Attributes:
        cells: Number of cells.
        mae: Mean absolute error of accuracy.
        spearman: Rank correlation; None for fewer than three cells, or if all are equal.
    """

    cells: int
    mae: float
    spearman: float | None


@dataclass(frozen=True, kw_only=True)
class HoldOut:
    """A law fitted without the largest value of `axis`.

    Attributes:
        axis: parameters, length or compression.
        value: The value held out.
        law: Fitted to the rest.
        r2_fitted: Share of the variance of cell means explained where the law was fitted.
        r2_held_out: The same where it was not; negative if the mean of those cells predicts them better.
        tasks: Predictions of each held-out task.
    """

    axis: str
    value: float
    law: ScalingLaw
    r2_fitted: float | None
    r2_held_out: float | None
    tasks: dict[str, Prediction]


def hold_out(seen: Observations, axis: str, *, axes: Collection[str] = tuple(AXES.values())) -> HoldOut:
    """Fit, over `axes`, without the largest value of `axis` and predict it.

    Raises ValueError for an unknown axis, and as `fit_scaling_law` for what is left.
    """
    if axis not in AXES.values():
        raise ValueError(f"axis={axis!r} is out of range: one of {', '.join(AXES.values())}")
    values = getattr(seen, axis)
    held = values == values.max()
    if held.all():
        raise ValueError(f"{axis} is {values.max():g} throughout: holding it out leaves nothing to fit")
    law = fit_scaling_law(seen.where(~held), axes=axes)
    fitted = _compare(law, seen.where(~held))
    known = np.isin(seen.task, list(law.tasks))
    if not (held & known).any():
        raise ValueError(f"no task has both {axis}={values.max():g} and a smaller value")
    names, measured, predicted = _compare(law, seen.where(held & known))
    return HoldOut(
        axis=axis,
        value=float(values.max()),
        law=law,
        r2_fitted=_r2(*fitted[1:]),
        r2_held_out=_r2(measured, predicted),
        tasks={
            name: _prediction(measured[names == name], predicted[names == name]) for name in sorted(set(names.tolist()))
        },
    )


def _compare(law: ScalingLaw, seen: Observations) -> tuple[NDArray, NDArray, NDArray]:
    columns, measured = cell_means(seen)
    return columns["task"], measured, law.predict(**columns)


def _r2(measured: NDArray, predicted: NDArray) -> float | None:
    total = float(((measured - measured.mean()) ** 2).sum())
    return 1 - float(((measured - predicted) ** 2).sum()) / total if total > 0 else None


def _prediction(measured: NDArray, predicted: NDArray) -> Prediction:
    ranked = len(measured) > 2 and np.ptp(measured) > 0 and np.ptp(predicted) > 0
    return Prediction(
        cells=len(measured),
        mae=float(np.abs(measured - predicted).mean()),
        spearman=float(library("scipy.stats").spearmanr(measured, predicted).statistic) if ranked else None,
    )
