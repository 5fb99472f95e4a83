"""The grid of a sweep, as a TOML file that a person writes.

    models = ["smollm2"]
    lengths = ["2k", "4k"]
    n = 100
    backends = ["dense", "quest", "vertical_slash:window=64", "flexprefill:alpha=0.9"]
    sparsities = [0.5, 0.9]
    batch = 8

    [tasks.story_retrieval]
    num_queries = 4

    [[tasks.story_multihop]]
    hops = 1

    [[tasks.story_multihop]]
    hops = 2

    [model_args]
    max_length = 9216

A backend is run at each of the sparsities, unless its text says how much it keeps (as the last one above) or there is
nothing to keep (dense). `batch` samples are answered at a time. A task may be given several times, with double
brackets. `model_args` are lm-eval's own, as `--model-arg` gives them.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from nl_tasks.generators.lengths import parse_length
from nl_tasks.generators.task import Task, get_task
from nl_tasks.sparse_backends import Backend, parse_backend

_DEFAULTS = {"n": 100, "seed": 43, "max_new_tokens": 1024, "batch": 1}


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What a sweep evaluates: every model x length x task x backend.

    Attributes:
        models: Local models, folders or Hub ids.
        lengths: Tokens of each prompt, ascending.
        tasks: With their knobs.
        backends: As `parse_backend` reads them, the sparsities worked in.
        n: Samples for each cell.
        seed: Of the samples.
        max_new_tokens: Tokens of each answer at most.
        batch: Samples answered at a time.
        dense_layers: Layers left to full attention.
        dtype: Of the weights; `auto` as `nl-tasks eval` has it.
        model_args: lm-eval's model arguments.
        skip_impossible: Leave out a backend at a sparsity that a length does not allow, which is an error otherwise.
    """

    models: tuple[str, ...]
    lengths: tuple[int, ...]
    tasks: tuple[Task, ...]
    backends: tuple[str, ...]
    n: int = 100
    seed: int = 43
    max_new_tokens: int = 1024
    batch: int = 1
    dense_layers: tuple[int, ...] = ()
    dtype: str = "auto"
    model_args: Mapping[str, Any] = field(default_factory=dict)
    skip_impossible: bool = False

    def __post_init__(self) -> None:
        for name in ("models", "lengths", "tasks", "backends"):
            if not getattr(self, name):
                raise ValueError(f"{name} is empty: a grid needs at least one")
        for name in ("n", "max_new_tokens", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} is out of range: 1 or more")


def read_grid(path: str | os.PathLike[str]) -> Grid:
    """Read a grid file. Raises ValueError, naming file and entry, for whatever is wrong, a missing file too."""
    if not Path(path).is_file():
        raise ValueError(f"{path}: there is no such file")
    try:
        return parse_grid(tomllib.loads(Path(path).read_text(encoding="utf-8")))
    except (ValueError, UnicodeDecodeError) as error:  # TOMLDecodeError is a ValueError
        raise ValueError(f"{path}: {error}") from None


def parse_grid(told: Mapping[str, Any]) -> Grid:
    """Make a grid of what a TOML file says. Raises ValueError naming the entry that is wrong."""
    known = {each.name for each in fields(Grid)} | {"sparsities"}
    for entry in told:
        if entry not in known:
            close = difflib.get_close_matches(entry, known, n=1)
            raise ValueError(
                f"unknown entry {entry!r}: " + (f"did you mean {close[0]}?" if close else ", ".join(sorted(known)))
            )
    for entry in ("models", "lengths", "tasks"):
        if entry not in told:
            raise ValueError(f"{entry} is missing")
    numbers = {name: _whole(name, told.get(name, default)) for name, default in _DEFAULTS.items()}
    return Grid(
        models=tuple(dict.fromkeys(_list("models", told["models"], str))),
        lengths=tuple(sorted({parse_length(length) for length in _list("lengths", told["lengths"], (str, int))})),
        tasks=_tasks(told["tasks"]),
        backends=expand_backends(
            _list("backends", told.get("backends", ["dense"]), str),
            _list("sparsities", told.get("sparsities", []), (int, float)),
        ),
        dense_layers=tuple(_list("dense_layers", told.get("dense_layers", []), int)),
        dtype=str(told.get("dtype", "auto")),
        model_args=_table("model_args", told.get("model_args", {})),
        skip_impossible=_flag("skip_impossible", told.get("skip_impossible", False)),
        **numbers,
    )


def expand_backends(backends: Sequence[str], sparsities: Sequence[float]) -> tuple[str, ...]:
    """Every backend at every sparsity, once; those that leave nothing open as they are.

    Raises ValueError for an unknown backend or parameter, or if a backend needs sparsities and there are none.
    """
    found: dict[str, None] = {}
    for text in backends:
        parse_backend(text)
        if _says_how_much(text):
            found[parse_backend(text).spec] = None
            continue
        if not sparsities:
            raise ValueError(f"sparsities is missing: at which should {text} run?")
        joint = "," if ":" in text else ":"
        for sparsity in sorted(set(sparsities)):
            found[parse_backend(f"{text}{joint}sparsity={sparsity}").spec] = None
    return tuple(found)


def _says_how_much(text: str) -> bool:
    """Whether there is nothing left for a sparsity to say."""
    backend: Backend = parse_backend(text)
    if backend.sparsity is not None or backend.name == "dense":
        return True
    given = {part.partition("=")[0].strip() for part in text.partition(":")[2].split(",")}
    return any("budget" in each.metadata and each.name in given for each in fields(backend))


_TASKS = "tasks: write a list of names, or a table [tasks.NAME] of knobs for each, or several: [[tasks.NAME]]"


def _tasks(told: Any) -> tuple[Task, ...]:
    if isinstance(told, list):
        return tuple(get_task(name) for name in _list("tasks", told, str))
    if not isinstance(told, dict):
        raise ValueError(_TASKS)
    found: dict[tuple[str, str], Task] = {}
    for name, tables in told.items():
        for knobs in tables if isinstance(tables, list) else [tables]:
            if not isinstance(knobs, dict):
                raise ValueError(_TASKS)
            task = get_task(name, **knobs)
            found.setdefault((name, task.params), task)
        if tables == []:
            raise ValueError(_TASKS)
    return tuple(found.values())


def _table(entry: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(x, (str, int, float, bool)) for x in value.values()):
        raise ValueError(f"{entry}={json.dumps(value, default=str)}: write a table [{entry}] of name = value")
    return value


def _list(entry: str, value: Any, kinds: type | tuple[type, ...]) -> list[Any]:
    if not isinstance(value, list) or not all(isinstance(x, kinds) and not isinstance(x, bool) for x in value):
        names = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
        raise ValueError(f"{entry}={value!r}: write a list of {names}")
    return value


def _whole(entry: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{entry}={value!r}: write a whole number")
    return value


def _flag(entry: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{entry}={value!r}: write true or false")
    return value
