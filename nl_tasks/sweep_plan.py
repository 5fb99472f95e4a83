"""From a grid to cells: which there are, which are done, and what the others cost."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from nl_tasks.analysis.cost_model import prefill_flops
from nl_tasks.analysis.model_shapes import ModelShape, shape_of
from nl_tasks.eval_session import Session
from nl_tasks.generators.lengths import format_length
from nl_tasks.result import find_result
from nl_tasks.result_cell import Cell
from nl_tasks.sparse_backends import parse_backend
from nl_tasks.sweep_grid import Grid


@dataclass(frozen=True)
class PlannedCell:
    """One cell of a grid.

    Attributes:
        model: As the grid names it, so that any process can find it.
        cell: What is to be evaluated.
        done: Whether its result was there when the plan was made.
        flops: What it computes at most, by the corrected cost model; None for a model that it does not know.
    """

    model: str
    cell: Cell
    done: bool
    flops: float | None

    @property
    def label(self) -> str:
        """For people."""
        cell = self.cell
        return f"{cell.model} {cell.backend} {cell.task} {format_length(cell.length)}"

    @property
    def work(self) -> float:
        """Its share of the sweep: FLOPs, or tokens where these are unknown."""
        return self.flops or float(self.cell.n * self.cell.length)

    def as_json(self) -> dict[str, Any]:
        """Plain data, the path of its result included."""
        return {"path": self.cell.path, "done": self.done, "flops": self.flops, "cell": self.cell.as_json()}


@dataclass(frozen=True)
class SweepPlan:
    """The cells of a grid in the order in which they are done.

    Attributes:
        cells: All that can be done.
        sessions: That can do them, by model.
        skipped: What was left out and why, where the grid allows that.
        batch: Samples that are answered at a time.
        model_options: lm-eval's model arguments: the grid's, and those that were given besides and go before them.
    """

    cells: tuple[PlannedCell, ...]
    sessions: Mapping[str, Session]
    skipped: tuple[str, ...] = ()
    batch: int = 1
    model_options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def left(self) -> tuple[PlannedCell, ...]:
        """The cells without a result."""
        return tuple(planned for planned in self.cells if not planned.done)


def plan_sweep(
    grid: Grid,
    out: str | os.PathLike[str],
    *,
    device: str = "auto",
    model_options: Mapping[str, Any] | None = None,
) -> SweepPlan:
    """Name every cell of `grid`: model by model, short lengths first.

    Raises ValueError for any cell that cannot be evaluated, before a model is loaded, and for a foreign file where a
    result belongs.
    """
    cells: dict[str, PlannedCell] = {}
    sessions = {}
    options = {**grid.model_args, **(model_options or {})}
    refused = {(backend, length): _refusal(backend, length) for backend in grid.backends for length in grid.lengths}
    for model in grid.models:
        sessions[model] = session = Session(model, dtype=grid.dtype, device=device, **options)
        shape = shape_of(session.folder)
        for length in grid.lengths:
            for task in grid.tasks:
                for backend in grid.backends:
                    if grid.skip_impossible and refused[backend, length]:
                        continue
                    cell = session.cell(
                        backend,
                        task,
                        length,
                        n=grid.n,
                        seed=grid.seed,
                        max_new_tokens=grid.max_new_tokens,
                        dense_layers=grid.dense_layers,
                    )
                    flops = None if shape is None else cell_flops(shape, cell)
                    there = find_result(out, cell) is not None
                    cells.setdefault(cell.key, PlannedCell(model, cell, there, flops))
    if not cells:
        raise ValueError("no cell of the grid can be evaluated: its lengths are too short for all of its sparsities")
    skipped = [f"{format_length(n)}: {why}" for (_, n), why in refused.items() if why and grid.skip_impossible]
    return SweepPlan(tuple(cells.values()), sessions, tuple(skipped), grid.batch, options)


def _refusal(backend: str, length: int) -> str:
    """Why a backend cannot be as sparse as asked at a length; empty if it can."""
    chosen = parse_backend(backend)
    try:
        chosen.check(length if chosen.phase == "prefill" else 1, length)
    except ValueError as error:
        return str(error)
    return ""


def cell_flops(shape: ModelShape, cell: Cell) -> float:
    """FLOPs of reading all prompts of a cell and answering in `max_new_tokens` tokens each.

    An answer of T tokens after L of prompt costs what a prefill of L + T costs beyond one of L. The share that a
    backend computes is its sparsity's; all of it where it has parameters of its own. The selection is left out.
    """
    backend = parse_backend(cell.backend)
    dense = min(len(cell.dense_layers) / shape.layers, 1.0)
    kept = 1 - (1 - dense) * (backend.sparsity or 0.0)
    reading, answering = (kept, 1.0) if backend.phase == "prefill" else (1.0, kept)
    end = cell.length + cell.max_new_tokens
    prompt = prefill_flops(shape, cell.length, density=reading).total
    answer = (
        prefill_flops(shape, end, density=answering).total - prefill_flops(shape, cell.length, density=answering).total
    )
    return cell.n * (prompt + answer)


def plan_table(cells: Iterable[PlannedCell]) -> Table:
    """Cells, tokens and FLOPs that are left, for each model and length and in all."""
    groups: dict[tuple[str, int], list[PlannedCell]] = {}
    for planned in cells:
        groups.setdefault((planned.cell.model, planned.cell.length), []).append(planned)
    table = Table(box=None, pad_edge=False)
    table.add_column("model", no_wrap=True)
    for heading in ("length", "cells", "done", "prompt tokens left", "FLOPs left"):
        table.add_column(heading, justify="right", no_wrap=True)
    for (model, length), members in groups.items():
        table.add_row(model, format_length(length), *_counts(members))
    table.add_row("all", "", *_counts([planned for members in groups.values() for planned in members]), style="bold")
    return table


def _counts(cells: Sequence[PlannedCell]) -> tuple[str, ...]:
    left = [planned for planned in cells if not planned.done]
    tokens = sum(planned.cell.n * planned.cell.length for planned in left)
    known = [planned.flops for planned in left if planned.flops is not None]
    flops = f"{sum(known):.2e}" if len(known) == len(left) else "unknown"
    return str(len(cells)), str(len(cells) - len(left)), f"{tokens:,}", flops
