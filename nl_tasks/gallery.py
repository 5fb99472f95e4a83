"""GALLERY.md: one short sample of every task, whole but for the middle of its context.

python -m nl_tasks.gallery > GALLERY.md        # `make gallery`
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

_HEAD = """# Gallery

One sample of every task at {length} tokens, with some knobs set small. Passages in **bold** are the evidence: what the
answer needs. Made by `make gallery`; the tests fail when it is stale.
"""


def gallery() -> str:
    """The page as Markdown."""
    tokenizer = load_tokenizer("tekken")
    sections = [section(name, tokenizer) for name in sorted(task_types())]
    return _HEAD.format(length=format_length(LENGTH)) + "".join(sections)


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
    return "\n" + "\n\n".join((f"## {name}", summary, f"Knobs: {_knobs(task)}", excerpt(sample), gold)) + "\n"


def _knobs(task: Task) -> str:
    return ", ".join(
        f"`{field.name}={getattr(task, field.name)}`" for field in fields(task) if getattr(task, field.name) != ""
    )


if __name__ == "__main__":
    print(gallery(), end="")
