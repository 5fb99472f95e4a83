"""Sets of numbers or names: intersection over union of what was said and what is right.

The gold answers tell which of the two it is. Numbers may be separated by anything and carry a label (`Chapters 3, 7
and 12`); number words, ranges (`3-7` is 3 and 7) and digit grouping (`1,200` is 1 and 200) are not read. Names of one
word may be separated by anything that is no letter, names of several words by `,`, `;`, `and` or a new line. List
numbers, bullets, and remarks in brackets are dress. `none` is the empty set.
"""

import re
from collections.abc import Sequence

from nl_tasks.scoring.extract import leading_set
from nl_tasks.scoring.normalise import filled_lines, fold, normalise
from nl_tasks.scoring.registry import register_scorer

_EMPTY = {"none", "no chapter", "no chapters", "nothing", "empty", "-", "n/a", "0 chapters", "empty set", "{}", "[]"}
_LIST_NUMBER = re.compile(r"^[\s*_(#-]{0,9}\d{1,6}\s?[.):\]、][\s*_]{0,9}")
_BRACKETS = re.compile(r"\([^()]{0,200}\)")
_COUNT = re.compile(r"(?: ?[:=-] ?| x ?)\d{1,9}(?: ?(?:times|x))?$")
_PREAMBLE = re.compile(r"^([^:,;]{0,160}):")
_NAMES = re.compile(r"[,;\n/|]|\band\b")
_WORD = re.compile(r"\w(?:[\w'-]*\w)?")


@register_scorer("iou", plain=leading_set)
def iou(answer: str, golds: Sequence[str]) -> float | None:
    """Size of the intersection of what `answer` lists and `golds`, over the size of their union."""
    wanted = set(map(normalise, golds)) - _EMPTY
    if normalise(answer) in _EMPTY:
        said: set[str] | None = set()
    elif not wanted:
        said = _numbers(answer) or _names(answer, one_word=False)
    elif all(gold.isdecimal() for gold in wanted):
        said = _numbers(answer)
        wanted = set(map(_bare, wanted))
    else:
        said = _names(answer, one_word=all(_WORD.fullmatch(gold) for gold in wanted))
    if said is None:
        return None
    return len(said & wanted) / len(said | wanted) if said | wanted else 1.0


def _numbers(answer: str) -> set[str] | None:
    lines = filled_lines(fold(answer))
    members = [_LIST_NUMBER.sub("", line) for line in lines]
    if len(lines) > 1 and all(re.search(r"\d", member) for member in members):
        lines = members  # otherwise what looks like list numbers are the members
    return set(map(_bare, re.findall(r"\d+", "\n".join(lines)))) or None


def _names(answer: str, one_word: bool) -> set[str] | None:
    lines = [_BRACKETS.sub("", _LIST_NUMBER.sub("", line)) for line in filled_lines(fold(answer))]
    text = "\n".join(_COUNT.sub("", _without_preamble(line).strip()) for line in lines)
    if one_word:
        words = [word for word in _WORD.findall(normalise(text.replace("_", " "))) if not word.isdecimal()]
        return {normalise(word) for word in words if word != "and"} or None
    return {normalise(name) for name in _NAMES.split(text) if re.search(r"\w", name)} or None


def _without_preamble(line: str) -> str:
    """`line` without `The names are:`; a single word before a colon is a member with a remark."""
    preamble = _PREAMBLE.match(line)
    return line[preamble.end() :] if preamble and " " in preamble[1].strip() else line


def _bare(number: str) -> str:
    return number.lstrip("0") or "0"
