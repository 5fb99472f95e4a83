"""`nl-tasks show`: look at one sample."""

from pathlib import Path
from typing import Annotated

import typer


def show(
    path: Annotated[Path, typer.Argument(metavar="DIR|FILE", help="A dataset folder, or a parquet or jsonl file.")],
    index: Annotated[int, typer.Option(help="The row, from 0.")] = 0,
    config: Annotated[str | None, typer.Option(help="A folder's config. Default: its first.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Leave nothing of the prompt out.")] = False,
) -> None:
    """Show one sample with its evidence marked; long stretches without evidence are left out.

    Example: nl-tasks show sparse-frontier/story --config multihop_128k --index 3
    """
    from rich.console import Console

    from nl_tasks.show import find_sample, show_sample

    console = Console(soft_wrap=True, highlight=False)
    show_sample(find_sample(path, config=config, index=index), console, full=full)
