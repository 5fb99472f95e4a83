"""Do the cells of a sweep as Ray tasks, on whatever machines a Ray cluster has.

Every machine must have this package and see the folder of results at the same path. A cell is claimed there as it is
without Ray, so that a task that Ray starts again does nothing twice, and processes outside of Ray may help.
"""

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from nl_tasks.analysis.libraries import library
from nl_tasks.claims import STALE_AFTER
from nl_tasks.eval_session import Session
from nl_tasks.result_cell import Cell
from nl_tasks.sweep import Job, attempt, tidy
from nl_tasks.sweep_cells import cell_job
from nl_tasks.sweep_plan import SweepPlan

RETRIES = 5  # times that a cell is started again when its worker dies


def run_on_ray(
    plan: SweepPlan,
    out: str | os.PathLike[str],
    jobs: list[Job],
    address: str,
    *,
    num_gpus: float = 1.0,
    num_cpus: float = 1.0,
    device: str = "auto",
    model_options: Mapping[str, Any] | None = None,
    starting: Callable[[Job], None] = lambda job: None,
    done: Callable[[Job], None] = lambda job: None,
    stale_after: float = STALE_AFTER,
) -> dict[str, str]:
    """Do the cells of `plan` that have no result, each as a Ray task, and return what failed, by label.

    Args:
        plan: Of the sweep.
        out: The folder of results, which all machines of the cluster see.
        jobs: Of `sweep_jobs`, by whose files progress is counted.
        address: Of the cluster, as `auto` or `ray://head:10001`; `local` starts one on this machine.
        num_gpus: GPUs of each task; a share lets several tasks have one GPU.
        num_cpus: CPU cores of each task.
        device: As for `nl-tasks eval`, on the machines of the cluster. The weights' dtype is that of the plan: let the
            grid name it where this machine has no GPU and the others have.
        model_options: lm-eval's model arguments.
        starting: Called when a job is handed to Ray.
        done: Called for each job that is found done.
        stale_after: Seconds without a sign of life after which a claim of another machine is taken over.

    Raises ValueError if Ray is not installed, ConnectionError if there is no cluster at `address`.
    """
    ray = library("ray", "ray")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not ray.is_initialized():
        ray.init(address=address, include_dashboard=None if address != "local" else False, log_to_driver=False)
    evaluate = ray.remote(num_gpus=num_gpus, num_cpus=num_cpus, max_retries=RETRIES)(_evaluate)
    place = str(Path(out).resolve())
    options = tuple(sorted((model_options or {}).items()))
    asked = {}
    failures: dict[str, str] = {}
    for planned, job in zip(plan.cells, jobs, strict=True):
        if job.done:
            done(job)
            continue
        starting(job)
        asked[evaluate.remote(planned.model, planned.cell, place, device, options, stale_after)] = job
    while asked:
        (finished,), _ = ray.wait(list(asked), num_returns=1)
        job = asked.pop(finished)
        try:
            ray.get(finished)
            done(job)
        except ray.exceptions.RayTaskError as error:
            failures[job.label] = f"{type(error.cause).__name__}: {error.cause}"
        except ray.exceptions.RayError as error:  # its worker died too often
            failures[job.label] = f"{type(error).__name__}: {error}".splitlines()[0]
    tidy(jobs, Path(out), stale_after=stale_after)
    return failures


def _evaluate(
    model: str,
    cell: Cell,
    out: str,
    device: str,
    options: tuple[tuple[str, Any], ...],
    stale_after: float,
) -> None:
    """Evaluate one cell in a worker of Ray, unless it is done."""
    from nl_tasks.eval_progress import quiet_libraries

    quiet_libraries()
    job = cell_job(cell, lambda: _session(model, cell.dtype, device, options), Path(out))
    attempt(job, Path(out), stale_after=stale_after)


@lru_cache(maxsize=1)  # workers live on, and most cells need the model of the cell before
def _session(model: str, dtype: str, device: str, options: tuple[tuple[str, Any], ...]) -> Session:
    return Session(model, dtype=dtype, device=device, **dict(options))
