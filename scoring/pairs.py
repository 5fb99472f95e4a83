"""Values of keys: the share of pairs that were given exactly.

A gold answer is `key: value`. A prediction may write its pairs in any order and in many ways: `key: value`,
`key = value`, `the value of **key** is <value>`, one on a line or all in one. Values without keys are taken in the
order of the questions, if they are numbered or there are as many as are asked for.
"""

import re
from collections.abc import Sequence

from nl_tasks.scoring.extract import leading_list
from nl_tasks.scoring.normalise import normalise
from nl_tasks.scoring.numbered import numbered_answers
from nl_tasks.scoring.registry import register_scorer

_LINK = re.compile(r"(?:[\W_]|\b(?:is|was|are|has|have|the|value|answer|code|maps|to|for|of|key|and)\b){0,40}")


@register_scorer("pairs", plain=leading_list)
def pairs(answer: str, golds: Sequence[str]) -> float | None:
    """Share of `golds` whose key `answer` gives the same value; of two values for one key the later counts."""
    wanted = [tuple(map(normalise, gold.split(":", 1))) for gold in golds]
    if any(len(pair) != 2 for pair in wanted):
        raise ValueError(f"answers={list(golds)!r} are not of the form 'key: value'")
    said = _by_key(answer, [key for key, _ in wanted])
    if not said:
        values = numbered_answers(answer, len(wanted))
        said = {key: normalise(values[number]) for number, (key, _) in enumerate(wanted, 1) if number in values}
    if not said:
        return None
    return sum(said.get(key) == value for key, value in wanted) / len(wanted)


def _by_key(answer: str, keys: Sequence[str]) -> dict[str, str]:
    """The value that follows each key, up to the next key or the end of its line."""
    said = {}
    names = "|".join(map(re.escape, sorted(keys, key=len, reverse=True)))
    for line in re.split(r"[\n;]", answer):
        text = " ".join(line.casefold().split())
        places = list(re.finditer(rf"(?<![\w-])(?:{names})(?![\w-])", text))
        ends = [place.start() for place in places[1:]] + [len(text)]
        for place, end in zip(places, ends):
            rest = text[place.end() : end]
            link = _LINK.match(rest)
            value = rest[link.end() if link else 0 :]
            if len(places) > 1:  # what leads to the next pair: a comma, a list number, `and`
                value = re.sub(
                    r"(?:[\s,;(]|\band\b|\b\d{1,3}[.)]|\bthe\b|\bvalue\b|\bof\b|\bfor\b|\bkey\b)+$", "", value
                )
            if normalise(value):
                said[place[0]] = normalise(re.sub(r"[>)\]}*`'\"\s]+$", "", value))
    return said
