"""Datasets from tasks: many samples, by several processes, into folders that `load_dataset` opens.

    from nl_tasks import generate_dataset

    [written] = generate_dataset(["story_multihop"], ["8k"], n=4, out="stories")
    written.folder, written.rows

Files are written one after another, row group by row group, while the workers make the rows that come next.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence

from nl_tasks.folder import inspect_folder
from nl_tasks.generators.lengths import parse_length
from nl_tasks.generators.task import Task, get_task
from nl_tasks.plan import plan_datasets
from nl_tasks.room import require_room
from nl_tasks.row_format import FORMATS
from nl_tasks.sample_jobs import SampleJob, make_row
from nl_tasks.suffixes import suffixed_tokenizers
from nl_tasks.workers import Workers, usable_cores
from nl_tasks.write_folder import Todo, Written, unwritten, write_folder

WORKER_TOKENS = 4 * 1024**2
"""Tokens a worker must have to make, or starting it (about a second) would not pay."""


def generate_dataset(
    tasks: Sequence[str | Task],
    lengths: Sequence[str | int],
    *,
    n: int = 10,
    seed: int = 43,
    tokenizer: str | Sequence[str] = "tekken",
    out: str | os.PathLike[str] | None = None,
    workers: int | None = 1,
    file_format: str = "parquet",
    resume: bool = False,
    overwrite: bool = False,
    starting: Callable[[int, int], None] = lambda samples, tokens: None,
    made: Callable[[str, int], None] = lambda config, tokens: None,
) -> list[Written]:
    """Write `n` samples of each task at each length, into one folder for each dataset that the tasks belong to.

    Args:
        tasks: Names, or tasks with their knobs set.
        lengths: Tokens of each prompt, as numbers or `128k`.
        n: Samples for each task and length.
        seed: Any number from 0; different seeds share no sample.
        tokenizer: As `load_tokenizer` takes it, or as `LABEL=NAME`. With several, each has configs of its own, named
            `multihop_128k_LABEL` (the label is short for the name, if not given); those of tekken go without.
        out: The folder (several datasets: their parent). By default the dataset's name, below the current folder.
        workers: Processes; None takes the usable cores as far as there is work for them. The bytes do not depend on
            it. With more than one, a script that calls this needs the guard `if __name__ == "__main__":`, and tasks
            of its own must live in an importable module.
        file_format: `parquet` or `jsonl`.
        resume: Continue a run that was killed; files that are whole and unchanged are kept.
        overwrite: Replace what is in the way.
        starting: Called once, with the numbers of samples and of tokens that are to be made.
        made: Called after each sample, with its config and its tokens.

    Raises:
        ValueError: Before anything is written: a bad option, a length too short for a task (the smallest that works
            is named), or a folder with other contents.
        OSError: The disk is full or read-only. Files written before stay whole; `resume` continues.
        RunError: A task or a worker failed.
    """
    began = time.monotonic()
    chosen: dict[str, Task] = {}
    for task in tasks:
        task = get_task(task) if isinstance(task, str) else task
        if chosen.setdefault(task.name, task) is not task:
            raise ValueError(f"task {task.name!r} is named twice")
    tokens = list(dict.fromkeys(parse_length(length) for length in lengths))
    _require_options(tasks, tokens, n, seed, file_format, resume, overwrite)
    plan = plan_datasets(
        list(chosen.values()),
        tokens,
        n=n,
        seed=seed,
        tokenizers=suffixed_tokenizers([tokenizer] if isinstance(tokenizer, str) else tokenizer),
        file_format=file_format,
        out=out,
    )
    folders = [inspect_folder(folder, wanted, resume=resume, overwrite=overwrite) for folder, wanted in plan.items()]
    todo = {folder.folder: unwritten(folder.wanted) for folder in folders}
    every = [item for items in todo.values() for item in items]
    samples = sum(len(item.rows) for item in every)
    total = sum(len(item.rows) * item.config.recipe.length for item in every)
    if workers is None:
        workers = min(usable_cores(), 1 + total // WORKER_TOKENS)
    with Workers(min(workers, max(1, samples))) as team:
        require_room(chosen, [item.config.recipe for item in every], team)
        starting(samples, total)
        rows = team.map(make_row, _jobs(chosen, every))
        return [write_folder(folder, todo[folder.folder], rows, made, began) for folder in folders]


def _require_options(
    tasks: Sequence[str | Task],
    lengths: Sequence[int],
    n: int,
    seed: int,
    file_format: str,
    resume: bool,
    overwrite: bool,
) -> None:
    if not tasks or not lengths:
        raise ValueError("at least one task and one length are needed")
    if n < 1:
        raise ValueError(f"n={n} is out of range: at least 1 sample")
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed={seed} is out of range: 0 to 2**63 - 1")
    if file_format not in FORMATS:
        raise ValueError(f"format {file_format!r} is unknown: one of {', '.join(FORMATS)}")
    if resume and overwrite:
        raise ValueError("--resume keeps what is there, --overwrite replaces it: choose one of them")


def _jobs(tasks: dict[str, Task], todo: Sequence[Todo]) -> Iterator[SampleJob]:
    for item in todo:
        recipe = item.config.recipe
        for index in item.rows:
            yield SampleJob(tasks[recipe.task], recipe.seed, index, recipe.length, recipe.tokenizer)
