"""`nl-tasks verify`: check a dataset folder."""

from pathlib import Path
from typing import Annotated

import typer


def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A dataset folder.")],
    tokenizer: Annotated[
        str | None, typer.Option(help="Where the tokenizer is now, if not where it was. It must be the same one.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(help="Count and regenerate only this many rows of each config. Default: all.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes. Default: all cores.")] = None,
) -> None:
    """Check hashes, lengths, BOS, evidence and golds of a dataset, and make its samples anew to compare the bytes.

    Exit status 1 says that a check failed; the row and the check are named.

    Example: nl-tasks verify sparse-frontier/story --sample 3
    """
    from rich.console import Console

    from nl_tasks.verify import verify_dataset
    from nl_tasks.verify_table import check_table
    from nl_tasks.workers import usable_cores

    report = verify_dataset(
        folder, tokenizer=tokenizer, sample=sample, workers=usable_cores() if workers is None else workers
    )
    console = Console(soft_wrap=True, highlight=False)
    console.print(check_table(report))
    if problems := [problem for check in report for problem in check.problems]:
        for problem in problems[:10]:
            console.print(problem, markup=False)
        raise typer.Exit(1)
