"""Whether a dataset folder is what its manifest says, and its samples are sound.

    for check in verify_dataset("sparse-frontier/story"):
        print(check.name, check.checked, check.problems)

Rows are read one by one, so that a folder of any size can be checked.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nl_tasks.generators.task import Task, get_task, task_types
from nl_tasks.generators.tokenizers import load_tokenizer
from nl_tasks.manifest import Config, read_manifest, rows_hash
from nl_tasks.row_checks import DEEP, MEANINGS, REGENERATED, RowJob, check_row
from nl_tasks.row_format import FORMATS, read_rows
from nl_tasks.workers import Workers


@dataclass
class Check:
    """What one check found: how many files or rows it looked at, and a line for each problem.

    `note` says why a check looked at fewer than all, if it did.
    """

    name: str
    meaning: str
    checked: int = 0
    problems: list[str] = field(default_factory=list)
    note: str = ""


def verify_dataset(
    folder: str | os.PathLike[str], *, tokenizer: str | None = None, sample: int | None = None, workers: int = 1
) -> list[Check]:
    """Check a dataset folder: its files, its configs and each of its rows.

    Args:
        folder: The folder that holds `manifest.json`.
        tokenizer: Where the tokenizer is found now, if the manifest's name for it does not serve here.
        sample: Count tokens of, and regenerate, only so many rows of each config, evenly spread.
        workers: Processes.

    Raises:
        ValueError: The folder holds no dataset, or the tokenizer cannot be loaded or is another one.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    if sample is not None and sample < 1:
        raise ValueError(f"sample={sample} is out of range: at least 1 row")
    files = Check("files", "files have the size and SHA-256 of the manifest, and no others lie beside them")
    configs = Check("configs", "rows are those of the manifest's recipe, in order, with the config's hash")
    row_checks = {name: Check(name, meaning) for name, meaning in MEANINGS.items()}
    with Workers(workers) as team:
        for config in manifest.configs:
            readable = _check_files(folder, config, files)
            _require_tokenizer(config, tokenizer)
            configs.checked += 1
            if not readable:
                configs.problems.append(f"configs: {config.name} cannot be checked: not all its files can be read")
                continue
            task, why_not = _task(config)
            row_checks[REGENERATED].note = why_not or row_checks[REGENERATED].note
            hashes: list[str] = []
            chosen = _spread(config.recipe.n, sample)
            jobs = _jobs(folder, config, task, tokenizer, chosen, hashes)
            for index, found in enumerate(team.map(check_row, jobs)):
                for name, problem in found.items():
                    row_checks[name].checked += 1
                    if problem:
                        row_checks[name].problems.append(f"{name}: {config.name} row {index}: {problem}")
            if len(hashes) != config.recipe.n:
                configs.problems.append(f"configs: {config.name} has {len(hashes)} rows, not {config.recipe.n}")
            if rows_hash(hashes) != config.sha256:
                configs.problems.append(f"configs: {config.name}: the rows' hash is not the manifest's")
    if sample is not None:
        for name in DEEP:
            row_checks[name].note = row_checks[name].note or f"{sample} rows of each config"
    return [files, configs, *row_checks.values()]


def _check_files(folder: Path, config: Config, check: Check) -> bool:
    """Note what is wrong with a config's files; return whether their rows can be read."""
    readable = True
    for file in config.files:
        path = folder / file.path
        check.checked += 1
        if not path.is_file():
            check.problems.append(f"files: {file.path} is missing")
        elif path.stat().st_size != file.bytes:
            check.problems.append(f"files: {file.path} has {path.stat().st_size} bytes, not {file.bytes}")
        elif not file.same_hash(path):
            check.problems.append(f"files: {file.path} was changed: its SHA-256 is not the manifest's")
        try:
            for _ in read_rows(path, ["id"]):
                pass
        except (ValueError, OSError):
            readable = False
    expected = {folder / file.path for file in config.files}
    for place in sorted({path.parent for path in expected}):
        for path in sorted(place.glob("*")):
            if path.suffix.lstrip(".") in FORMATS and path not in expected and not path.name.startswith("."):
                check.problems.append(f"files: {path.relative_to(folder)} is not in the manifest")
    return readable


def _require_tokenizer(config: Config, tokenizer: str | None) -> None:
    recipe = config.recipe
    found = load_tokenizer(tokenizer or recipe.tokenizer)
    if found.fingerprint != recipe.fingerprint:
        raise ValueError(
            f"tokenizer {found.name!r} is not that of {config.name}: its fingerprint is {found.fingerprint[:12]}..., "
            f"the manifest's ({recipe.tokenizer}) is {recipe.fingerprint[:12]}..."
        )


def _task(config: Config) -> tuple[Task | None, str]:
    """The task of a config, or why it cannot be had here."""
    recipe = config.recipe
    known = task_types().get(recipe.task)
    if known is None:
        return None, f"{recipe.task} is not installed"
    if known.version != recipe.version:
        return None, f"{recipe.task} is version {recipe.version} there, {known.version} here"
    return get_task(recipe.task, **recipe.knobs), ""


def _spread(n: int, sample: int | None) -> set[int]:
    count = n if sample is None else min(sample, n)
    return {place * n // count for place in range(count)}


def _jobs(
    folder: Path, config: Config, task: Task | None, tokenizer: str | None, chosen: Iterable[int], hashes: list[str]
) -> Iterator[RowJob]:
    index = 0
    for file in config.files:
        for row in read_rows(folder / file.path):
            hashes.append(str(row["sha256"]))
            yield RowJob(config.recipe, index, row, tokenizer or config.recipe.tokenizer, index in chosen, task)
            index += 1
