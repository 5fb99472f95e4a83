"""`nl-tasks eval`: models with sparse attention on our tasks."""

from pathlib import Path
from typing import Annotated

import typer

from nl_tasks.cli_generate import STORY_TASKS


def evaluate_models(
    models: Annotated[
        list[str], typer.Option("--model", help="probe, smollm2, a local folder or a Hub id; repeatable.")
    ],
    lengths: Annotated[str, typer.Option("--len", help="Tokens of each prompt: 4k, or several: 4k,16k.")],
    backends: Annotated[
        list[str] | None,
        typer.Option("--backend", metavar="NAME[:PARAMETER=VALUE,...]", help="Repeatable. Default: dense."),
    ] = None,
    tasks: Annotated[
        list[str] | None, typer.Option("--task", help="Repeatable. Default: the three story tasks.")
    ] = None,
    n: Annotated[int, typer.Option("-n", help="Samples for each cell.")] = 20,
    seed: Annotated[int, typer.Option(help="Of the samples.")] = 43,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KNOB=VALUE", help="A knob of the tasks; task.knob=value for one task's."),
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(help="Tokens of each answer at most.")] = 1024,
    batch: Annotated[int, typer.Option(help="Samples answered at a time; fewer where the memory is too small.")] = 1,
    dense_layers: Annotated[
        str, typer.Option(help="Layers left to full attention: 0,1,-1.", metavar="LAYER[,LAYER]...")
    ] = "",
    dtype: Annotated[str, typer.Option(help="Default: float32 on a CPU, the model's own elsewhere.")] = "auto",
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:1. Default: a GPU if there is one.")] = "auto",
    model_arguments: Annotated[
        list[str] | None,
        typer.Option("--model-arg", metavar="NAME=VALUE", help="lm-eval's own, as parallelize=true."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder of result files.")] = Path("results"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Run cells again whose results are there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Evaluate models x backends x tasks x lengths; a result file a cell, and a table against dense attention.

    Cells whose result is there are not run again, so that the same command continues a run that was stopped.

    Example: nl-tasks eval --model smollm2 --backend dense --backend quest:sparsity=0.9 --task story_multihop --len 4k
    """
    import json

    from nl_tasks.errors import Interrupted
    from nl_tasks.eval_progress import EvalProgress, quiet_libraries

    quiet_libraries()
    try:
        from nl_tasks.eval import evaluate
    except ImportError as error:
        raise ValueError(f"nl-tasks eval needs {error.name}: pip install 'nl-tasks[eval]'") from None
    from nl_tasks.knobs import make_tasks

    chosen = make_tasks(tasks or STORY_TASKS, settings or ())
    with EvalProgress(quiet=quiet) as progress:
        try:
            results = evaluate(
                models,
                backends or ["dense"],
                chosen,
                lengths.split(","),
                n=n,
                out=out,
                seed=seed,
                max_new_tokens=max_new_tokens,
                batch=batch,
                dense_layers=_layers(dense_layers),
                dtype=dtype,
                device=device,
                model_options=_options(model_arguments or ()),
                overwrite=overwrite,
                starting=progress.starting,
                answered=progress.answered,
            )
        except KeyboardInterrupt:
            raise Interrupted("interrupted; finished cells are kept, the same command goes on") from None
    if as_json:
        print(json.dumps([{**result.as_json(), "samples": None, "layers": None} for result in results], indent=2))
    elif not quiet:
        from nl_tasks.eval_table import print_results

        print_results(results)
        print(f"{progress.text}; the result files are in {out}")


def _layers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise ValueError(f"--dense-layers {text!r}: write numbers, as 0,1,-1") from None


def _options(arguments: list[str] | tuple[()]) -> dict[str, object]:
    options: dict[str, object] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals:
            raise ValueError(f"--model-arg {argument}: write name=value")
        known: dict[str, object] = {"true": True, "false": False, "none": None}
        options[name] = known[value.lower()] if value.lower() in known else int(value) if value.isdigit() else value
    return options
