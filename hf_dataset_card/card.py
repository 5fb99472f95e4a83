"""From a manifest and a sample of each task to the README.md of a dataset folder.

    manifest = json.loads((folder / "manifest.json").read_text())
    card = render_card(manifest, {"story_multihop": sample}, {"multihop_8k": 402311})

`card.md.jinja` is the frame that all cards share; `NAME.md.jinja` says what the tasks of dataset `.../NAME` are. What
a card says of its files is taken from the manifest, and nothing else.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2

from nl_tasks.generators.lengths import format_length
from nl_tasks.generators.sample import Sample
from nl_tasks.generators.task import task_types
from nl_tasks.hf_dataset_card.columns import columns
from nl_tasks.hf_dataset_card.commands import config_label, regenerate_commands
from nl_tasks.hf_dataset_card.excerpt import excerpt
from nl_tasks.hf_dataset_card.picture import PICTURE

_SIZES = [(10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M")]
_PASSAGES, _CHARACTERS = 6, 700
"""How much of a sample's context a card shows."""


def render_card(
    manifest: Mapping[str, Any], samples: Mapping[str, Sample], unpacked: Mapping[str, int], *, dataset: str = ""
) -> str:
    """The card of the dataset that `manifest` (the contents of a `manifest.json`) describes.

    `samples` holds one of each task to show, by the task's name; `unpacked` the bytes of each config uncompressed.
    `dataset` is what the card calls the dataset, where it is published under another name than the manifest's.
    """
    configs = [{**_config(name, config), "unpacked": unpacked[name]} for name, config in manifest["configs"].items()]
    rows = sum(config["n"] for config in configs)
    dataset = dataset or manifest["dataset"]
    family = manifest["dataset"].rpartition("/")[2]
    plain = [config for config in configs if not config["label"]]
    template = _templates().select_template([f"{family}.md.jinja", "other.md.jinja"])
    return template.render(
        dataset=dataset,
        name=dataset.rpartition("/")[2],
        configs=configs,
        example=(plain or configs)[0]["name"],
        columns=columns(),
        rows=rows,
        tokens=sum(config["n"] * config["length"] for config in configs),
        bytes=sum(config["bytes"] for config in configs),
        unpacked=sum(unpacked[config["name"]] for config in configs),
        files=sum(len(config["files"]) for config in configs),
        size_category=next((label for bound, label in _SIZES if rows < bound), "n>10M"),
        sizes=_sizes(configs),
        tasks=_tasks(configs),
        excerpts={name: excerpt(sample, most=_PASSAGES, long=_CHARACTERS) for name, sample in samples.items()},
        samples=samples,
        picture=PICTURE if samples else "",
        plain=plain,
        commands=regenerate_commands(manifest, out="" if dataset == manifest["dataset"] else dataset),
    )


def _config(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    files = config["files"]
    return {
        "name": name,
        **config,
        "label": config_label(name, config["length"]),
        "bytes": sum(file["bytes"] for file in files),
        # Files of another run beside these do not match it
        "pattern": files[0]["path"].replace("test-00000-of-", "test-*-of-"),
    }


def _sizes(configs: list[dict[str, Any]]) -> dict[str, Any]:
    """A table of tasks (and tokenizers, where there are several) by length; cells are configs, or None."""
    lengths = sorted({config["length"] for config in configs})
    rows: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for config in configs:
        rows.setdefault((config["task"], config["label"] or config["tokenizer"]["name"]), {})[config["length"]] = config
    return {
        "lengths": lengths,
        "rows": [(task, name, [found.get(length) for length in lengths]) for (task, name), found in rows.items()],
        "several": len({name for _, name in rows}) > 1,
    }


def _tasks(configs: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Per task its version, its knobs as the card names them, and what it says of itself, if it is installed."""
    found: dict[str, dict[str, Any]] = {}
    for config in configs:
        cls = task_types().get(config["task"])
        found.setdefault(
            config["task"],
            {
                "version": config["version"],
                "knobs": {knob: _text(value) for knob, value in config["params"].items() if value != ""},
                "summary": (cls.__doc__ or "").strip().partition("\n")[0] if cls else "",
            },
        )
    return found


def _text(value: Any) -> str:
    """A knob's value as it is written on the command line."""
    return value if isinstance(value, str) else json.dumps(value)


@cache
def _templates() -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("nl_tasks.hf_dataset_card", ""),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    templates.filters["length"] = format_length
    templates.filters["megabytes"] = lambda size: f"{size / 1e6:.1f} MB" if size >= 50_000 else f"{size / 1e3:.1f} kB"
    return templates
