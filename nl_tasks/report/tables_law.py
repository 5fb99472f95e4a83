"""The tables of the scaling law."""

from collections.abc import Sequence

from nl_tasks.analysis.scaling_law import AXES
from nl_tasks.report.laws import PhaseLaw
from nl_tasks.report.table import Table, Value, number


def law_table(found: Sequence[PhaseLaw]) -> Table:
    """Coefficients with their standard errors."""
    lines = []
    for one in found:
        if one.law is None:
            continue
        for symbol, axis in AXES.items():
            if symbol in one.law.errors:
                lines.append(_coefficient(one, f"{symbol} (ln {axis})", getattr(one.law, symbol), symbol))
        for task, intercept in one.law.tasks.items():
            lines.append(_coefficient(one, task, intercept, task))
    return Table("scaling_law", ("phase", "coefficient", "value", "standard error", "scores"), tuple(lines))


def hold_out_table(found: Sequence[PhaseLaw]) -> Table:
    """How well each law predicts the largest value of an axis, which it was not fitted to."""
    lines = [
        (
            Value(one.phase),
            Value(held.axis),
            number(held.value, ".4g"),
            number(held.r2_fitted, ".2f"),
            number(held.r2_held_out, ".2f"),
            Value(task),
            number(told.cells, "d"),
            number(told.mae, ".3f"),
            number(told.spearman, ".2f"),
        )
        for one in found
        for held in one.hold_outs
        for task, told in held.tasks.items()
    ]
    return Table(
        "hold_out",
        ("phase", "axis", "value held out", "R2 fitted", "R2 held out", "task", "cells", "MAE", "Spearman"),
        tuple(lines),
    )


def _coefficient(one: PhaseLaw, name: str, value: float, key: str) -> tuple[Value, ...]:
    law = one.law
    errors, n = (law.errors, law.n) if law else ({}, 0)
    return Value(one.phase), Value(name), number(value), number(errors[key]), number(n, "d")
