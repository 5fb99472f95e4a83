"""From a manifest to the README.md of a dataset folder.

    card = render_card(json.loads((folder / "manifest.json").read_text()))

It says nothing that is not in the manifest, but for the prose of the templates beside this file.
"""

from functools import cache
from typing import Any

import jinja2

from nl_tasks.generators.lengths import format_length
from nl_tasks.hf_dataset_card.commands import regenerate_commands

_SIZES = [(10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M")]


def render_card(manifest: dict[str, Any]) -> str:
    """The card of the dataset that `manifest` (the contents of a `manifest.json`) describes."""
    configs = [{"name": name, **config} for name, config in manifest["configs"].items()]
    rows = sum(config["n"] for config in configs)
    name = manifest["dataset"].rpartition("/")[2]
    return (
        _templates()
        .get_template("card.md.jinja")
        .render(
            dataset=manifest["dataset"],
            name=name,
            configs=configs,
            rows=rows,
            size_category=next((label for bound, label in _SIZES if rows < bound), "n>10M"),
            patterns={config["name"]: _pattern(config["files"]) for config in configs},
            commands=regenerate_commands(manifest),
            prose=[f"{name}.md.jinja", "other.md.jinja"],
        )
    )


def _pattern(files: list[dict[str, Any]]) -> str:
    """The files of a config as one path; other files beside them do not match it."""
    return files[0]["path"].replace("test-00000-of-", "test-*-of-")


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
    return templates
