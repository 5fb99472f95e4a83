"""The scaling law over readings, with sentences where the readings cannot tell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nl_tasks.analysis.hold_out import HoldOut, hold_out
from nl_tasks.analysis.scaling_law import AXES, Observations, ScalingLaw, fit_scaling_law
from nl_tasks.report.readings import Reading, Readings


@dataclass(frozen=True)
class PhaseLaw:
    """The law of one phase.

    Attributes:
        phase: prefill or decode.
        law: None if it cannot be fitted.
        hold_outs: One for each axis of which a largest value could be held out.
        remarks: What was left out and why.
        readings: Those that it was fitted to.
    """

    phase: str
    law: ScalingLaw | None
    hold_outs: list[HoldOut]
    remarks: list[str]
    readings: list[Reading]


def laws(readings: Readings) -> list[PhaseLaw]:
    """A law for each phase in which a method acts; controls are no part of it."""
    readings = readings.without_controls
    phases = [p for p in ("prefill", "decode") if any(r.phase == p for r in readings.sparse)]
    return [_law(phase, [r for r in readings.where(phase=phase) if r.shape is not None]) for phase in phases]


def _law(phase: str, found: list[Reading]) -> PhaseLaw:
    remarks = []
    tasks = sorted({reading.task for reading in found})
    for task in tasks:
        scores = np.concatenate([reading.scores for reading in found if reading.task == task])
        if scores.min() == scores.max() and scores[0] in (0, 1):
            remarks.append(f"{task} is left out: it scores {scores[0]:g} throughout, so it has no finite intercept.")
            found = [reading for reading in found if reading.task != task]
    if not found:
        return PhaseLaw(phase, None, [], [*remarks, "No model of known size has a task that is left."], [])
    seen = observations(found)
    axes = [axis for axis in AXES.values() if len(set(getattr(seen, axis).tolist())) > 1]
    for symbol, axis in AXES.items():
        if axis not in axes:
            remarks.append(f"{axis} has one value throughout: {symbol} is not fitted, its effect is in the intercepts.")
    try:
        law = fit_scaling_law(seen, axes=axes)
    except ValueError as error:
        return PhaseLaw(phase, None, [], [*remarks, f"No law: {error}."], found)
    held = []
    for axis in axes:
        try:
            held.append(hold_out(seen, axis, axes=axes))
        except ValueError as error:
            remarks.append(f"The largest {axis} cannot be held out: {error}.")
    return PhaseLaw(phase, law, held, remarks, found)


def observations(readings: Sequence[Reading]) -> Observations:
    """Every sample of the readings, clustered by the sample (one task and index) that many cells answer."""
    sizes = [len(reading.scores) for reading in readings]

    def each(values: list[float]) -> np.ndarray:
        return np.repeat(np.array(values, dtype=float), sizes)

    return Observations(
        score=np.concatenate([reading.scores for reading in readings]),
        task=np.repeat([reading.task for reading in readings], sizes),
        parameters=each([reading.shape.parameters if reading.shape else 1 for reading in readings]),
        length=each([reading.cell.length for reading in readings]),
        compression=each([1 / max(1 - reading.sparsity, 1e-6) for reading in readings]),
        cluster=np.array([f"{r.task}/{sample.index}" for r in readings for sample in r.result.samples]),
    )
