"""The analyses over readings: which groups are compared, and sentences where there is nothing to compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from nl_tasks.analysis.compare import Comparison, Method, compare
from nl_tasks.analysis.cost_model import CORRECTED, Counting
from nl_tasks.analysis.guarantee import Guarantee, guarantee
from nl_tasks.analysis.isocost import CriticalLength, Point, Standing, critical_length, isocost
from nl_tasks.report.costs import Speed, cost, speed
from nl_tasks.report.readings import Reading, Readings


@dataclass(frozen=True)
class MethodGuarantee:
    """How sparse one method may be, for one model and length; `readings` by task and sparsity.

    `tasks` are all that were run with full attention there; of those without readings the answer says nothing.
    """

    model: str
    length: int
    method: str
    phase: str
    answer: Guarantee
    readings: dict[tuple[str, float], Reading]
    tasks: tuple[str, ...]

    @property
    def worst_task(self) -> str:
        """The task that allows the least sparsity; of several, that of the largest drop."""
        tasks = self.answer.tasks
        return min(tasks, key=lambda t: (tasks[t].sparsity, -max(step.drop for step in tasks[t].steps)))


@dataclass(frozen=True)
class Row:
    """One sparse reading beside dense attention; `comparison` ranks it among the methods of its sparsity."""

    reading: Reading
    dense: Reading
    comparison: Comparison
    speed: Speed


@dataclass(frozen=True)
class IsoCost:
    """Points of one phase and length; `of` finds a point's readings by (model, method, sparsity)."""

    phase: str
    length: int
    standings: list[Standing]
    of: dict[tuple[str, str, float], list[Reading]]


def guarantees(readings: Readings, *, margin: float, alpha: float) -> list[MethodGuarantee]:
    """One answer for each model, length and method that has dense attention beside it, long lengths first."""
    found = []
    for model in readings.models:
        for length in reversed(readings.lengths):
            for method in readings.methods:
                those = [
                    r for r in readings.where(model=model, length=length, method=method)
                    if not r.is_dense and readings.dense_of(r)
                ]  # fmt: skip
                if not those:
                    continue
                scores: dict[str, dict[float, tuple[np.ndarray, np.ndarray]]] = {}
                for reading in those:
                    dense = readings.dense_of(reading)
                    if dense is not None:
                        scores.setdefault(reading.task, {})[reading.sparsity] = (dense.scores, reading.scores)
                answer = guarantee(scores, margin=margin, alpha=alpha)
                by_place = {(reading.task, reading.sparsity): reading for reading in those}
                whole = readings.where(model=model, length=length)
                tasks = tuple(sorted({reading.task for reading in whole if reading.is_dense}))
                found.append(MethodGuarantee(model, length, method, those[0].phase, answer, by_place, tasks))
    return found


def rows(readings: Readings, *, counting: Counting = CORRECTED) -> list[Row]:
    """Every sparse reading with its paired difference from dense attention, the largest loss first.

    Intervals hold together over the methods of one model, task, length, phase and sparsity.
    """
    groups: dict[tuple[object, ...], list[Reading]] = {}
    for reading in readings.sparse:
        if readings.dense_of(reading):
            groups.setdefault((reading.question, reading.phase, reading.sparsity), []).append(reading)
    found = []
    for those in groups.values():
        dense = readings.dense_of(those[0])
        if dense is None:
            continue
        speeds = {reading.path: speed(reading, dense, counting=counting) for reading in those}
        methods = [
            Method(
                name=reading.path,
                phase=reading.phase,
                scores=reading.scores,
                evidence_recall=reading.result.mean("evidence_recall"),
                time=speeds[reading.path].seconds,
                dense_time=speeds[reading.path].dense_seconds,
            )
            for reading in those
        ]
        by_path = {reading.path: reading for reading in those}
        for comparison in compare({"": dense.scores}, {"": methods})[""]:
            path = comparison.method.name
            found.append(Row(by_path[path], dense, comparison, speeds[path]))
    return sorted(found, key=lambda row: (row.comparison.difference, row.reading.path))


def iso_costs(readings: Readings, *, batch: int, counting: Counting = CORRECTED) -> list[IsoCost]:
    """Accuracy against cost for each phase and length, over the tasks that all points share; controls left out."""
    found, readings = [], readings.without_controls
    for phase in ("prefill", "decode"):
        for length in readings.lengths:
            points, of = iso_points(readings.where(length=length, phase=phase), phase, batch, counting)
            if any(point.sparsity > 0 for point in points):
                found.append(IsoCost(phase, length, isocost(points), of))
    return found


def iso_points(
    readings: Sequence[Reading], phase: str, batch: int, counting: Counting
) -> tuple[list[Point], dict[tuple[str, str, float], list[Reading]]]:
    """Points (model, method, sparsity) with the readings of their tasks; those that lack a task of others are left out.

    Costs are means over the tasks. Models without a known shape have no cost and no point.
    """
    of: dict[tuple[str, str, float], list[Reading]] = {}
    for reading in readings:
        if reading.shape is not None:
            of.setdefault((reading.cell.model, reading.method, reading.sparsity), []).append(reading)
    tasks = {reading.task for those in of.values() for reading in those}
    sizes = {task: {len(r.scores) for those in of.values() for r in those if r.task == task} for task in tasks}
    tasks = {task for task in tasks if len(sizes[task]) == 1}  # other numbers of samples are not the same samples
    of = {
        place: [reading for reading in those if reading.task in tasks]
        for place, those in of.items()
        if tasks and tasks <= {reading.task for reading in those}
    }
    points = []
    for (model, method, sparsity), those in of.items():
        costs = [c for reading in those if (c := cost(reading, phase, batch=batch, counting=counting)) is not None]
        points.append(
            Point(
                model=model,
                method=method,
                sparsity=sparsity,
                cost=float(np.mean(costs)),
                scores={reading.task: reading.scores for reading in those},
            )
        )
    return points, of


def critical_lengths(found: Sequence[IsoCost], readings: Readings) -> list[tuple[str, str, CriticalLength]]:
    """Phase, method and answer, for each pair of models and each method that the large one was run with."""
    answers = []
    for phase in ("prefill", "decode"):
        those = {one.length: [s.point for s in one.standings] for one in found if one.phase == phase}
        methods = sorted({p.method for points in those.values() for p in points if p.sparsity > 0})
        for method in methods:
            for small, large in combinations(readings.models, 2):
                points = {n: [p for p in ps if p.sparsity == 0 or p.method == method] for n, ps in those.items()}
                points = {
                    n: ps for n, ps in points.items()
                    if any(p.model == small and p.sparsity == 0 for p in ps)
                    and any(p.model == large and p.sparsity > 0 for p in ps)
                }  # fmt: skip
                if points:
                    answers.append((phase, method, critical_length(points, small, large)))
    return answers
