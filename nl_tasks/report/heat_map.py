"""Task by method: what each loses at each sparsity, as a map to see the bad corner at once."""

from collections.abc import Sequence
from html import escape

from nl_tasks.report.answers import Row
from nl_tasks.report.plots import Style
from nl_tasks.report.readings import Readings
from nl_tasks.report.svg import svg

_WIDTH, _HEIGHT, _TOP = 38, 26, 44
_DARKEST = 0.5  # a loss of half the accuracy, or more


def heat_map(readings: Readings, rows: Sequence[Row], style: Style, *, model: str, length: int) -> str:
    """An `svg`: rows are tasks, the worst first; columns are methods at each sparsity; numbers are hundredths.

    Empty if there is nothing of this model and length.
    """
    found = {
        (row.reading.task, row.reading.method, row.reading.sparsity): row
        for row in rows
        if (row.reading.cell.model, row.reading.cell.length) == (model, length)
    }
    columns = sorted({key[1:] for key in found}, key=lambda c: (readings.methods.index(c[0]), c[1]))
    tasks = [task for task in readings.tasks if any(key[0] == task for key in found)]
    if not found:
        return ""
    left = 20 + 6.3 * max(map(len, tasks))
    parts = []
    for i, (method, sparsity) in enumerate(columns):
        x = left + i * _WIDTH
        if not i or columns[i - 1][0] != method:
            parts.append(f'<text class="label" x="{x + 2}" y="14">{escape(_short(method, columns))}</text>')
            parts.append(f'<path class="axis" d="M{x},4V{_TOP + len(tasks) * _HEIGHT}"/>')
        parts.append(f'<text class="tick" x="{x + _WIDTH / 2}" y="34" text-anchor="middle">{sparsity:g}</text>')
    for j, task in enumerate(tasks):
        y = _TOP + j * _HEIGHT
        parts.append(f'<text class="tick" x="{left - 8}" y="{y + 17}" text-anchor="end">{escape(task)}</text>')
        for i, column in enumerate(columns):
            if row := found.get((task, *column)):
                parts.append(_square(left + i * _WIDTH, y, row, style))
    width = round(left + len(columns) * _WIDTH + 6)
    title = f"change of accuracy from dense attention, {model}"
    return svg(title, width, _TOP + len(tasks) * _HEIGHT + 6, "".join(parts)).replace("plot", "plot wide", 1)


def _square(x: float, y: float, row: Row, style: Style) -> str:
    change = row.comparison.difference
    kind = "loss" if change < 0 else "gain"
    strength = min(abs(change) / _DARKEST, 1.0) * 0.85
    told = (
        f"{row.reading.cell.backend}, {row.reading.task}: {row.comparison.accuracy:.3f}, dense "
        f"{row.dense.scores.mean():.3f}; difference {change:+.3f} "
        f"({row.comparison.low:+.3f} to {row.comparison.high:+.3f})"
    )
    return (
        f'<a href="{escape(style.href(row.reading))}"><g class="square"><title>{escape(told)}</title>'
        f'<rect class="{kind}" x="{x + 1}" y="{y + 1}" width="{_WIDTH - 2}" height="{_HEIGHT - 2}" '
        f'fill-opacity="{strength:.2f}"/><text class="tick" x="{x + _WIDTH / 2}" y="{y + 17}" text-anchor="middle">'
        f"{round(100 * change):+d}</text></g></a>"
    )


def _short(method: str, columns: Sequence[tuple[str, float]]) -> str:
    """A method's name, cut to the width of its columns."""
    room = int(sum(name == method for name, _ in columns) * _WIDTH / 6.2)
    return method if len(method) <= room else method[: max(room - 1, 1)] + "…"
