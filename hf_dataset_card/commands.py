"""The commands that write a dataset anew, from its manifest."""

import json
import shlex
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from nl_tasks.generators.lengths import format_length
from nl_tasks.generators.task import knob_defaults, task_types

Group = TypeVar("Group", bound=Hashable)
Member = TypeVar("Member", bound=Hashable)


def regenerate_commands(manifest: Mapping[str, Any], *, out: str = "") -> list[str]:
    """`nl-tasks generate` commands that together write the configs of `manifest`, as few as there can be.

    They write into the folder `out`, if given. Knobs at their defaults are left out; tasks that are not installed here
    have all their knobs named. Tokenizers are given as `LABEL=NAME` where their configs' names bear a label.
    """
    cells = [_cell(name, config) for name, config in manifest["configs"].items()]
    lengths = _gather(
        ((task, settings, shared, tokenizer), length) for task, settings, shared, tokenizer, length in cells
    )
    tasks = _gather(
        ((shared, tokenizer, each), (task, settings)) for (task, settings, shared, tokenizer), each in lengths.items()
    )
    tokenizers = _gather(((shared, each, members), tokenizer) for (shared, tokenizer, each), members in tasks.items())
    end = ["--format", manifest["file_format"]] if manifest["file_format"] != "parquet" else []
    end += ["--out", out] if out else []
    return [
        shlex.join([*_words(shared, each, members, names), *end])
        for (shared, each, members), names in tokenizers.items()
    ]


def config_label(name: str, length: int) -> str:
    """The tokenizer's label at the end of a config's name: `qwen2.5` of `multihop_128k_qwen2.5`, or nothing."""
    return name.partition(f"_{format_length(length)}")[2].removeprefix("_")


def _cell(name: str, config: Mapping[str, Any]) -> tuple[str, str, tuple[str, str], str, int]:
    """Task, knobs that are not at their defaults (JSON), samples and seed, tokenizer as an option, and length."""
    cls = task_types().get(config["task"])
    defaults = knob_defaults(cls) if cls else {}
    changed = {knob: value for knob, value in config["params"].items() if defaults.get(knob, ...) != value}
    label = config_label(name, config["length"])
    tokenizer = f"{label}={config['tokenizer']['name']}" if label else config["tokenizer"]["name"]
    return config["task"], json.dumps(changed), (str(config["n"]), str(config["seed"])), tokenizer, config["length"]


def _gather(pairs: Iterable[tuple[Group, Member]]) -> dict[Group, tuple[Member, ...]]:
    groups: dict[Group, dict[Member, None]] = {}
    for group, member in pairs:
        groups.setdefault(group, {})[member] = None
    return {group: tuple(members) for group, members in groups.items()}


def _words(
    shared: tuple[str, str], lengths: tuple[int, ...], members: tuple[tuple[str, str], ...], tokenizers: tuple[str, ...]
) -> Iterator[str]:
    n, seed = shared
    yield from ("nl-tasks", "generate", *(task for task, _ in members))
    yield from ("--len", ",".join(map(format_length, sorted(lengths))), "-n", n, "--seed", seed)
    for tokenizer in tokenizers:
        yield from ("--tokenizer", tokenizer)
    for task, settings in members:
        for knob, value in json.loads(settings).items():
            yield from ("--set", f"{task}.{knob}={value}")
