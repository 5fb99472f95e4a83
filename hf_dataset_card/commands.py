"""The commands that write a dataset anew, from its manifest."""

import json
import shlex
from typing import Any

from nl_tasks.generators.lengths import format_length
from nl_tasks.generators.task import knob_defaults, task_types


def regenerate_commands(manifest: dict[str, Any]) -> list[str]:
    """`nl-tasks generate` commands that together write the configs of `manifest`, as few as there can be.

    Knobs at their defaults are left out; tasks that are not installed here have all their knobs named.
    """
    lengths: dict[tuple[str, ...], list[int]] = {}
    for config in manifest["configs"].values():
        lengths.setdefault((config["task"], *_options(config)), []).append(config["length"])
    tasks: dict[tuple[Any, ...], list[tuple[str, str]]] = {}
    for (task, settings, *options), each in lengths.items():
        tasks.setdefault((*options, tuple(sorted(each))), []).append((task, settings))
    commands = []
    for (n, seed, tokenizer, each), members in tasks.items():
        words = ["nl-tasks", "generate", *(task for task, _ in members)]
        words += ["--len", ",".join(map(format_length, each)), "-n", n, "--seed", seed, "--tokenizer", tokenizer]
        for task, settings in members:
            for knob, value in json.loads(settings).items():
                words += ["--set", f"{task}.{knob}={value}"]
        if manifest["file_format"] != "parquet":
            words += ["--format", manifest["file_format"]]
        commands.append(shlex.join(words))
    return commands


def _options(config: dict[str, Any]) -> tuple[str, str, str, str]:
    cls = task_types().get(config["task"])
    defaults = knob_defaults(cls) if cls else {}
    changed = {knob: value for knob, value in config["params"].items() if defaults.get(knob, ...) != value}
    return json.dumps(changed), str(config["n"]), str(config["seed"]), config["tokenizer"]["name"]
