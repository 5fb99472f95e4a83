"""Files that appear whole or not at all."""

import contextlib
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SUFFIX = ".nl-tasks.tmp"


class AtomicFile(io.RawIOBase):
    """A binary file to write, hashed on the way; it takes its name when the `with` block ends without an exception.

    Until then its bytes are in a hidden file in the same folder, which an exception removes.

    Attributes:
        size: Bytes written so far.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.size = 0
        self._digest = hashlib.sha256()
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}{_SUFFIX}")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self._temporary, "wb")  # noqa: SIM115 - closed in __exit__

    def writable(self) -> bool:
        """Say that this file is for writing."""
        return True

    def write(self, data: Any) -> int:
        """Append `data`. Raises OSError naming the file, as on a full disk."""
        with memoryview(data) as view:
            try:
                self._file.write(view)
            except OSError as error:
                raise self._named(error) from error
            self._digest.update(view)
            self.size += view.nbytes
            return view.nbytes

    def tell(self) -> int:
        """Bytes written so far."""
        return self.size

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the bytes written so far."""
        return self._digest.hexdigest()

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
                os.replace(self._temporary, self.path)
                _sync_folder(self.path.parent)
        except OSError as error:
            raise self._named(error) from error
        finally:
            self._abandon()
            self.close()

    def _abandon(self) -> None:
        with contextlib.suppress(OSError):  # a full disk refuses the buffered rest again; the file is to go anyway
            self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _named(self, error: OSError) -> OSError:
        return OSError(error.errno, error.strerror, str(self.path))


def write_atomic(path: Path, text: str) -> None:
    """Write a whole text file, or nothing."""
    with AtomicFile(path) as file:
        file.write(text.encode())


def leftovers(folder: Path) -> Iterator[Path]:
    """Hidden files that killed runs left in `folder` and its direct subfolders."""
    for pattern in (f".*{_SUFFIX}", f"*/.*{_SUFFIX}"):
        yield from folder.glob(pattern)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere folders cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
