"""The table of lost answers."""

from collections.abc import Sequence

from nl_tasks.analysis.lost_answers import LostAnswers
from nl_tasks.report.table import Table, Value, number


def lost_table(found: Sequence[LostAnswers]) -> Table:
    """For each phase, how many answers were lost and what evidence recall has to do with it."""
    lines = [
        (
            Value(one.phase),
            number(one.answers, "d"),
            number(one.samples, "d"),
            number(one.lost),
            number(one.odds),
            Value("" if one.low is None or one.high is None else f"{one.low:.3f} - {one.high:.3f}"),
        )
        for one in found
        if one.answers
    ]
    return Table(
        "lost_answers",
        ("phase", "right with full attention", "samples", "lost", "odds for 0.1 of recall more", "95% interval"),
        tuple(lines),
    )
