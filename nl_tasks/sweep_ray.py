"""Do the cells of a sweep in Ray tasks, on whatever machines a Ray cluster has.

Each task works through the grid as `nl-tasks sweep` does, with GPUs of its own and each model loaded once; cells are
claimed as they are without Ray, so that no cell is done twice, and processes outside of Ray may help. A task whose
process dies is started again by Ray. Every machine must have this package and see the folder of results at the same
path.
"""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from nl_tasks.analysis.libraries import library
from nl_tasks.claims import STALE_AFTER
from nl_tasks.eval_session import Session
from nl_tasks.sweep import Job, work
from nl_tasks.sweep_cells import Sessions, cell_job
from nl_tasks.sweep_plan import PlannedCell, SweepPlan

RETRIES = 5  # times that a task is started again when its process dies


def run_on_ray(
    plan: SweepPlan,
    out: str | os.PathLike[str],
    jobs: list[Job],
    address: str,
    *,
    num_gpus: float = 1.0,
    num_cpus: float = 1.0,
    device: str = "auto",
    starting: Callable[[Job], None] = lambda job: None,
    done: Callable[[Job], None] = lambda job: None,
    stale_after: float = STALE_AFTER,
) -> dict[str, str]:
    """Do the cells of `plan` that have no result, and return what failed, by label.

    There are as many tasks as the cluster has room for, one at least, and no more than cells.

    Args:
        plan: Of the sweep.
        out: The folder of results, which all machines of the cluster see.
        jobs: Of `sweep_jobs`, by whose files progress is counted.
        address: Of the cluster, as `auto` or `ray://head:10001`; `local` starts one on this machine.
        num_gpus: GPUs of each task; a share lets several tasks have one GPU.
        num_cpus: CPU cores of each task.
        device: As for `nl-tasks eval`, on the machines of the cluster. The weights' dtype is that of the plan: let the
            grid name it where this machine has no GPU and the others have.
        starting: Called with the first job that is left.
        done: Called for each job that is found done.
        stale_after: Seconds without a sign of life after which a claim of another machine is taken over.

    Raises ValueError if Ray is not installed, ConnectionError if there is no cluster at `address`.
    """
    ray = library("ray", "ray")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not ray.is_initialized():
        check_address(address)
        ray.init(address=address, include_dashboard=None if address != "local" else False, log_to_driver=False)
    left = [job for job in jobs if not job.done]
    for job in jobs:
        if job.done:
            done(job)
    if not left:
        return {}
    starting(left[0])
    tasks = min(room(ray.cluster_resources(), num_gpus=num_gpus, num_cpus=num_cpus), len(left))
    worker = ray.remote(num_gpus=num_gpus, num_cpus=num_cpus, max_retries=RETRIES)(_work)
    options = dict(plan.model_options)
    running = [
        worker.remote(plan.cells, str(Path(out).resolve()), device, options, plan.batch, stale_after)
        for _ in range(tasks)
    ]
    failures: dict[str, str] = {}
    while running:
        ended, running = ray.wait(running, num_returns=1, timeout=1.0)
        for task in ended:
            try:
                failures |= ray.get(task)
            except ray.exceptions.RayTaskError as error:
                failures["a worker"] = f"{type(error.cause).__name__}: {error.cause}"
            except ray.exceptions.RayError as error:  # its process died too often
                failures["a worker"] = f"{type(error).__name__}: {error}".splitlines()[0]
        for job in [job for job in left if job.done]:
            left.remove(job)
            done(job)
    return failures if left else {}


def room(resources: Mapping[str, float], *, num_gpus: float, num_cpus: float) -> int:
    """How many tasks a cluster with `resources` can run at once; one at least, for a cluster that grows."""
    needed = {"GPU": num_gpus, "CPU": num_cpus}
    found = [int(resources.get(name, 0) / share + 1e-9) for name, share in needed.items() if share > 0]
    return max(1, min(found, default=1))


def check_address(address: str, timeout: float = 10.0) -> None:
    """Raise ConnectionError if nothing listens at `host:port` or `ray://host:port`; Ray takes minutes to notice."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout).close()
        except OSError as error:
            raise ConnectionError(f"no Ray cluster at {address}: {error}") from None


def _work(
    cells: Sequence[PlannedCell], out: str, device: str, options: Mapping[str, Any], batch: int, stale_after: float
) -> dict[str, str]:
    """Work through the cells in a process of Ray."""
    from nl_tasks.eval_progress import quiet_libraries

    quiet_libraries()
    dtypes = {planned.model: planned.cell.dtype for planned in cells}
    sessions = Sessions(cache(lambda model: Session(model, dtype=dtypes[model], device=device, **options)))
    jobs = [
        cell_job(planned, lambda model=planned.model: sessions.of(model), Path(out), batch=batch)  # type: ignore[misc]
        for planned in cells
    ]
    return work(jobs, Path(out), stale_after=stale_after)
