"""`nl-tasks probe`: train a small model to do our tasks, and make a model's folder of what was learnt."""

from pathlib import Path
from typing import Annotated

import typer

probe = typer.Typer(
    help="A small model that can do the tasks, so that sparse attention has something to break.\n\n"
    "Example: nl-tasks probe train --steps 2000 --out probe-run",
    no_args_is_help=True,
)

_MISSING = "pip install 'nl-tasks[probe]'"


@probe.command("train")
def train_probe(
    out: Annotated[Path, typer.Option(help="Folder of the adapter, the log, and what it takes to go on.")] = Path(
        "probe-run"
    ),
    base: Annotated[str, typer.Option(help="smollm2, or the folder of a small Llama.")] = "smollm2",
    steps: Annotated[int, typer.Option(help="Batches to learn from, of 33792 tokens each.")] = 2000,
    minutes: Annotated[
        float, typer.Option(help="In place of --steps: as many as fit into this time here, compiling included.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the batches and the first weights; evaluations share none.")] = 0,
    rank: Annotated[int, typer.Option(help="Of the updates; 16 makes an adapter of 5 MB.")] = 16,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 1e-3,
    level: Annotated[float, typer.Option(help="Share of the steps before the rate falls.")] = 0.55,
    workers: Annotated[int, typer.Option(help="Processes that make batches; they change nothing in them.")] = 8,
    save_every: Annotated[int, typer.Option(help="Steps between savings, each with scores on held-out texts.")] = 200,
    held_out: Annotated[int, typer.Option(help="Texts scored at each saving, for each task at 2k, 4k and 8k.")] = 24,
    start: Annotated[
        str, typer.Option(help="The adapter of another training to go on from, with all lengths; give a new --seed.")
    ] = "",
    widths: Annotated[
        str, typer.Option(help="Tokens of the texts, growing over the training; divisors of a batch. Default: all.")
    ] = "",
    device: Annotated[str, typer.Option(help="cpu or cuda. Default: a GPU if there is one.")] = "auto",
    compiled: Annotated[
        bool | None, typer.Option("--compile/--no-compile", help="Default: compile on a GPU.", show_default=False)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Train an adapter on samples that no evaluation draws; the same command goes on with a run that was stopped.

    Example: nl-tasks probe train --steps 2000 --workers 14 --out probe-run
    """
    from dataclasses import replace

    from nl_tasks.errors import Interrupted

    try:
        from nl_tasks.probe_data import WIDTHS
        from nl_tasks.probe_settings import Settings
        from nl_tasks.probe_train import steps_for, train
    except ImportError as error:
        raise ValueError(f"nl-tasks probe needs {error.name}: {_MISSING}") from None
    from nl_tasks.local_models import model_folder

    if held_out < 0 or save_every < 1 or workers < 0:
        raise ValueError("--held-out and --workers are 0 or more, --save-every 1 or more")
    chosen: tuple[int, ...] = WIDTHS
    if widths:
        try:
            chosen = tuple(int(part) for part in widths.split(","))
        except ValueError:
            raise ValueError(f"--widths {widths!r}: write numbers, as 1056,2112") from None
    settings = Settings(
        base=model_folder(base),
        steps=steps,
        seed=seed,
        rank=rank,
        rate=rate,
        level=level,
        held_out=held_out,
        widths=chosen,
        start=start,
    )
    try:
        if minutes:
            settings = replace(
                settings, steps=steps_for(settings, out, minutes * 60, device=device, compile_blocks=compiled)
            )
        train(
            settings,
            out,
            workers=workers,
            device=device,
            compile_blocks=compiled,
            save_every=save_every,
            say=(lambda line: None) if quiet else (lambda line: print(line, flush=True)),
        )
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the last saving is kept, the same command goes on") from None


@probe.command("assemble")
def assemble_probe(
    adapter: Annotated[Path, typer.Argument(help="adapter.safetensors of a training.")],
    folder: Annotated[Path, typer.Argument(help="The model's folder to be made.")],
    base: Annotated[str, typer.Option(help="What the adapter was trained on: smollm2 or a folder.")] = "smollm2",
) -> None:
    """Make a model of a base and an adapter: a folder for `nl-tasks eval --model FOLDER` or transformers.

    Example: nl-tasks probe assemble probe-run/adapter.safetensors probe-model
    """
    try:
        from nl_tasks.probe_adapter import CONTEXT, assemble
    except ImportError as error:
        raise ValueError(f"nl-tasks probe needs {error.name}: {_MISSING}") from None
    from nl_tasks.local_models import model_folder

    if folder.exists():
        raise ValueError(f"{folder} exists already: name a new folder")
    assemble(model_folder(base), adapter, folder, context=CONTEXT)
    print(folder)


@probe.command("plot")
def plot_probe(
    runs: Annotated[list[Path], typer.Argument(help="The folder of a training, and of those that went on from it.")],
    out: Annotated[Path, typer.Option(help="The picture: .png, .svg or .pdf.")] = Path("learning-curve.png"),
) -> None:
    """Draw how the loss fell and the held-out scores rose.

    Example: nl-tasks probe plot probe-run --out curve.png
    """
    try:
        from nl_tasks.probe_plot import plot_log
    except ImportError as error:
        raise ValueError(f"nl-tasks probe plot needs {error.name}: pip install 'nl-tasks[probe]'") from None
    plot_log(runs, out)
    print(out)
