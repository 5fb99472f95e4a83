"""Scores as tables."""

from collections.abc import Iterator

from rich.table import Table

from nl_tasks.score import ScoreReport, Summary


def score_tables(report: ScoreReport) -> Iterator[Table]:
    """A table of configs, then one for each way to break the samples down."""
    missing = f" ({report.missing} samples without a prediction are left out)" if report.missing else ""
    yield _table("config", {**report.by_config, "all": report.total}, caption=missing)
    for by, groups in report.breakdowns.items():
        if groups:
            yield _table(by, groups)


def _table(by: str, groups: dict[str, Summary], caption: str = "") -> Table:
    table = Table(box=None, pad_edge=False, caption=caption or None, caption_justify="left")
    table.add_column(by, no_wrap=True)
    for heading in ("n", "mean", "std. error", "95% interval", "unparsed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, summary in groups.items():
        interval = f"{summary.low:.3f} - {summary.high:.3f}"
        error = "-" if summary.stderr is None else f"{summary.stderr:.3f}"
        table.add_row(name, str(summary.n), f"{summary.mean:.3f}", error, interval, f"{summary.unparsed:.1%}")
    return table
