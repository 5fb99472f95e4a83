"""Accuracy against cost, with its frontier."""

from itertools import pairwise

from nl_tasks.generators.lengths import format_length
from nl_tasks.report.answers import IsoCost
from nl_tasks.report.plots import Style, accuracy_axis
from nl_tasks.report.readings import Readings
from nl_tasks.report.svg import Plot, log_ticks


def isocost_plot(found: IsoCost, readings: Readings, style: Style) -> Plot:
    """A scatter of every (model, method, sparsity); hollow is dense; the line joins what nothing else beats.

    Marks tell models apart where there are several, methods otherwise.
    """
    costs = [standing.point.cost for standing in found.standings]
    low, high = min(costs) / 1.3, max(costs) * 1.3
    y, ticks = accuracy_axis([v for standing in found.standings for v in (standing.low, standing.high)])
    unit = "FLOPs of a prefill" if found.phase == "prefill" else "bytes read a token"
    plot = Plot(
        f"{found.phase} at {format_length(found.length)}", (low, high), y, unit, "accuracy, mean of tasks",
        log_ticks(low, high), ticks, log_x=True,
    )  # fmt: skip
    several = len(readings.models) > 1
    frontier = [(s.point.cost, s.accuracy) for s in found.standings if s.on_frontier]
    plot.line([step for a, b in pairwise(frontier) for step in (a, (b[0], a[1]))] + frontier[-1:], None)
    for standing in found.standings:
        point = standing.point
        series = readings.models.index(point.model) if several else style.series.get(point.method)
        plot.bar(point.cost, standing.low, standing.high, series)
        told = f"{point.model}, {point.method}" + (f" at sparsity {point.sparsity:g}" if point.sparsity else "")
        told += f": {standing.accuracy:.3f} ({standing.low:.3f} to {standing.high:.3f}) for {point.cost:.3g}; "
        told += f"on the frontier in {standing.frontier_share:.0%} of resamples"
        reading = found.of[point.model, point.method, point.sparsity][0]
        plot.point(point.cost, standing.accuracy, series, told, style.href(reading), hollow=point.sparsity == 0)
    return plot
