"""Values of keys: the share of pairs that were given exactly.

A gold answer is `key: value`; a key with several values comes in several gold answers. A prediction may write its
pairs in any order and in many ways: `key: value`, `key = value`, `the value of **key** is <value>`, one on a line or
all in one. Values without keys are taken in the order of the questions, if they are numbered or there are as many as
are asked for. A key with `m` values in the gold answers may be given `m`; of more, the last ones count.
"""

import re
from collections.abc import Sequence

from nl_tasks.scoring.extract import leading_list
from nl_tasks.scoring.normalise import fold, normalise
from nl_tasks.scoring.numbered import numbered_answers
from nl_tasks.scoring.registry import register_scorer

_SIGN = re.compile(r"[\s*_'\">)\]}]*+(?:[:=→]|[-=]>|-(?=\s))?\s*+")
_LINK = re.compile(r"(?:(?:is|was|are|has|have|the|value|values|answer|code|maps|to|for|of|key)\b[\s:=*_]{0,9}){0,9}")
_LEADS_ON = re.compile(r"(?:the|value|of|for|key|and|answer|\d{1,3}[.)])")  # what a line has before its next key
_WRAPS = " \"'()[]<>{}*"
_SEVERAL = re.compile(r"[,;\n]|\band\b")


@register_scorer("pairs", plain=leading_list)
def pairs(answer: str, golds: Sequence[str]) -> float | None:
    """Share of `golds` that `answer` gives. Raises ValueError for a gold that is not `key: value`."""
    wanted = [tuple(map(normalise, gold.split(":", 1))) for gold in golds]
    if not wanted or any(len(pair) != 2 for pair in wanted):
        raise ValueError(f"answers={list(golds)!r} is out of range: one or more of the form 'key: value'")
    keys = [key for key, _ in wanted]
    said = _by_key(answer, keys)
    if not said:
        values = numbered_answers(answer, len(wanted))
        said = {key: [] for key in keys if values}
        for number, value in sorted(values.items()):
            said[keys[number - 1]].append({normalise(value)})
    if not said:
        return None
    right = 0
    for key, value in wanted:
        right += any(value in readings for readings in said.get(key, [])[-keys.count(key) :])
    return right / len(wanted)


def _by_key(answer: str, keys: Sequence[str]) -> dict[str, list[set[str]]]:
    """The values given for each key, in order, each as the ways in which it can be read."""
    said: dict[str, list[set[str]]] = {}
    text = fold(answer)
    names = "|".join(map(re.escape, sorted(set(keys), key=len, reverse=True)))
    places = list(re.finditer(rf"(?<![\w-])(?:{names})(?![\w-])", text))
    ends = [place.start() for place in places[1:]] + [len(text)]
    for place, end in zip(places, ends):
        begin = _SIGN.match(text, place.end(), end)
        rest = text[begin.end() if begin else place.end() : end]
        several = keys.count(place[0]) > 1
        for value in _SEVERAL.split(rest) if several else [rest.partition("\n")[0]]:
            cut = value if "\n" in rest and not several else _without_lead(value)
            readings = _readings(value) | _readings(cut) if cut else set()
            values = said.setdefault(place[0], [])
            if readings and readings not in values:
                values.append(readings)
            elif readings:  # said again: it is the latest now
                values.append(values.pop(values.index(readings)))
    return {key: values for key, values in said.items() if values}


def _readings(value: str) -> set[str]:
    """`value`, and `value` without quotes, brackets and the words that link it to its key: `is`, `has the value`."""
    link = _LINK.match(value)
    bare = value[link.end() :] if link else value
    both = {normalise(reading.strip(strip)) for reading in (value, bare) for strip in (" ", _WRAPS)}
    return {reading for reading in both if re.search(r"\w", reading)}


def _without_lead(value: str) -> str:
    """`value` without what leads on to the next pair of its line: a comma, `and`, `the value of`, a list number."""
    while True:
        value = value.rstrip(" ,;(*_'\"<[{")
        before, _, last = value.rpartition(" ")
        if not _LEADS_ON.fullmatch(last):
            return value
        value = before
