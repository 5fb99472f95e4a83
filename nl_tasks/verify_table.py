"""The checks of `nl-tasks verify` as a table."""

from collections.abc import Iterable

from rich.table import Table

from nl_tasks.verify import Check


def check_table(checks: Iterable[Check]) -> Table:
    """One line a check: what it says, how many files or rows it looked at, and whether it holds."""
    table = Table(box=None, pad_edge=False)
    for heading, justify in (("check", "left"), ("looked at", "right"), ("result", "left"), ("it holds if", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for check in checks:
        if check.problems:
            result = f"[bold red]{len(check.problems)} FAILED[/]"
        else:
            result = "[green]ok[/]" if check.checked else "[yellow]not checked[/]"
        table.add_row(
            check.name, str(check.checked), result, check.meaning + (f" ({check.note})" if check.note else "")
        )
    return table
