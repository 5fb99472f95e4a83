"""Reading a list of numbered answers, however it is written.

Numbers may be `1.`, `1)`, `(1)`, `[1]`, `1:`, `1、`, `1 -`, `**1.**`, `Q1:`, `Answer 1:` or `1` alone, each on
a line of its own or all in one line. Of two answers to one number the later counts: it corrects the former. Numbers
out of range are ignored. Where nothing is numbered, lines (or the parts of one line, at `;` or else `,`) are taken in
order if there are as many as are asked for.
"""

import re
import unicodedata
from collections.abc import Iterable

from nl_tasks.scoring.normalise import filled_lines

_NUMBER = (
    r"\(?(?:question|answer|item|q|a|no\.|#)?\s{0,3}(?:(\d{1,6})\s{0,3}(?:[.):\]、]+|-(?=\s))|(\d{1,6})(?=\s+[^\W\d]))"
)
_LINE = re.compile(rf"[\s*_#>+•\[(-]{{0,12}}{_NUMBER}[\s*_]*(.*)", re.IGNORECASE)
_INLINE = re.compile(r"(?:(?<=[\s,;]))(?=[*_(\[]{0,4}(?:q|answer\s)?\d{1,6}[.):\]、])", re.IGNORECASE)
_LONELY = re.compile(r"[\W_]{0,9}\d{1,6}[.):\]、][\W_]{0,9}")


def numbered_answers(text: str, count: int) -> dict[int, str]:
    """Answers by their number, 1 to `count`; empty if `text` is no such list."""
    text = unicodedata.normalize("NFKC", text)
    lines = _join_lonely_numbers(filled_lines(text))
    answers = _by_number(lines, count)
    if len(lines) == 1:
        answers = max(answers, _by_number(_INLINE.split(text), count), key=len)
    if answers:
        return answers
    for parts in (lines, text.split(";"), text.split(",")):
        if len(parts) == count:
            return dict(enumerate(parts, 1))
    return {}


def _by_number(parts: Iterable[str], count: int) -> dict[int, str]:
    answers = {}
    for found in filter(None, map(_LINE.match, parts)):
        number, answer = int(found[1] or found[2]), found[3]
        if 1 <= number <= count and answer.strip():
            answers[number] = answer
    return answers


def _join_lonely_numbers(lines: list[str]) -> list[str]:
    """`lines` with each number that stands alone put before the words of the next line."""
    joined: list[str] = []
    for line in lines:
        if joined and _LONELY.fullmatch(joined[-1]) and not _LONELY.fullmatch(line):
            joined[-1] += f" {line}"
        else:
            joined.append(line)
    return joined
