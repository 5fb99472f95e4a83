"""Readers that answer the RULER and QA tasks from the prompt's text alone, and share no code with the generators.

Each returns what the answer must be (a set of strings), or raises ValueError for a text it cannot make sense of.
"""

import re
from collections import Counter


def niah(prompt: str) -> set[str]:
    """Every code that a key is given in the list, for the keys that are asked for."""
    before, context = _parts(prompt)
    codes: dict[str, list[str]] = {}
    for key, code in re.findall(r"^The code for ([\w-]+) is ([\w-]+)\.", context, re.MULTILINE):
        codes.setdefault(key, []).append(code)
    asked = re.findall(r"^\d+\. ([\w-]+)$", before, re.MULTILINE)
    if not asked or any(len(codes.get(key, [])) != 1 for key in asked):
        raise ValueError("a key that is asked for has not exactly one code")
    return {f"{key}: {codes[key][0]}" for key in asked}


def vt(prompt: str) -> set[str]:
    """The variables with the value asked for, by one reading from the first sentence to the last."""
    before, context = _parts(prompt)
    values: dict[str, str] = {}
    for name, other, number in re.findall(r"\bLet ([A-Z]{5}) be (?:equal to ([A-Z]{5})|(\d{5}))\.", context):
        if name in values or (other and other not in values):
            raise ValueError(f"{name} is given a value twice, or by a variable that has none yet")
        values[name] = number or values[other]
    wanted = _only(r"have the value (\d{5})", before)
    return {name for name, value in values.items() if value == wanted}


def cwe(prompt: str) -> set[str]:
    """The words that come most often in the list; there must be a gap below them."""
    before, context = _parts(prompt)
    return _most_common(re.findall(r"^\d+\. ([a-z]+)$", context, re.MULTILINE), _number(before))


def fwe(prompt: str) -> set[str]:
    """The words that come most often in the text; there must be a gap below them."""
    before, context = _parts(prompt)
    return _most_common(re.findall(r"[a-z]+", context), _number(before))


def document(prompt: str) -> str:
    """The document that the question is about."""
    before, context = _parts(prompt)
    number = _only(r"About document (\d+):", before)
    return _only(rf"(?:\A|\n\n)Document {number}\n\n(.*?)(?=\n\nDocument \d+\n\n|\Z)", context)


def options(prompt: str) -> dict[str, str]:
    """The options of the question by their letters."""
    return dict(re.findall(r"^([A-H])\. (.*)$", _parts(prompt)[0], re.MULTILINE))


def _parts(prompt: str) -> tuple[str, str]:
    """What stands before the context, and the context."""
    before, opening, rest = prompt.partition("<context>\n")
    context, closing, after = rest.partition("\n</context>")
    if not (opening and closing and after):
        raise ValueError("there is no context, or no question after it")
    return before, context


def _most_common(found: list[str], count: int) -> set[str]:
    ranked = Counter(found).most_common(count + 1)
    if len(ranked) <= count or ranked[count - 1][1] <= ranked[count][1]:
        raise ValueError(f"there are no {count} most common words: {ranked}")
    return {word for word, _ in ranked[:count]}


def _number(before: str) -> int:
    return int(_only(r"What are the (\d+) most (?:common|frequent) words", before))


def _only(pattern: str, text: str) -> str:
    found = set(re.findall(pattern, text, re.DOTALL))
    if len(found) != 1:
        raise ValueError(f"{pattern!r} is there {len(found)} times")
    return str(found.pop())
