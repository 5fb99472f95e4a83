"""Evaluate models with sparse attention: models x backends x tasks x lengths, a result file for each cell.

    results = evaluate(["smollm2"], ["dense", "quest:sparsity=0.5"], ["story_retrieval"], ["2k"], n=20, out="results")

A cell whose file is there already is read, not run again; a run that was stopped goes on where it was.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from nl_tasks.eval_session import MAX_NEW_TOKENS, Session
from nl_tasks.generators.lengths import parse_length
from nl_tasks.generators.task import Task, get_task
from nl_tasks.lm_eval_data import DEFAULT_SEED
from nl_tasks.result import Result, find_result, write_result
from nl_tasks.result_cell import Cell


@dataclass(frozen=True)
class Step:
    """One cell of a run, and its result if there was one before."""

    session: Session
    cell: Cell
    before: Result | None


def evaluate(
    models: Sequence[str],
    backends: Sequence[str],
    tasks: Sequence[str | Task],
    lengths: Sequence[str | int],
    *,
    n: int,
    out: str | os.PathLike[str],
    seed: int = DEFAULT_SEED,
    max_new_tokens: int = MAX_NEW_TOKENS,
    dense_layers: Iterable[int] = (),
    dtype: str = "auto",
    device: str = "auto",
    model_options: dict[str, Any] | None = None,
    batch: int = 1,
    overwrite: bool = False,
    starting: Callable[[list[Step]], None] = lambda steps: None,
    answered: Callable[[Cell], None] = lambda cell: None,
) -> list[Result]:
    """Evaluate every combination and return the results, those found in `out` included, in the order of the grid.

    Each model is loaded once, and only if a cell of it is missing. `batch` samples are answered at a time; halves are
    tried where a GPU has not the memory. `starting` is given all steps, `answered` is called
    after every sample. Raises ValueError, before a model is loaded, for any cell that cannot be evaluated, and OSError
    if a result cannot be written.
    """
    for name, value in (("n", n), ("batch", batch), ("max_new_tokens", max_new_tokens)):
        if value < 1:
            raise ValueError(f"{name}={value} is out of range: 1 or more")
    chosen = [task if isinstance(task, Task) else get_task(task) for task in tasks]
    sizes = [parse_length(length) for length in lengths]
    steps = []
    for model in models:
        session = Session(model, dtype=dtype, device=device, **(model_options or {}))
        for task in chosen:
            for length in sizes:
                for backend in backends:
                    cell = session.cell(
                        backend,
                        task,
                        length,
                        n=n,
                        seed=seed,
                        max_new_tokens=max_new_tokens,
                        dense_layers=dense_layers,
                    )
                    steps.append(Step(session, cell, None if overwrite else find_result(out, cell)))
    starting(steps)
    results: list[Result] = []
    while steps:
        step = steps.pop(0)  # let go of a model when its last cell is done
        results.append(step.before or _run(step, out, batch, answered))
    return results


def _run(step: Step, out: str | os.PathLike[str], batch: int, answered: Callable[[Cell], None]) -> Result:
    result = step.session.evaluate(step.cell, lambda: answered(step.cell), batch=batch)
    write_result(out, result)
    return result
