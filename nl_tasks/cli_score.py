"""`nl-tasks score`: predictions to scores."""

from pathlib import Path
from typing import Annotated

import typer


def score(
    predictions: Annotated[Path, typer.Argument(help='JSON lines: {"id": ..., "prediction": ...}.')],
    data: Annotated[Path, typer.Option(help="The dataset folder or data file that holds the gold answers.")],
    tokenizer: Annotated[
        str | None, typer.Option(help="If the data hold samples for several tokenizers: the one your model read.")
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Score what is there; without it, every sample needs a prediction.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score predictions against the gold answers: means with 95% intervals, unparsed rates, and breakdowns.

    Example: nl-tasks score predictions.jsonl --data sparse-frontier/story
    """
    import json

    from nl_tasks.score import score_predictions

    report = score_predictions(predictions, data, tokenizer=tokenizer, allow_missing=allow_missing)
    if as_json:
        print(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    from nl_tasks.score_table import score_tables

    console = Console(highlight=False)
    for table in score_tables(report):
        console.print(table)
