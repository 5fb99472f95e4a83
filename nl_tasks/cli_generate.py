"""`nl-tasks generate`: write datasets."""

from pathlib import Path
from typing import Annotated

import typer

STORY_TASKS = ("story_retrieval", "story_multihop", "story_filtering")


def generate(
    lengths: Annotated[str, typer.Option("--len", help="Tokens of each prompt: 128k, or several: 4k,16k,100000.")],
    tasks: Annotated[
        list[str] | None, typer.Argument(metavar="[TASK]...", help="Default: the three story tasks.")
    ] = None,
    n: Annotated[int, typer.Option("-n", help="Samples for each task and length.")] = 10,
    seed: Annotated[int, typer.Option(help="Different seeds share no sample.")] = 43,
    tokenizers: Annotated[
        list[str] | None,
        typer.Option(
            "--tokenizer",
            metavar="[LABEL=]NAME",
            help="tekken (default), a Hub id or local folder, tiktoken:NAME or gguf:FILE. With several, each has "
            "configs of its own: multihop_128k_LABEL.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KNOB=VALUE", help="A knob of the tasks; task.knob=value for one task's."),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="For the QA tasks: a file in the original format or a Hub id; --set source=...")
    ] = None,
    allow_repeat: Annotated[
        bool, typer.Option("--allow-repeat", help="For the QA tasks: documents may come twice; --set allow_repeat=true")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes; the files do not depend on it. Default: all cores that have work."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The dataset folder (several datasets: their parent). Default: its name.")
    ] = None,
    file_format: Annotated[str, typer.Option("--format", help="parquet or jsonl.")] = "parquet",
    resume: Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is in the way.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Write samples of exactly the given lengths into a folder that load_dataset opens.

    Example: nl-tasks generate --len 128k

    Example: nl-tasks generate story_multihop --len 8k,32k -n 100 --set hops=2 --tokenizer ./my-model

    Example: nl-tasks generate --len 16k --tokenizer tekken --tokenizer qwen2.5=Qwen/Qwen2.5-7B-Instruct

    Example: nl-tasks generate qa_toefl --source toeflqa.jsonl --len 64k
    """
    from nl_tasks.errors import Interrupted, RunError
    from nl_tasks.generate import generate_dataset
    from nl_tasks.knobs import make_tasks
    from nl_tasks.progress import GenerationProgress

    settings = list(settings or ())
    settings += [f"source={source}"] * (source is not None) + ["allow_repeat=true"] * allow_repeat
    chosen = make_tasks(tasks or STORY_TASKS, settings)
    with GenerationProgress(quiet=quiet) as progress:
        try:
            datasets = generate_dataset(
                chosen,
                lengths.split(","),
                n=n,
                seed=seed,
                tokenizer=tokenizers or ["tekken"],
                out=out,
                workers=workers,
                file_format=file_format,
                resume=resume,
                overwrite=overwrite,
                starting=progress.starting,
                made=progress.made,
            )
        except KeyboardInterrupt:
            raise Interrupted("interrupted; finished files are kept, --resume continues") from None
        except OSError as error:
            raise RunError(
                f"{error.filename or 'output'}: {error.strerror or error}; finished files are kept, --resume continues"
            ) from error
    for dataset in datasets if not quiet else ():
        before = dataset.rows - dataset.new_rows
        print(
            f"{dataset.folder}: {dataset.rows} rows in {len(dataset.configs)} configs ({', '.join(dataset.configs)}), "
            f"{dataset.bytes / 1e6:.1f} MB, {dataset.seconds:.1f} s"
            + (f"; {before} rows were there before" * bool(before))
        )
        print(f'load them with: load_dataset("{_loadable(dataset.folder)}", "{dataset.configs[0]}")')


def _loadable(folder: Path) -> str:
    """The folder as `load_dataset` takes it for a folder and not for a dataset on the Hub."""
    return folder.as_posix() if len(folder.parts) > 1 else f"./{folder.as_posix()}"
