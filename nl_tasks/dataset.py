"""Reading what `generate_dataset` wrote.

    for sample in read_dataset("sparse-frontier/story", config="multihop_128k"):
        print(sample.question, sample.answers)

Rows are read one by one, as they are asked for.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nl_tasks.generators.sample import Sample
from nl_tasks.manifest import read_manifest
from nl_tasks.row_format import FORMATS, read_rows


def read_dataset(path: str | os.PathLike[str], config: str | None = None) -> Iterator[Sample]:
    """The samples of a dataset folder (one config, or all) or of a single data file, in order.

    Raises ValueError if `path` is neither, or has no such config; OSError if it cannot be read.
    """
    for _, file in data_files(path, config):
        for row in read_rows(file):
            yield Sample.from_row(row)


def read_columns(path: str | os.PathLike[str], columns: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Config name and some columns of each row; without `prompt` this is fast. Raises what `read_dataset` does."""
    for config, file in data_files(path):
        for row in read_rows(file, columns):
            yield config, row


def data_files(path: str | os.PathLike[str], config: str | None = None) -> list[tuple[str, Path]]:
    """Config name and path of each data file; a single file goes by its folder's name."""
    path = Path(path)
    if path.is_file():
        if path.suffix.lstrip(".") not in FORMATS:
            raise ValueError(f"{path} is no data file: its name ends neither in .parquet nor in .jsonl")
        if config is not None:
            raise ValueError(f"{path} is a single file, it has no config {config!r}")
        return [(path.absolute().parent.name, path)]
    if not path.is_dir():
        raise ValueError(f"{path}: there is no such file or folder")
    manifest = read_manifest(path)
    if config is not None and manifest.config(config) is None:
        raise ValueError(f"{path} has no config {config!r}: it has {', '.join(each.name for each in manifest.configs)}")
    return [
        (each.name, path / file.path) for each in manifest.configs if config in (None, each.name) for file in each.files
    ]
