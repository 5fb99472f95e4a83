"""Who works on what, as files: any number of processes, on any number of machines, that share a folder.

    claim = Claims(folder).take("cell")   # None: somebody else has it
    with claim:
        ...

A claim is a file that only one process can create. Its owner touches it while it lives; a claim whose owner has died
is taken over by creating its next generation, which again only one process can do. Nothing is ever moved or locked,
so a shared filesystem that creates files exclusively (NFS from version 3 on) is enough.
"""

import contextlib
import json
import os
import re
import socket
import threading
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Self

STALE_AFTER = 60.0


@dataclass(frozen=True)
class Claims:
    """The claims in a folder.

    Attributes:
        folder: Where they are; made when needed.
        stale_after: Seconds without a sign of life after which an owner elsewhere counts as dead. One that died on
            this machine is noticed at once.
    """

    folder: Path
    stale_after: float = STALE_AFTER

    def take(self, key: str) -> "Claim | None":
        """Claim `key` (letters, digits, `-`, `_`); None if a living process has it. ValueError for other keys."""
        if not re.fullmatch(r"[\w-]+", key):
            raise ValueError(f"key={key!r} is out of range: letters, digits, - and _")
        self.folder.mkdir(parents=True, exist_ok=True)
        held = self._generations(key)
        if held and self._lives(held[-1]):
            return None
        generation = int(held[-1].suffix[1:]) + 1 if held else 0
        path = self.folder / f"{key}.{generation}"
        try:
            with open(path, "x") as file:
                json.dump({"place": _place(), "pid": os.getpid()}, file)
        except FileExistsError:  # somebody was faster
            return None
        return Claim(path, tuple(held), self.stale_after / 6)

    def _generations(self, key: str) -> list[Path]:
        found = [path for path in self.folder.glob(f"{key}.*") if path.suffix[1:].isdigit()]
        return sorted(found, key=lambda path: int(path.suffix[1:]))

    def _lives(self, path: Path) -> bool:
        try:
            touched = path.stat().st_mtime
            owner = json.loads(path.read_text() or "{}")
        except FileNotFoundError:
            return True  # given back a moment ago: look again later
        except json.JSONDecodeError:
            owner = {}  # its owner is about to write it
        if owner.get("place") == _place() and not _runs(owner["pid"]):
            return False
        return self.now() - touched < self.stale_after

    def now(self) -> float:
        """The time by the clock that stamps the claims, which need not be this machine's."""
        self.folder.mkdir(parents=True, exist_ok=True)
        clock = self.folder / f".clock-{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}"
        clock.touch()
        try:
            return clock.stat().st_mtime
        finally:
            clock.unlink(missing_ok=True)


@dataclass
class Claim:
    """A claim that is held: kept alive inside a `with` block, given back at its end."""

    path: Path
    earlier: tuple[Path, ...] = ()
    beat: float = 10.0
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        threading.Thread(target=self._keep_alive, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for path in (*self.earlier, self.path):
            path.unlink(missing_ok=True)

    def _keep_alive(self) -> None:
        while not self._ended.wait(self.beat):
            with contextlib.suppress(OSError):  # a filesystem away for a moment; the next beat may reach it
                os.utime(self.path)


@cache
def _place() -> str:
    """Where process numbers mean the same: this boot of this machine, and this container in it."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {os.readlink('/proc/self/ns/pid')}"
    return f"{socket.gethostname()} {os.getpid()}"  # nothing is known about other processes


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError):  # killed, but not yet waited for by its parent
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    return True
