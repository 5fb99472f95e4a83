"""Writing one dataset folder, file by file, from rows that come in their order."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from nl_tasks.folder import DatasetFolder
from nl_tasks.manifest import Config, DataFile, Manifest, rows_hash
from nl_tasks.plan import rows_per_group
from nl_tasks.row_format import read_rows, write_rows


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a run left in one dataset folder; `new_rows` leaves out those that were there before."""

    folder: Path
    dataset: str
    configs: tuple[str, ...]
    rows: int
    new_rows: int
    bytes: int
    seconds: float


class Todo(NamedTuple):
    """A file that is still to be written."""

    config: Config
    file: DataFile

    @property
    def rows(self) -> range:
        """The indices of its samples."""
        return range(self.file.start, self.file.stop)


def unwritten(wanted: Manifest) -> list[Todo]:
    """The files of `wanted` that have no hash yet, in the order in which to write them."""
    return [Todo(config, file) for config in wanted.configs for file in config.files if not file.sha256]


def write_folder(
    folder: DatasetFolder,
    todo: Sequence[Todo],
    rows: Iterator[dict[str, Any]],
    made: Callable[[str, int], None],
    began: float,
) -> Written:
    """Write the files of one folder from `rows`, which yields the rows of one file after another; finish the folder.

    `began` is when the run did (`time.monotonic()`), `made` is told config and tokens of each row that is written.
    """
    if not folder.complete:
        folder.begin()
        for config, file in todo:
            recipe = config.recipe
            written = write_rows(
                folder.folder / file.path,
                _counted(islice(rows, file.stop - file.start), recipe.config, recipe.length, made),
                file_format=folder.wanted.file_format,
                group=rows_per_group(recipe.length),
            )
            folder.wrote(recipe.config, file, size=written.size, sha256=written.sha256)
        for config in folder.wanted.configs:
            folder.finished(config.name, rows_hash(_row_hashes(folder.folder, config)))
        folder.end()
    return Written(
        folder=folder.folder,
        dataset=folder.wanted.dataset,
        configs=tuple(config.name for config in folder.wanted.configs),
        rows=sum(config.recipe.n for config in folder.wanted.configs),
        new_rows=sum(len(item.rows) for item in todo),
        bytes=sum(file.bytes for config in folder.wanted.configs for file in config.files),
        seconds=time.monotonic() - began,
    )


def _counted(
    rows: Iterator[dict[str, Any]], config: str, tokens: int, made: Callable[[str, int], None]
) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield row
        made(config, tokens)


def _row_hashes(folder: Path, config: Config) -> Iterator[str]:
    for file in config.files:
        for row in read_rows(folder / file.path, ["sha256"]):
            yield row["sha256"]
