"""`nl-tasks report`: from result files to a report."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    results: Annotated[Path, typer.Argument(help="The folder of result files.")],
    out: Annotated[Path, typer.Option(help="The HTML file; Markdown and CSV files are written beside it.")] = Path(
        "report.html"
    ),
    margin: Annotated[float, typer.Option(help="Loss of mean score that is accepted, absolute.")] = 0.05,
    alpha: Annotated[float, typer.Option(help="Probability with which a guarantee may be wrong.")] = 0.05,
    batch: Annotated[int, typer.Option(help="Sequences decoded together, for accuracy against cost.")] = 64,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Say how sparse attention may be: guarantees, frontier, cost, isoCost, scaling law and every task, on one page.

    The page needs no network; each of its numbers leads to a result file.

    Example: nl-tasks report results --out report.html
    """
    if out.suffix != ".html":
        raise ValueError(f"--out {out} is out of range: a name that ends in .html")
    from rich.console import Console
    from rich.table import Table

    from nl_tasks.report.build import build_report

    made = build_report(results, out, margin=margin, alpha=alpha, batch=batch)
    if quiet:
        return
    table = Table(box=None, pad_edge=False)
    for column in made.answer.columns[:-1]:
        table.add_column(column, no_wrap=True)
    for row in made.answer.rows:
        table.add_row(*(value.text for value in row[:-1]))
    console = Console(highlight=False)
    needed = console.measure(table, options=console.options.update(width=1000)).maximum
    Console(highlight=False, width=max(needed, console.width)).print(table)
    for caveat in made.caveats:
        print(f"- {caveat}")
    print(f"wrote {made.paths[0]} and {len(made.paths) - 1} files beside it")
