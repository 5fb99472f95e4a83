"""`nl-tasks sweep`: a grid of evaluations, by any number of processes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nl_tasks.sweep_plan import SweepPlan


def sweep(
    grid: Annotated[Path, typer.Argument(help="A TOML file; `nl_tasks/sweep_grid.py` shows one.")],
    out: Annotated[Path, typer.Option(help="The folder of result files.")] = Path("results"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many cells there are and what they cost; run none.")
    ] = False,
    ray_address: Annotated[
        str | None,
        typer.Option(
            "--ray", metavar="ADDRESS", help="Work in tasks of a Ray cluster: auto, local or ray://host:10001."
        ),
    ] = None,
    num_gpus: Annotated[float, typer.Option(help="With --ray: GPUs of each task. Default: 1, or 0 on the CPU.")] = -1.0,
    num_cpus: Annotated[float, typer.Option(help="With --ray: CPU cores of each task.")] = 1.0,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:1. Default: a GPU if there is one.")] = "auto",
    model_arguments: Annotated[
        list[str] | None,
        typer.Option("--model-arg", metavar="NAME=VALUE", help="lm-eval's own, as parallelize=true."),
    ] = None,
    stale_after: Annotated[
        float, typer.Option(help="Seconds of silence after which a cell of another machine is taken over.")
    ] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the cells as JSON instead of a table.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Evaluate a grid of models x lengths x tasks x backends x sparsities, each cell once, whoever helps.

    Start the same command as often as you like, on this machine or on others that share the folder of results: each
    process takes cells that nobody else works on, and takes over those of a process that was killed. A cell is done
    when its result file is there; the same command goes on with what is left.

    Example: nl-tasks sweep grid.toml --out results --dry-run
    """
    import json

    from nl_tasks.cli_eval import _options
    from nl_tasks.errors import Interrupted, RunError
    from nl_tasks.eval_progress import quiet_libraries

    quiet_libraries()
    try:
        from nl_tasks.sweep_cells import run_sweep, sweep_jobs
        from nl_tasks.sweep_grid import read_grid
        from nl_tasks.sweep_plan import plan_sweep, plan_table
    except ImportError as error:
        raise ValueError(f"nl-tasks sweep needs {error.name}: pip install 'nl-tasks[eval]'") from None
    from nl_tasks.sweep_progress import SweepProgress

    plan = plan_sweep(read_grid(grid), out, device=device, model_options=_options(model_arguments or ()))
    if dry_run:
        if as_json:
            print(json.dumps([planned.as_json() for planned in plan.cells], indent=2))
        elif not quiet:
            from rich.console import Console

            Console(highlight=False).print(plan_table(plan.cells))
            for reason in plan.skipped:
                print(f"left out at {reason}")
        return
    jobs = sweep_jobs(plan, out)
    with SweepProgress(jobs, quiet=quiet) as progress:
        watching: dict[str, Any] = {"starting": progress.starting, "done": progress.done, "stale_after": stale_after}
        try:
            if ray_address is None:
                failures = run_sweep(plan, out, jobs=jobs, **watching)
            else:
                from nl_tasks.sweep_ray import run_on_ray

                on_cpu = all(session.device == "cpu" for session in plan.sessions.values())
                failures = run_on_ray(
                    plan,
                    out,
                    jobs,
                    ray_address,
                    num_gpus=num_gpus if num_gpus >= 0 else (0.0 if on_cpu else 1.0),
                    num_cpus=num_cpus,
                    device=device,
                    **watching,
                )
        except KeyboardInterrupt:
            raise Interrupted("interrupted; finished cells are kept, the same command goes on") from None
    _tell(plan, out, as_json=as_json, quiet=quiet)
    if failures:
        first = next(iter(failures.items()))
        raise RunError(f"{len(failures)} of {len(jobs)} cells failed, the first: {first[0]}: {first[1]}")


def _tell(plan: "SweepPlan", out: Path, *, as_json: bool, quiet: bool) -> None:
    """Print the results that are there, as `nl-tasks eval` does."""
    import json

    from nl_tasks.eval_table import print_results
    from nl_tasks.result import find_result

    found = [result for planned in plan.cells if (result := find_result(out, planned.cell)) is not None]
    if as_json:
        print(json.dumps([{**result.as_json(), "samples": None, "layers": None} for result in found], indent=2))
    elif not quiet:
        print_results(found)
        print(f"{len(found)} of {len(plan.cells)} cells have a result in {out}; next: nl-tasks report {out}")
