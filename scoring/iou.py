"""Sets of numbers or names: intersection over union of what was said and what is right.

Numbers may be separated by anything and carry a label (`Chapters 3, 7 and 12`); number words are not read. Names of
one word may be separated by anything that is no letter, names of several words by `,`, `;`, `and` or a new line. List
numbers, bullets, and remarks in brackets are dress. `none` is the empty set.
"""

import re
from collections.abc import Sequence

from nl_tasks.scoring.extract import leading_list
from nl_tasks.scoring.normalise import normalise
from nl_tasks.scoring.registry import register_scorer

_EMPTY = {"none", "no chapter", "no chapters", "nothing", "empty", "-", "n/a", "0 chapters"}
_LIST_NUMBER = re.compile(r"^[\s*_(#-]{0,9}\d{1,6}\s?[.):\]][\s*_]{0,9}", re.MULTILINE)
_BRACKETS = re.compile(r"\([^()]{0,200}\)")
_COUNT = re.compile(r"\s*(?::|=|-|\bx)\s*\d+\s*(?:times|x)?\s*$", re.MULTILINE)
_PREAMBLE = re.compile(r"^[^:\n,;]{0,80}\s[^:\n,;]{0,80}:", re.MULTILINE)
_NAMES = re.compile(r"[,;\n/|]|\band\b")
_WORD = re.compile(r"\w(?:[\w'-]*\w)?")


@register_scorer("iou", plain=leading_list)
def iou(answer: str, golds: Sequence[str]) -> float | None:
    """Size of the intersection of what `answer` lists and `golds`, over the size of their union."""
    wanted = set(map(normalise, golds))
    said = set() if normalise(answer) in _EMPTY else _read(answer, wanted)
    if said is None:
        return None
    return len(said & wanted) / len(said | wanted) if said | wanted else 1.0


def _read(answer: str, wanted: set[str]) -> set[str] | None:
    """The normalised members that `answer` lists; None if it lists nothing. `wanted` tells what kind they are of."""
    if wanted and all(gold.isdecimal() for gold in wanted):
        lines = [line for line in answer.splitlines() if line.strip()]
        if len(lines) > 1 and all(re.search(r"\d", _LIST_NUMBER.sub("", line)) for line in lines):
            answer = "\n".join(_LIST_NUMBER.sub("", line) for line in lines)
        found = re.findall(r"\d+", answer)
        return {number.lstrip("0") or "0" for number in found} or None
    answer = _COUNT.sub("", _BRACKETS.sub("", _PREAMBLE.sub("", _LIST_NUMBER.sub("", answer))))
    if all(_WORD.fullmatch(gold) for gold in wanted):
        words = [word for word in _WORD.findall(normalise(answer.replace("_", " "))) if not word.isdecimal()]
        return {normalise(word) for word in words if word != "and"} or None
    return {normalise(name) for name in _NAMES.split(answer) if normalise(name)} or None
