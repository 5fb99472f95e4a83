"""The plots of a report that have one line for each method: frontier, evidence recall, depth profile, speed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nl_tasks.generators.lengths import format_length
from nl_tasks.report.answers import MethodGuarantee, Row
from nl_tasks.report.readings import Reading, Readings
from nl_tasks.report.svg import Plot, linear_ticks, log_ticks
from nl_tasks.scoring import Score, Summary, summarise

UNIT = ((0, "0"), (0.25, ".25"), (0.5, ".5"), (0.75, ".75"), (1, "1"))
_SPARSITIES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99)


@dataclass(frozen=True)
class Style:
    """What all plots of a report share: each method's number, and the address of a reading's file."""

    series: Mapping[str, int]
    href: Callable[[Reading], str]


def frontier_plots(
    readings: Readings, guaranteed: Sequence[MethodGuarantee], style: Style, *, model: str, length: int, phase: str
) -> list[Plot]:
    """Accuracy over sparsity, a plot a task: dense attention as a level, a ring where the guarantee ends."""
    ends = {
        (one.method, task): answer.sparsity
        for one in guaranteed
        if (one.model, one.length) == (model, length)
        for task, answer in one.answer.tasks.items()
    }
    plots = []
    for task, dense, lines in _by_task(readings, model, length, phase):
        plot = _over_sparsity(task, "accuracy", [r for those in lines.values() for r in those])
        if dense is not None:
            summary = dense.result.summary
            plot.band(plot.x, [summary.low] * 2, [summary.high] * 2, None)
            plot.line([(plot.x[0], summary.mean), (plot.x[1], summary.mean)], None, dashed=True)
            plot.point(1.0, summary.mean, None, _title(dense, summary), style.href(dense), hollow=True)
        for method, those in lines.items():
            number = style.series[method]
            summaries = [reading.result.summary for reading in those]
            xs = [_compression(reading) for reading in those]
            plot.band(xs, [s.low for s in summaries], [s.high for s in summaries], number)
            start = [(1.0, dense.result.summary.mean)] if dense is not None else []
            plot.line([*start, *((x, s.mean) for x, s in zip(xs, summaries))], number)
            for x, reading, summary in zip(xs, those, summaries):
                certified = 0 < reading.sparsity == ends.get((method, task))
                told = _title(reading, summary) + ("; the highest guaranteed sparsity" if certified else "")
                plot.point(x, summary.mean, number, told, style.href(reading), ring=certified)
        plots.append(plot)
    return plots


def recall_plots(readings: Readings, style: Style, *, model: str, length: int, phase: str) -> list[Plot]:
    """Share of the evidence seen over sparsity, a plot a task; tasks without evidence have none."""
    plots = []
    for task, _, lines in _by_task(readings, model, length, phase):
        plot = _over_sparsity(task, "evidence seen", [r for those in lines.values() for r in those])
        for method, those in lines.items():
            seen = [(reading, recall) for reading in those if (recall := _recall(reading)) is not None]
            plot.line([(_compression(reading), recall) for reading, recall in seen], style.series[method])
            for reading, recall in seen:
                told = f"{reading.cell.backend}: {recall:.3f} of the evidence seen"
                plot.point(_compression(reading), recall, style.series[method], told, style.href(reading))
        if not plot.empty:
            plots.append(plot)
    return plots


def depth_plots(readings: Readings, style: Style, *, model: str, length: int, phase: str) -> list[Plot]:
    """Accuracy by depth of the evidence, in fifths, at each method's highest sparsity; a plot a task."""
    plots = []
    for task, dense, lines in _by_task(readings, model, length, phase):
        plot = Plot(task, (0, 1), (0, 1), "depth of the evidence", "accuracy", UNIT, UNIT)
        for reading in [those[-1] for those in lines.values()] + ([dense] if dense else []):
            number = None if reading.is_dense else style.series[reading.method]
            fifths = depth_profile(reading)
            plot.line([(x, summary.mean) for x, summary in fifths], number, dashed=reading.is_dense)
            for x, summary in fifths:
                told = f"{reading.cell.backend}, depth {x - 0.1:.1f} to {x + 0.1:.1f}: {_numbers(summary)}"
                plot.point(x, summary.mean, number, told, style.href(reading), hollow=reading.is_dense)
        if not plot.empty:
            plots.append(plot)
    return plots


def depth_profile(reading: Reading) -> list[tuple[float, Summary]]:
    """The middle of each fifth of the prompt, and the scores of samples whose evidence lies there on average."""
    fifths: dict[int, list[Score]] = {}
    for sample in reading.result.samples:
        if sample.depths:
            fifth = min(int(sum(sample.depths) / len(sample.depths) * 5), 4)
            fifths.setdefault(fifth, []).append(Score(value=sample.score, parsed=sample.parsed, answer=sample.answer))
    return [(fifth / 5 + 0.1, summarise(scores)) for fifth, scores in sorted(fifths.items())]


def speed_plots(rows: Sequence[Row], style: Style) -> list[Plot]:
    """Measured against ideal speed-up, a plot for each phase; below the level line dense attention is faster."""
    plots = []
    for phase in ("prefill", "decode"):
        timed = [
            (row, row.speed.ideal, row.speed.measured)
            for row in rows
            if row.reading.phase == phase and row.speed.ideal and row.speed.measured
        ]
        if not timed:
            continue
        values = [value for _, ideal, measured in timed for value in (ideal, measured)]
        low, high = min(0.8, *values) / 1.1, max(1.25, *values) * 1.1
        ticks = log_ticks(low, high)
        plot = Plot(
            f"speed-up of {'the prefill' if phase == 'prefill' else 'a decoded token'}", (low, high), (low, high),
            "ideal, by the cost model", "measured", ticks, ticks, log_x=True, log_y=True,
        )  # fmt: skip
        plot.line([(low, low), (high, high)], None, dashed=True)
        plot.line([(low, 1), (high, 1)], None)
        for row, ideal, measured in timed:
            cell = row.reading.cell
            told = f"{cell.backend}, {row.reading.task} {format_length(cell.length)}, {cell.model}: "
            told += f"{measured:.2f}x measured, {ideal:.2f}x ideal"
            series = style.series[row.reading.method]
            plot.point(ideal, measured, series, told, style.href(row.reading), hollow=row.speed.loses)
        plots.append(plot)
    return plots


def _by_task(
    readings: Readings, model: str, length: int, phase: str
) -> list[tuple[str, Reading | None, dict[str, list[Reading]]]]:
    """Task, dense reading, and the sparse ones by method, sparsities ascending; the worst task first."""
    found = []
    for task in readings.tasks:
        those = readings.where(model=model, length=length, phase=phase, task=task)
        lines: dict[str, list[Reading]] = {}
        for reading in those:
            if not reading.is_dense:
                lines.setdefault(reading.method, []).append(reading)
        if lines:
            found.append((task, next((reading for reading in those if reading.is_dense), None), lines))
    return found


def _over_sparsity(task: str, what: str, readings: Sequence[Reading]) -> Plot:
    most = max([4.0, *map(_compression, readings)]) * 1.15
    ticks = [(1 / (1 - s), f"{s:g}".removeprefix("0") or "0") for s in _SPARSITIES if 1 / (1 - s) < most]
    return Plot(task, (1.0, most), (0, 1), "sparsity, measured", what, ticks, UNIT, log_x=True)


def _compression(reading: Reading) -> float:
    return 1 / max(reading.density, 1e-3)


def _recall(reading: Reading) -> float | None:
    return reading.result.mean("evidence_recall")


def _title(reading: Reading, summary: Summary) -> str:
    return f"{reading.cell.backend}, measured sparsity {1 - reading.density:.3f}: {_numbers(summary)}"


def _numbers(summary: Summary) -> str:
    return f"{summary.mean:.3f} ({summary.low:.3f} to {summary.high:.3f}, n = {summary.n})"


def accuracy_axis(values: Sequence[float]) -> tuple[tuple[float, float], list[tuple[float, str]]]:
    """An axis from a round number below the values to one above."""
    low, high = max(min(values) - 0.05, 0.0), min(max(values) + 0.05, 1.0)
    return (low, high), linear_ticks(low, high)
