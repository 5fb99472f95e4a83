"""`nl-tasks list`: the tasks and their knobs."""

from typing import Annotated

import typer


def list_tasks(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the tasks with their knobs, defaults included.

    Example: nl-tasks list
    """
    import json

    from nl_tasks.catalogue import describe_tasks

    described = describe_tasks()
    if as_json:
        print(json.dumps([task.as_json() for task in described], indent=2, ensure_ascii=False))
        return
    for task in described:
        print(f"{task.name} (version {task.version}, {task.dataset}, configs {task.config}_LENGTH)")
        print(f"  {task.summary}")
        for knob in task.knobs:
            print(f"    {knob.name} = {knob.default!r}: {knob.kind}" + (f". {knob.summary}" if knob.summary else ""))
        print()
