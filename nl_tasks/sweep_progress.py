"""Progress of a sweep on stderr, cells of all workers counted: a bar, or a line a cell where none is watched."""

import sys
import time
from collections.abc import Sequence
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from nl_tasks.sweep import Job


class SweepProgress:
    """Watches jobs by their files; `quiet` shows nothing.

    Time left is that of the work left, at the pace since the start of all workers together.
    """

    def __init__(self, jobs: Sequence[Job], *, quiet: bool = False) -> None:
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[cells]} cells"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[eta]}"),
        )
        self._jobs, self._quiet = jobs, quiet
        self._lines = not quiet and not console.is_terminal
        self._bar = Progress(*columns, console=console, transient=True, disable=quiet or self._lines)
        self._line = self._bar.add_task("", total=sum(job.cost for job in jobs), cells="", eta="")
        self._earlier = {job.key for job in jobs if job.done}
        self._began, self._before = time.monotonic(), self._done_work()

    def __enter__(self) -> Self:
        self._bar.start()
        self._show("looking at the model")
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def starting(self, job: Job) -> None:
        """Say what this process does now."""
        self._show(job.label)

    def done(self, job: Job) -> None:
        """Count what is done by now, by whomever; `job` was found done."""
        self._show(job.label)
        if self._lines and job.key not in self._earlier:
            print(f"{self.cells} cells done, {self.eta}: {job.label}", file=sys.stderr, flush=True)

    @property
    def cells(self) -> str:
        """How many cells are done, of how many."""
        return f"{sum(job.done for job in self._jobs)}/{len(self._jobs)}"

    @property
    def eta(self) -> str:
        """The time left."""
        total, done = sum(job.cost for job in self._jobs), self._done_work()
        if done >= total:
            return "nothing left"
        pace = (done - self._before) / max(time.monotonic() - self._began, 1e-9)
        return f"{duration((total - done) / pace)} left" if pace > 0 else "time left unknown"

    def _show(self, label: str) -> None:
        if not self._bar.disable:
            self._bar.update(self._line, completed=self._done_work(), description=label, cells=self.cells, eta=self.eta)

    def _done_work(self) -> float:
        return sum(job.cost for job in self._jobs if job.done)


def duration(seconds: float) -> str:
    """Two units at most: `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{round(seconds)} s"
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
