"""What a task is: a frozen dataclass whose fields are its knobs, and a pure function from names to a sample.

task = get_task("story_multihop", hops=2)
sample = task.sample(seed=43, index=7, length=131072, tokenizer=load_tokenizer("tekken"))
"""

import difflib
import json
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import MISSING, asdict, dataclass, fields
from importlib.metadata import EntryPoint, entry_points
from numbers import Integral
from typing import Any, ClassVar

from nl_tasks.generators.fitting import Draft, fit
from nl_tasks.generators.randomness import Key
from nl_tasks.generators.sample import Sample, content_hash, sample_id
from nl_tasks.generators.tokenizers import Tokenizer

_TASKS: dict[str, type["Task"]] = {}


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """Base of all tasks. A subclass names itself and its version, declares knobs as fields, and writes `draft`.

    `version` is part of every random key: raise it when the text of a given (seed, index) changes.
    `dataset` and `config` say where samples are published (`sparse-frontier/story`, `multihop_128k`).
    """

    name: ClassVar[str]
    version: ClassVar[str]
    dataset: ClassVar[str]
    config: ClassVar[str]

    @property
    @abstractmethod
    def metric(self) -> str:
        """The name of the scorer that judges answers, as `nl_tasks.scoring` registers it."""

    @abstractmethod
    def draft(self, key: Key) -> Draft:
        """The sample before its length is known: what is asked, and a context that can grow."""

    @property
    def params(self) -> str:
        """The knobs as canonical JSON text, a part of every random key."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    def key(self, seed: int, index: int) -> Key:
        """The random key of one sample; no two (task, version, params, seed, index) share one."""
        return Key(self.name, self.version, self.params, seed, index)

    def sample(self, *, seed: int, index: int, length: int, tokenizer: Tokenizer) -> Sample:
        """Sample `index`, 0 or more, at exactly `length` tokens.

        Raises ValueError naming the smallest length that can hold it, and for what is no index or length.
        """
        for field, value, least in (("index", index, 0), ("length", length, 1)):
            if not isinstance(value, Integral) or value < least:
                raise ValueError(f"{field}={value!r} is out of range: a whole number, {least} or more")
        fitted = fit(self.draft(self.key(seed, index)), length, tokenizer)
        return Sample(
            id=sample_id(self.name, length, seed, index),
            task=self.name,
            index=index,
            seed=seed,
            version=self.version,
            prompt=fitted.prompt,
            question=fitted.question,
            answers=fitted.answers,
            metric=self.metric,
            target_tokens=length,
            num_tokens=length,
            tokenizer=tokenizer.name,
            depths=fitted.depths,
            evidence=fitted.evidence,
            params=self.params,
            sha256=content_hash(fitted.prompt, fitted.answers),
        )

    def smallest_length(self, *, seed: int, indices: Iterable[int], tokenizer: Tokenizer) -> int:
        """The fewest tokens that can hold every one of the samples `indices`."""
        return max(self.draft(self.key(seed, index)).smallest(tokenizer) for index in indices)

    def longest_length(self, *, seed: int, indices: Iterable[int], tokenizer: Tokenizer) -> int | None:
        """The most tokens that every one of the samples `indices` can fill; None if there is no limit."""
        return None

    def require(self, field: str, allowed: bool, expected: str) -> None:
        """Raise ValueError naming field, value and `expected` unless `allowed`; for use in `__post_init__`."""
        if not allowed:
            raise ValueError(f"{self.name}: {field}={getattr(self, field)!r} is out of range: {expected}")


def register(cls: type[Task]) -> type[Task]:
    """Class decorator: make a task known under its `name`. Raises ValueError if the name is taken."""
    if _TASKS.get(cls.name, cls) is not cls:
        raise ValueError(f"a task named {cls.name!r} is registered already")
    _TASKS[cls.name] = cls
    return cls


def task_types() -> dict[str, type[Task]]:
    """All tasks by name: ours, then those that installed packages offer as entry points `nl_tasks.tasks`."""
    for entry in entry_points(group="nl_tasks.tasks"):
        if entry.name not in _TASKS:
            register(_loaded(entry))
    return dict(_TASKS)


def _loaded(entry: EntryPoint) -> Any:
    """What an installed package offers as `entry`. Raises ValueError naming the package if it cannot be loaded."""
    try:
        return entry.load()
    except Exception as error:  # whatever goes wrong in somebody else's package
        package = entry.dist.name if entry.dist else "a package"
        raise ValueError(
            f"{package} offers the task {entry.name!r} ({entry.value}), which cannot be loaded "
            f"({type(error).__name__}: {error}): mend or uninstall it"
        ) from error


def get_task(task_name: str, /, **knobs: Any) -> Task:
    """A task by name with `knobs` set; text values are read as the knob's type (`hops="2"`).

    Raises ValueError for an unknown task or knob (the nearest names are offered) or a value out of range.
    """
    known = task_types()
    if task_name not in known:
        raise ValueError(f"unknown task {task_name!r}{_nearest(task_name, known)}")
    cls = known[task_name]
    types_by_knob = knob_types(cls)
    values = {}
    for knob, value in knobs.items():
        if knob not in types_by_knob:
            raise ValueError(f"{task_name} has no knob {knob!r}{_nearest(knob, types_by_knob)}")
        values[knob] = _read_value(task_name, knob, value, types_by_knob[knob])
    return cls(**values)


def knob_types(cls: type[Task]) -> dict[str, Any]:
    """Knob name to annotated type, in the order in which the task declares them."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls)}


def knob_defaults(cls: type[Task]) -> dict[str, Any]:
    """Knob name to default value; tasks have no required knobs."""
    return {field.name: field.default for field in fields(cls) if field.default is not MISSING}


def _read_value(task_name: str, knob: str, value: Any, kind: Any) -> Any:
    choices = typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else None
    if choices:
        for choice in choices:
            if str(value) == str(choice):
                return choice
        raise ValueError(f"{task_name}: {knob}={value!r} is out of range: one of {', '.join(map(str, choices))}")
    if isinstance(kind, types.UnionType) and isinstance(value, str):
        kind = next(part for part in typing.get_args(kind) if part is not types.NoneType)
    if not isinstance(value, str) or kind is str:
        return value
    readers: dict[Any, Callable[[str], Any]] = {int: int, float: float, bool: _read_bool}
    try:
        return readers[kind](value)
    except ValueError:
        raise ValueError(f"{task_name}: {knob}={value!r} is not of type {kind.__name__}") from None


def _read_bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _nearest(name: str, known: typing.Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f": did you mean {' or '.join(close)}?" if close else f": known are {', '.join(known)}"
