"""The YAML files by which lm-evaluation-harness knows the tasks, all from one template.

    python -m nl_tasks.lm_eval_yaml     # write them anew, after a task was added or its version raised

For every task there is `nl_TASK` (lengths from `--metadata`) and `nl_TASK_LENGTH`; for every dataset a group of its
tasks, `nl_story` and `nl_story_LENGTH`; and `nl_all` and `nl_all_LENGTH` of the nine tasks of arXiv 2504.17768. All
groups list their tasks one by one: lm-eval reports each, and below the group's name the mean beside them.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from nl_tasks.atomic_file import write_atomic
from nl_tasks.generators.cache import cache_root
from nl_tasks.generators.task import Task, task_types

FOLDER = Path(__file__).parent / "lm_eval_tasks"
TEMPLATE = "_task.yaml"
LENGTHS = ("2k", "4k", "8k", "16k", "32k", "64k", "128k")
"""Lengths that have a name of their own; `--metadata '{"lengths": [...]}'` takes any."""

PAPER = (
    "qa_quality",
    "qa_squad",
    "qa_toefl",
    "ruler_cwe",
    "ruler_niah",
    "ruler_vt",
    "story_filtering",
    "story_multihop",
    "story_retrieval",
)
"""The tasks that the paper judges by; `nl_all` has these, so that its mean can be compared. `ruler_fwe` is our own
addition and stands in `nl_ruler`."""

_HEADER = "# Written by `python -m nl_tasks.lm_eval_yaml`.\n"


def task_folder() -> Path:
    """The folder for lm-eval's `include_path`.

    It is package data; if other installed packages offer tasks, one with theirs is written into `$NL_TASKS_CACHE`
    (or `~/.cache/nl-tasks`), because lm-eval takes only one folder.
    """
    known = task_types().values()
    if all(map(is_ours, known)):
        return FOLDER
    texts = {**yaml_files(known), TEMPLATE: (FOLDER / TEMPLATE).read_text(encoding="utf-8")}
    folder = cache_root() / "lm_eval_tasks" / hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()[:16]
    write_folder(folder, texts)
    return folder


def yaml_files(tasks: Iterable[type[Task]]) -> dict[str, str]:
    """File name to text of the files for `tasks`: tasks, groups of a dataset, and the paper's nine."""
    files: dict[str, str] = {}
    groups: dict[str, list[str]] = {}
    for cls in sorted(tasks, key=lambda cls: cls.name):
        group = f"nl_{cls.dataset.rpartition('/')[2]}"
        for length in ("", *LENGTHS):
            name = _with_length(f"nl_{cls.name}", length)
            files[f"{name}.yaml"] = _task(name, cls, length)
            groups.setdefault(_with_length(group, length), []).append(name)
            if cls.name in PAPER:
                groups.setdefault(_with_length("nl_all", length), []).append(name)
    return files | {f"{name}.yaml": _group(name, members) for name, members in groups.items()}


def write_folder(folder: Path, texts: dict[str, str]) -> None:
    """Make `folder` hold the files `texts` and, apart from the template, no other YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.yaml"):
        if old.name not in texts and old.name != TEMPLATE:
            old.unlink()
    for name, text in texts.items():
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text:
            write_atomic(folder / name, text)


def is_ours(cls: type[Task]) -> bool:
    """Whether a task belongs to this package, so that its files are package data."""
    return cls.__module__.startswith("nl_tasks.")


def _with_length(name: str, length: str) -> str:
    return f"{name}_{length}" if length else name


def _task(name: str, cls: type[Task], length: str) -> str:
    arguments = f"  task: {cls.name}\n" + (f"  length: {length}\n" if length else "")
    return (
        f"{_HEADER}include: {TEMPLATE}\ntask: {name}\n"
        f'dataset_kwargs:\n{arguments}metadata:\n  version: "{cls.version}"\n'
    )


def _group(name: str, members: list[str]) -> str:
    metrics = "".join(
        f"  - metric: {metric}\n    aggregation: mean\n    weight_by_size: true\n" for metric in ("score", "unparsed")
    )
    return (
        f"{_HEADER}group: {name}\ntask:\n"
        + "".join(f"  - {member}\n" for member in members)
        + f'aggregate_metric_list:\n{metrics}metadata:\n  version: "1"\n'
    )


if __name__ == "__main__":
    write_folder(FOLDER, yaml_files(cls for cls in task_types().values() if is_ours(cls)))
