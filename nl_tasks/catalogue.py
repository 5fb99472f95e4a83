"""Tasks and knobs as a reader meets them: names, defaults and the first lines of their docstrings."""

import inspect
import re
import types
import typing
from dataclasses import asdict, dataclass
from typing import Any

from nl_tasks.generators.task import Task, knob_defaults, knob_types, task_types


@dataclass(frozen=True)
class KnobDescription:
    """A knob: its type and default, and its line in the task's docstring (empty if there is none)."""

    name: str
    kind: str
    default: Any
    summary: str


@dataclass(frozen=True)
class TaskDescription:
    """A task: the first sentence of its docstring, where it is published, and its knobs."""

    name: str
    version: str
    dataset: str
    config: str
    summary: str
    knobs: tuple[KnobDescription, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def describe_tasks() -> list[TaskDescription]:
    """All tasks known here, those of installed packages included, by dataset and name."""
    return sorted((_describe(cls) for cls in task_types().values()), key=lambda task: (task.dataset, task.name))


def _describe(cls: type[Task]) -> TaskDescription:
    doc = inspect.getdoc(cls) or ""
    summary = " ".join(doc.split("\n\n")[0].split())
    defaults = knob_defaults(cls)
    lines = {
        name: line
        for base in reversed(cls.__mro__)
        for name, line in _knob_lines(inspect.cleandoc(base.__doc__ or "")).items()
    }
    knobs = tuple(
        KnobDescription(name, kind_name(hint), defaults.get(name), lines.get(name, ""))
        for name, hint in knob_types(cls).items()
    )
    return TaskDescription(cls.name, cls.version, cls.dataset, cls.config, summary, knobs)


def _knob_lines(doc: str) -> dict[str, str]:
    """What the section `Attributes:` (or `Args:`) of a docstring says of each name."""
    section = re.search(r"^(?:Attributes|Args|Knobs):\n((?:[ \t]+.*\n?|\n)+)", doc, re.MULTILINE)
    if not section:
        return {}
    entries = re.findall(r"^ {4}(\w+)(?: \([^)]*\))?: (.*(?:\n {5,}.*)*)", section[1], re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def kind_name(hint: Any) -> str:
    """An annotated type as a reader writes it: `int`, `chat | plain`, `float | None`."""
    if typing.get_origin(hint) is typing.Literal:
        return " | ".join(map(str, typing.get_args(hint)))
    if isinstance(hint, types.UnionType):
        return " | ".join(map(kind_name, typing.get_args(hint)))
    return "None" if hint is types.NoneType else getattr(hint, "__name__", str(hint))
