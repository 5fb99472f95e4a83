"""A sample short enough for a page: the passages that hold evidence, in bold, and gaps between them.

    print(excerpt(sample, most=6))

Made for the gallery and for dataset cards.
"""

import re
import textwrap

from nl_tasks.generators.sample import Sample

GAP = "[...]"
_CONTEXT = ("<context>\n", "\n</context>")
_HEADING = re.compile(r"(?:Chapter|Document) \d+\.?$")
_LONG = 1200  # characters of a passage
_WIDTH = 116
_BREAK = "  "  # Markdown's way to keep a line break within a paragraph
_TAG = re.compile(r"<(?=/?(?:context|explanation|answer)>)")


def excerpt(sample: Sample, *, most: int = 24, long: int = _LONG) -> str:
    """The prompt of `sample` as a Markdown quotation, whole but for its context.

    Of the context come at most `most` paragraphs or lines with evidence, each of about `long` characters at most, and
    the heading over each.
    """
    parts = _marked(sample, most, long).split("\n")
    lines = []
    for part, following in zip(parts, [*parts[1:], ""]):
        wrapped = _wrapped(part) or [""]
        lines += [f"> {line}".rstrip() for line in wrapped]
        if part and following:
            lines[-1] += _BREAK
    return "\n".join(lines)


def _marked(sample: Sample, most: int, long: int) -> str:
    """The prompt with evidence in bold, and of the context only the paragraphs or lines that hold some."""
    pieces, at = [], 0
    for start, end in sorted({(span.start, span.end) for span in sample.evidence}):
        if start >= at:  # of two that overlap the first one
            pieces += [sample.prompt[at:start], *map(_bold, sample.prompt[start:end].splitlines(keepends=True))]
            at = end
    text = "".join([*pieces, sample.prompt[at:]])
    before, opening, rest = text.partition(_CONTEXT[0])
    context, closing, after = rest.partition(_CONTEXT[1])
    if not closing:
        return _TAG.sub("&lt;", text)
    joint = "\n\n" if "\n\n" in context else "\n"
    parts = _shortened(context.split(joint), most, long)
    shown = "\n\n".join([opening.strip(), joint.join(parts), closing.strip()])
    return _TAG.sub("&lt;", before + shown + after)


def _bold(line: str) -> str:
    """A line, or a part of one, in bold; Markdown wants no white space within the marks, and none before them."""
    end = "\n" if line.endswith("\n") else ""
    return f"**{line.strip()}**{end}" if line.strip() else line


def _shortened(parts: list[str], most: int, long: int) -> list[str]:
    """The parts that hold evidence and the heading over each, with gaps for the others; long runs lose their middle."""
    wanted = {number for number, part in enumerate(parts) if "**" in part}
    headings = [number for number, part in enumerate(parts) if _HEADING.match(part.strip("*"))]
    chosen = sorted(wanted)
    chosen = chosen if len(chosen) <= most else [*chosen[: most // 2], *chosen[-(most // 2) :]]
    heads = {max(earlier) for number in chosen if (earlier := [head for head in headings if head <= number])}
    kept: list[str] = []
    for number, part in enumerate(parts):
        if number in heads or number in chosen:
            kept.append(part if len(part) <= long else _cut(part, long))
        elif kept[-1:] != [GAP]:
            kept.append(GAP)
    return kept


def _cut(part: str, long: int) -> str:
    """The beginning of a long passage; bold that is open there is closed."""
    begun = part[:long].rpartition(" ")[0]
    return f"{begun}{'**' * (begun.count('**') % 2)} {GAP}"


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, _WIDTH, break_long_words=False, break_on_hyphens=False)
