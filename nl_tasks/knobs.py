"""Knob settings as people write them on the command line: `hops=2`, `story_multihop.hops=2`."""

from collections.abc import Iterable, Sequence

from nl_tasks.generators.task import Task, get_task, knob_types, task_types


def make_tasks(names: Sequence[str], settings: Iterable[str] = ()) -> list[Task]:
    """The tasks `names` with knobs set by `knob=value` (in each task that has the knob) or `task.knob=value`.

    The second form wins over the first; otherwise the last setting does. Raises ValueError for unknown names (the
    nearest are offered), values out of range, a task named twice, and a setting that no chosen task takes.
    """
    known = task_types()
    for name in names:
        if name not in known:
            get_task(name)  # raises, naming the nearest
        if names.count(name) > 1:
            raise ValueError(f"task {name!r} is named twice")
    shared: dict[str, dict[str, str]] = {name: {} for name in names}
    own: dict[str, dict[str, str]] = {name: {} for name in names}
    for setting in settings:
        target, knob, value = _parse(setting)
        if target:
            if target not in own:
                raise ValueError(f"--set {setting}: {target!r} is not one of the chosen tasks ({', '.join(names)})")
            own[target][knob] = value
            continue
        takers = [name for name in names if knob in knob_types(known[name])]
        if not takers:
            offered = sorted({knob for name in names for knob in knob_types(known[name])})
            raise ValueError(f"--set {setting}: no chosen task has a knob {knob!r}; there are {', '.join(offered)}")
        for name in takers:
            shared[name][knob] = value
    return [get_task(name, **{**shared[name], **own[name]}) for name in names]


def _parse(setting: str) -> tuple[str, str, str]:
    left, equals, value = setting.partition("=")
    target, _, knob = left.strip().rpartition(".")
    if not equals or not knob:
        raise ValueError(f"--set {setting}: write knob=value or task.knob=value")
    return target, knob, value.strip()
