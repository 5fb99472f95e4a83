"""The result files that a report is made of, and which of them are comparable."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nl_tasks.analysis.model_shapes import ModelShape, find_shape
from nl_tasks.result import Result, read_result
from nl_tasks.result_cell import Cell

DENSE = "dense"
CONTROLS = ("oracle", "random")  # backends to hold methods against, which nobody would run to save work


@dataclass(frozen=True, eq=False)
class Reading:
    """One result file.

    Attributes:
        path: Within the folder of results.
        result: What it holds.
        task: Name of the task, with its knobs where the same task was run with several.
        shape: Dimensions of the model, if they are known.
    """

    path: str
    result: Result
    task: str
    shape: ModelShape | None

    @property
    def cell(self) -> Cell:
        """What was asked."""
        return self.result.cell

    @property
    def is_dense(self) -> bool:
        """Whether this is full attention."""
        return self.cell.backend == DENSE

    @property
    def is_control(self) -> bool:
        """Whether this is a backend to hold methods against, none to run."""
        return self.cell.backend.partition(":")[0] in CONTROLS

    @property
    def phase(self) -> str:
        """`prefill` or `decode`, which eviction speeds up as well."""
        return "prefill" if self.result.phase == "prefill" else "decode"

    @cached_property
    def method(self) -> str:
        """The backend without its sparsity, as `quest:page=32`; with the layers that it leaves alone."""
        name, _, parameters = self.cell.backend.partition(":")
        rest = ",".join(p for p in parameters.split(",") if p and not p.startswith("sparsity="))
        layers = ",".join(map(str, self.cell.dense_layers))
        return ":".join(filter(None, [name, rest])) + (f" (dense layers {layers})" if layers and name != DENSE else "")

    @cached_property
    def sparsity(self) -> float:
        """As asked for; as measured, where the backend has parameters of its own."""
        if self.is_dense:
            return 0.0
        asked = self.result.asked_density
        return round(1 - (self.density if asked is None else asked), 4)

    @cached_property
    def density(self) -> float:
        """Measured, counted as budgets are, in the layers where the backend acted; 1.0 if it never did."""
        found = self.result.mean("density_of_prompt")
        return 1.0 if found is None else min(found, 1.0)

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """`[n]`, in the order of the samples' indices."""
        return np.array([sample.score for sample in self.result.samples])

    @property
    def batch(self) -> int:
        """Samples that were answered at a time."""
        return int(self.result.environment.get("batch", 1))

    def seconds(self, phase: str) -> float | None:
        """Median over the samples: of the prefill, or of decoding a token; None if it was not timed.

        Of samples answered in batches, decoding is a mean over all their tokens: a sample's share of its batch's
        seconds says little about its own tokens.
        """
        if phase == "prefill":
            times = [s.prefill_s for s in self.result.samples if s.prefill_s > 0]
        else:
            several = [s for s in self.result.samples if s.generated_tokens > 1]
            if several and self.batch > 1:
                steps = sum(s.generated_tokens - 1 for s in several)
                return sum(s.decode_s for s in self.result.samples) / steps
            times = [s.decode_s / (s.generated_tokens - 1) for s in several]
        return median(times) if times else None

    @property
    def span(self) -> tuple[float, float]:
        """When it ran, in seconds since 1970: up to when its result was written, for as long as its answers took."""
        end = float(self.result.environment.get("time", 0.0))
        return end - sum(sample.prefill_s + sample.decode_s for sample in self.result.samples), end

    @property
    def question(self) -> tuple[object, ...]:
        """Readings that share it are of the same samples and the same model."""
        return (*self.cell.question, self.result.data_sha256)


@dataclass(frozen=True)
class Readings:
    """What a report is about.

    Attributes:
        kept: Comparable readings: one set of samples for each model, task and length.
        left_out: The others, as of an earlier run with fewer samples.
    """

    kept: tuple[Reading, ...]
    left_out: tuple[Reading, ...] = ()

    @cached_property
    def _dense(self) -> dict[tuple[object, ...], Reading]:
        return {reading.question: reading for reading in self.kept if reading.is_dense}

    def dense_of(self, reading: Reading) -> Reading | None:
        """Dense attention on the same samples."""
        return self._dense.get(reading.question)

    @property
    def sparse(self) -> tuple[Reading, ...]:
        """All but dense attention."""
        return tuple(reading for reading in self.kept if not reading.is_dense)

    @property
    def without_controls(self) -> "Readings":
        """Dense attention and the methods that one could choose."""
        return replace(self, kept=tuple(reading for reading in self.kept if not reading.is_control))

    @property
    def side_by_side(self) -> int:
        """How many ran for the most part while others did, on a device of the same name."""
        places: dict[object, list[tuple[float, float]]] = {}
        for reading in self.kept:
            places.setdefault(reading.result.environment.get("device"), []).append(reading.span)
        count = 0
        for spans in places.values():
            for begin, end in spans:
                shared = sum(max(0.0, min(end, e) - max(begin, b)) for b, e in spans)  # its own time among it
                count += shared > 1.5 * (end - begin)
        return count

    @property
    def missing(self) -> int:
        """How many cells lack: methods x sparsities x tasks, of each model and length with full attention."""
        count = 0
        for model in self.models:
            for length in self.lengths:
                there = self.where(model=model, length=length)
                tasks = {r.task for r in there if r.is_dense}
                run = {(r.method, r.sparsity, r.task) for r in there if not r.is_dense and r.task in tasks}
                count += len({place[:2] for place in run}) * len(tasks) - len(run)
        return count

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, small ones first."""
        size = {r.cell.model: r.shape.parameters if r.shape else 0 for r in self.kept}
        return tuple(sorted(size, key=lambda name: (size[name], name)))

    @property
    def lengths(self) -> tuple[int, ...]:
        """Ascending."""
        return tuple(sorted({reading.cell.length for reading in self.kept}))

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task of the largest loss from dense attention first, wherever it was."""
        worst: dict[str, float] = {}
        for reading in self.kept:
            dense = self.dense_of(reading)
            change = float(reading.scores.mean() - dense.scores.mean()) if dense else 0.0
            worst[reading.task] = min(worst.get(reading.task, 0.0), change)
        return tuple(sorted(worst, key=lambda task: (worst[task], task)))

    @property
    def methods(self) -> tuple[str, ...]:
        """Sparse methods, those of the prefill first, controls after the methods of their phase."""
        found = {reading.method: (reading.phase != "prefill", reading.is_control) for reading in self.sparse}
        return tuple(sorted(found, key=lambda name: (found[name], name)))

    def where(self, **wanted: object) -> tuple[Reading, ...]:
        """The kept readings whose `model`, `task`, `length`, `method` or `phase` are as wanted, sparsities ascending.

        Dense attention belongs to each method and phase.
        """

        def fits(reading: Reading) -> bool:
            for name, value in wanted.items():
                if name in ("method", "phase") and reading.is_dense:
                    continue
                if getattr(reading if name in ("task", "method", "phase") else reading.cell, name) != value:
                    return False
            return True

        return tuple(sorted(filter(fits, self.kept), key=lambda r: (not r.is_dense, r.method, r.sparsity)))


def read_readings(folder: str | os.PathLike[str]) -> Readings:
    """Read all result files below `folder`. Raises ValueError if there are none, or a file is none of ours."""
    root = Path(folder)
    paths = sorted(path for path in root.rglob("*.json") if not path.name.startswith("."))
    if not paths:
        raise ValueError(f"{folder} holds no result files (make some with: nl-tasks sweep)")
    found = []
    for path in paths:
        result = read_result(path)
        found.append(Reading(path.relative_to(root).as_posix(), result, result.cell.task, _shape(result)))
    return comparable(_labelled(found))


def comparable(readings: Sequence[Reading]) -> Readings:
    """Choose one set of samples for each model, task and length: that of the most cells, then samples, then the latest.

    Of two readings of one cell (of two folders put together) the later one is kept.
    """
    groups: dict[tuple[str, str, int], dict[tuple[object, ...], list[Reading]]] = {}
    for reading in readings:
        place = (reading.cell.model, reading.task, reading.cell.length)
        groups.setdefault(place, {}).setdefault(reading.question, []).append(reading)
    kept: list[Reading] = []
    for questions in groups.values():
        best = max(questions.values(), key=lambda those: (len(those), those[0].cell.n, max(map(_time, those))))
        cells: dict[tuple[str, float], Reading] = {}
        for reading in sorted(best, key=_time):
            cells[reading.cell.backend + str(reading.cell.dense_layers), reading.sparsity] = reading
        kept += cells.values()
    known = set(map(id, kept))
    left_out = [reading for reading in readings if id(reading) not in known]
    return Readings(tuple(kept), tuple(left_out))


def _labelled(readings: Iterable[Reading]) -> list[Reading]:
    """Name the knobs in which readings of one task differ."""
    groups: dict[str, list[tuple[Reading, dict[str, Any]]]] = {}
    for reading in readings:
        groups.setdefault(reading.cell.task, []).append((reading, json.loads(reading.cell.params)))
    labelled = []
    for task, members in groups.items():
        names = sorted({name for _, knobs in members for name in knobs})
        differ = [name for name in names if len({json.dumps(knobs.get(name)) for _, knobs in members}) > 1]
        for reading, knobs in members:
            told = ", ".join(f"{name}={knobs.get(name)}" for name in differ)
            labelled.append(replace(reading, task=f"{task} ({told})" if told else task))
    return labelled


def _time(reading: Reading) -> float:
    return float(reading.result.environment.get("time", 0))


def _shape(result: Result) -> ModelShape | None:
    told = result.environment.get("model_shape")
    try:
        return ModelShape(**told) if told else find_shape(result.cell.model)
    except (ValueError, TypeError):
        return None
