"""From options to the folders, configs and files they stand for."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nl_tasks.generators.lengths import format_length
from nl_tasks.generators.task import Task
from nl_tasks.generators.tokenizers import Tokenizer
from nl_tasks.manifest import Config, DataFile, Manifest, Recipe

SHARD_BYTES = 256 * 1024**2
GROUP_BYTES = 8 * 1024**2
_GROUP_ROWS = 1000
_BYTES_PER_TOKEN = 5  # of English, rounded up: shards and row groups are cut before their text exists


def plan_datasets(
    tasks: Sequence[Task],
    lengths: Sequence[int],
    *,
    n: int,
    seed: int,
    tokenizers: Mapping[str, Tokenizer],
    file_format: str,
    out: str | os.PathLike[str] | None,
) -> dict[Path, Manifest]:
    """The folders to write and, for each, a manifest whose files have no hashes yet.

    A single dataset goes to `out` itself, several go below it by name. `tokenizers` go by the suffix of their configs.
    Raises ValueError if two tasks would write the same config.
    """
    datasets = dict.fromkeys(task.dataset for task in tasks)
    plan = {}
    for dataset in datasets:
        configs = [
            plan_config(task, length, suffix, n=n, seed=seed, tokenizer=tokenizer, file_format=file_format)
            for suffix, tokenizer in tokenizers.items()
            for task in tasks
            for length in lengths
            if task.dataset == dataset
        ]
        _require_different_names(configs)
        folder = Path(out) if out is not None and len(datasets) == 1 else Path(out or ".") / dataset
        plan[folder] = Manifest(dataset=dataset, file_format=file_format, configs=tuple(configs))
    return plan


def plan_config(
    task: Task, length: int, suffix: str = "", *, n: int, seed: int, tokenizer: Tokenizer, file_format: str
) -> Config:
    """The config of one task at one length, cut into files of about 256 MB of text."""
    recipe = Recipe(
        config=f"{task.config}_{format_length(length)}{suffix}",
        task=task.name,
        version=task.version,
        params=task.params,
        seed=seed,
        n=n,
        length=length,
        tokenizer=tokenizer.name,
        fingerprint=tokenizer.fingerprint,
    )
    shards = math.ceil(n / max(1, SHARD_BYTES // (length * _BYTES_PER_TOKEN)))
    files = (
        DataFile(
            path=f"{recipe.config}/test-{shard:05d}-of-{shards:05d}.{file_format}",
            start=shard * n // shards,
            stop=(shard + 1) * n // shards,
        )
        for shard in range(shards)
    )
    return Config(recipe=recipe, files=tuple(files))


def rows_per_group(length: int) -> int:
    """Rows of `length` tokens in one row group: about 8 MB of text."""
    return min(_GROUP_ROWS, max(1, GROUP_BYTES // (length * _BYTES_PER_TOKEN)))


def _require_different_names(configs: Iterable[Config]) -> None:
    tasks: dict[str, str] = {}
    for config in configs:
        if config.name in tasks:
            raise ValueError(f"{tasks[config.name]} and {config.recipe.task} would both write the config {config.name}")
        tasks[config.name] = config.recipe.task
