"""How lengths, sparsities and speeds are written in tables."""

from collections.abc import Callable, Sequence

from nl_tasks.generators.lengths import format_length
from nl_tasks.report.answers import Row
from nl_tasks.report.readings import Reading
from nl_tasks.report.table import Value, number

Link = Callable[[Reading], tuple[str, str]]
"""Name and address of a reading's result file."""


def length_value(length: int) -> Value:
    """A length, sorted as a number."""
    return Value(format_length(length), length)


def sparsity_value(value: float) -> Value:
    """A guaranteed sparsity; `none` for 0."""
    return number(value, "g", "good") if value else Value("none", 0.0, kind="bad")


def speed_value(value: float | None) -> Value:
    """A measured speed-up; where it is below 1, that is said."""
    if value is None:
        return Value("not timed", -1.0)
    return Value(f"{value:.2f}, loses to dense", value, kind="bad") if value < 1 else number(value, ".2f")


def slowest_value(rows: Sequence[Row], *, smallest: bool = True) -> Value:
    """The smallest measured speed-up of the rows, or their median."""
    found = sorted(row.speed.measured for row in rows if row.speed.measured)
    if not found:
        return Value("-", -1.0) if smallest else Value("not timed", -1.0)
    return speed_value(found[0 if smallest else len(found) // 2])
