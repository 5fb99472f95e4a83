"""Prompt templates: `prompts/TASK.jinja` beside the module that defines the task, ours or another package's."""

import inspect
from functools import lru_cache
from pathlib import Path

import jinja2

from nl_tasks.generators.task import Task

_OURS = Path(__file__).parent / "prompts"


def prompt_template(task: Task) -> jinja2.Template:
    """The template of `task`, which may extend our `frame.jinja`. Raises ValueError when there is none."""
    beside = Path(inspect.getfile(type(task))).parent / "prompts"
    name = f"{task.name}.jinja"
    try:
        return _templates(beside).get_template(name)
    except jinja2.TemplateNotFound:
        raise ValueError(f"task {task.name!r} has no template: {beside / name} does not exist") from None


@lru_cache(maxsize=16)
def _templates(beside: Path) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([beside, _OURS]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
