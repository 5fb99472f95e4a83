"""Do the cells of a sweep in this process, beside any number of others that do the same.

plan = plan_sweep(read_grid("grid.toml"), "results")
failures = run_sweep(plan, "results")
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from nl_tasks.claims import STALE_AFTER
from nl_tasks.eval_session import Session
from nl_tasks.result import write_result
from nl_tasks.sweep import Job, work
from nl_tasks.sweep_plan import PlannedCell, SweepPlan


class Sessions:
    """Sessions by model, of which one holds a loaded model at a time; `find` gives the same one for the same model."""

    def __init__(self, find: Callable[[str], Session]) -> None:
        self._find, self._current = find, ""

    def of(self, model: str) -> Session:
        """The session of `model`; another model lets go of its weights first."""
        if self._current not in ("", model):
            self._find(self._current).release()
        self._current = model
        return self._find(model)


def cell_job(planned: PlannedCell, session: Callable[[], Session], out: Path, *, batch: int = 1) -> Job:
    """The job that evaluates a cell with `session`, `batch` samples at a time, and writes its result below `out`."""
    cell = planned.cell
    samples = hashlib.sha256(repr(cell.question).encode()).hexdigest()[:12]  # made once by who stays with them

    def run() -> None:
        write_result(out, session().evaluate(cell, batch=batch))

    return Job(key=cell.key, path=out / cell.path, run=run, label=planned.label, cost=planned.work, group=samples)


def sweep_jobs(plan: SweepPlan, out: str | os.PathLike[str]) -> list[Job]:
    """A job for each cell of the plan, those done included."""
    sessions = Sessions(plan.sessions.__getitem__)
    return [
        cell_job(
            planned,
            lambda model=planned.model: sessions.of(model),  # type: ignore[misc]
            Path(out),
            batch=plan.batch,
        )
        for planned in plan.cells
    ]


def run_sweep(
    plan: SweepPlan,
    out: str | os.PathLike[str],
    *,
    jobs: list[Job] | None = None,
    starting: Callable[[Job], None] = lambda job: None,
    done: Callable[[Job], None] = lambda job: None,
    stale_after: float = STALE_AFTER,
) -> dict[str, str]:
    """Do the cells that nobody else does, wait for those of others, and return what failed, by label.

    `jobs` are those of `sweep_jobs`, if they were made already; the other arguments are those of `work`.
    """
    jobs = sweep_jobs(plan, out) if jobs is None else jobs
    return work(jobs, Path(out), starting=starting, done=done, stale_after=stale_after)
