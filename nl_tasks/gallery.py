"""GALLERY.md: one short sample of every task, whole but for the middle of its context.

python -m nl_tasks.gallery > GALLERY.md        # `make gallery`
"""

import re
import textwrap
from dataclasses import fields

from nl_tasks.generators.lengths import format_length
from nl_tasks.generators.sample import Sample
from nl_tasks.generators.task import Task, get_task, task_types
from nl_tasks.generators.tokenizers import Tokenizer, load_tokenizer

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
_GAP = "[...]"
_CONTEXT = ("<context>\n", "\n</context>")
_HEADING = re.compile(r"(?:Chapter|Document) \d+\.?$")
_MOST = 24
_LONG = 1200


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
    return "\n" + "\n\n".join((f"## {name}", summary, f"Knobs: {_knobs(task)}", _quote(_marked(sample)), gold)) + "\n"


def _knobs(task: Task) -> str:
    return ", ".join(
        f"`{field.name}={getattr(task, field.name)}`" for field in fields(task) if getattr(task, field.name) != ""
    )


def _marked(sample: Sample) -> str:
    """The prompt with evidence in bold, and of the context only the paragraphs or lines that hold some."""
    text, shift = sample.prompt, 0
    for start, end in sorted({(span.start, span.end) for span in sample.evidence}):
        bold = "\n".join(
            f"**{part.strip()}**" if part.strip() else part for part in sample.prompt[start:end].split("\n")
        )
        text = text[: start + shift] + bold + text[end + shift :]
        shift += len(bold) - (end - start)
    before, _, rest = text.partition(_CONTEXT[0])
    context, _, after = rest.partition(_CONTEXT[1])
    joint = "\n\n" if "\n\n" in context else "\n"
    return f"{before}&lt;context>\n\n" + joint.join(_shortened(context.split(joint))) + f"\n\n&lt;/context>{after}"


def _shortened(parts: list[str]) -> list[str]:
    """The parts that hold evidence and the heading over each, with gaps for the others; long runs lose their middle."""
    wanted = {number for number, part in enumerate(parts) if "**" in part}
    headings = [number for number, part in enumerate(parts) if _HEADING.match(part.strip("*"))]
    wanted |= {max(earlier) for number in wanted if (earlier := [head for head in headings if head <= number])}
    first, last = sorted(wanted)[: _MOST // 2], sorted(wanted)[-_MOST // 2 :]
    kept: list[str] = []
    for number, part in enumerate(parts):
        if number in first or number in last:
            kept.append(
                part if len(part) <= _LONG else f"{part[:_LONG].rpartition(' ')[0]} {_GAP}{'**' * (part[-2:] == '**')}"
            )
        elif kept[-1:] != [_GAP]:
            kept.append(_GAP)
    return kept


def _quote(text: str) -> str:
    escaped = text.replace("<explanation>", "&lt;explanation>").replace("</explanation>", "&lt;/explanation>")
    escaped = escaped.replace("<answer>", "&lt;answer>").replace("</answer>", "&lt;/answer>")
    lines = [line if line else "" for part in escaped.split("\n") for line in (textwrap.wrap(part, 116) or [""])]
    return "\n".join(f"> {line}".rstrip() for line in lines)


if __name__ == "__main__":
    print(gallery(), end="")
