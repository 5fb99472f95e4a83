"""What is made once and kept: where it is, and folders that appear whole or not at all."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_root() -> Path:
    """`$NL_TASKS_CACHE`, or `~/.cache/nl-tasks`."""
    return Path(os.environ.get("NL_TASKS_CACHE") or Path.home() / ".cache" / "nl-tasks")


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder to fill, which takes the name `folder` when the block ends without an exception; else it goes.

    If another process has made `folder` meanwhile, that one stays: what is made is the same.
    """
    scratch = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    scratch.mkdir(parents=True)
    try:
        yield scratch
        try:
            scratch.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
