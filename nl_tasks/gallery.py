"""GALLERY.md: one short sample of every task, and a picture of what every sparse-attention backend computes.

python -m nl_tasks.gallery > GALLERY.md        # `make gallery`, which draws the pictures as well
"""

from dataclasses import fields

from nl_tasks.generators.lengths import format_length
from nl_tasks.generators.task import Task, get_task, task_types
from nl_tasks.generators.tokenizers import Tokenizer, load_tokenizer
from nl_tasks.hf_dataset_card.excerpt import excerpt

LENGTH = 2048
SMALL = {"num_queries": 3, "hops": 2, "common": 8}
"""Knobs set smaller than their defaults, so that a sample fits the page."""

CORPORA = {
    "qa_quality": "tests/generators/corpora/quality.jsonl",
    "qa_squad": "tests/generators/corpora/squad.json",
    "qa_toefl": "tests/generators/corpora/toefl.jsonl",
}
"""What the QA tasks read here, in the repository: corpora made up for it, in the formats of the original ones."""

PICTURES = "docs/plans"

_HEAD = """# Gallery

[Tasks](#tasks), then [backends](#backends).

## Tasks

One sample of every task at {length} tokens, with some knobs set small. Passages in **bold** are the evidence: what the
answer needs. Made by `make gallery`; the tests fail when it is stale.
"""

_BACKENDS = """
## Backends

What each method computes, drawn over the attention of one head of SmolLM2 (layer {layer}, head {head}) that reads a
story of {tokens} tokens. Rows are queries, from top to bottom; columns are keys; dark is strong attention, on a log
scale. Blue is computed, orange is left out. Decode and eviction methods read the first {prompt} tokens in full; each
row below is a generated token. `nl-tasks backends` says what the methods do and which parameters they have.
"""


def gallery() -> str:
    """The page as Markdown."""
    tokenizer = load_tokenizer("tekken")
    sections = [section(name, tokenizer) for name in sorted(task_types())]
    return _HEAD.format(length=format_length(LENGTH)) + "".join(sections) + backends()


def backends() -> str:
    """The pictures of `nl_tasks.gallery_plans`, three in a row. Needs torch."""
    from nl_tasks.gallery_plans import HEAD, LAYER, PROMPT, TOKENS, picture_names, picture_spec

    cells = [f"`{picture_spec(name)}`<br>![{name}]({PICTURES}/{name}.png)" for name in picture_names()]
    rows = [cells[first : first + 3] for first in range(0, len(cells), 3)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    table = "\n".join([lines[0], "|---|---|---|", *lines[1:]])
    return _BACKENDS.format(layer=LAYER, head=HEAD, tokens=TOKENS, prompt=PROMPT) + "\n" + table + "\n"


def section(name: str, tokenizer: Tokenizer) -> str:
    """One task: what it is, its knobs, a sample."""
    cls = task_types()[name]
    knobs: dict[str, int | str] = {field.name: SMALL[field.name] for field in fields(cls) if field.name in SMALL}
    if name in CORPORA:
        knobs["source"] = CORPORA[name]
    task = get_task(name, **knobs)
    sample = task.sample(seed=43, index=0, length=LENGTH, tokenizer=tokenizer)
    summary = (cls.__doc__ or "").strip().split("\n")[0]
    answer = "; ".join(sample.answers)
    gold = f"Gold: **{answer}** (metric `{task.metric}`)"
    return "\n" + "\n\n".join((f"### {name}", summary, f"Knobs: {_knobs(task)}", excerpt(sample), gold)) + "\n"


def _knobs(task: Task) -> str:
    return ", ".join(
        f"`{field.name}={getattr(task, field.name)}`" for field in fields(task) if getattr(task, field.name) != ""
    )


if __name__ == "__main__":
    print(gallery(), end="")
