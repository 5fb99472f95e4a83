"""Work done by several processes, results in the order of the jobs.

    with Workers(4) as workers:
        for row in workers.map(make_row, jobs):
            ...

Each worker is a fresh interpreter ("spawn") at the other end of a pipe of its own. Forking would start faster, but
copies a process whose threads (progress bar, Arrow) may hold locks, which is unsafe on Linux and worse on macOS. And
where the pools of the standard library share one queue, its writing end lives on in every worker: kill the parent and
they wait forever. Here the pipe closes with the parent, and the worker leaves.
"""

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Self, TypeVar

from nl_tasks.errors import RunError

Job = TypeVar("Job")
Result = TypeVar("Result")

_QUEUED = 2  # jobs at a worker: one in work, one waiting, so that none idles while its result travels


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers:
    """A team of `count` processes; with a count of 1 all work is done in this process.

    Functions and jobs travel by pickle: functions, and the classes of jobs, must live in importable modules.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"workers={count} is out of range: at least 1")
        self.count = count
        self._team: list[tuple[BaseProcess, Connection]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for process, connection in self._team:
            connection.close()
            if kind is not None:
                process.terminate()
        for process, _connection in self._team:
            process.join()
        self._team.clear()

    def map(self, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """Yield `function(job)` for each job, in order; an exception of a worker is raised here.

        At most `2 * count` jobs are underway or wait, done, for their turn, so memory stays bounded.
        Raises RunError if a worker dies.
        """
        if self.count == 1:
            yield from map(function, jobs)
        else:
            self._start()
            yield from self._ordered(function, iter(jobs))

    def _start(self) -> None:
        if self._team:
            return
        context = multiprocessing.get_context("spawn")
        with _interrupts_ignored():  # inherited: Ctrl-C is the parent's to handle
            for _ in range(self.count):
                ours, theirs = context.Pipe()
                process = context.Process(target=_serve, args=(theirs,), daemon=True)
                process.start()
                theirs.close()
                self._team.append((process, ours))

    def _ordered(self, function: Callable[[Any], Any], jobs: Iterator[Any]) -> Iterator[Any]:
        queues: dict[Any, deque[int]] = {connection: deque() for _, connection in self._team}
        done: dict[int, Any] = {}
        numbered = enumerate(jobs)
        sent = turn = 0
        ready: Any
        while True:
            while sent - turn < _QUEUED * self.count:
                free = min(queues, key=lambda connection: len(queues[connection]))
                if len(queues[free]) == _QUEUED or (job := next(numbered, None)) is None:
                    break
                self._send(free, (function, job[1]))
                queues[free].append(sent)
                sent += 1
            if turn in done:
                result, error = done.pop(turn)
                if error is not None:
                    raise error
                turn += 1
                yield result
            elif busy := [connection for connection, queue in queues.items() if queue]:
                for ready in wait(busy):
                    done[queues[ready].popleft()] = self._receive(ready)
            else:
                return

    def _send(self, connection: Connection, message: object) -> None:
        try:
            connection.send(message)
        except OSError:
            self._died(connection)

    def _receive(self, connection: Connection) -> Any:
        try:
            return connection.recv()
        except (EOFError, OSError):
            self._died(connection)

    def _died(self, connection: Connection) -> None:
        process = next(process for process, end in self._team if end is connection)
        process.join(1)
        raise RunError(
            f"a worker process died (exit code {process.exitcode}), perhaps for want of memory: try fewer --workers"
        )


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _serve(connection: Connection) -> None:
    while True:
        answer: tuple[Any, Exception | None]
        try:
            function, job = connection.recv()
            answer = function(job), None
        except EOFError:
            return
        except Exception as error:
            answer = None, _portable(error)
        try:
            connection.send(answer)
        except OSError:  # the parent is gone
            return


def _portable(error: Exception) -> Exception:
    """The exception, or one of the same text if it does not survive pickling."""
    error.add_note(traceback.format_exc())
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RunError(f"{type(error).__name__}: {error}")
    return error
