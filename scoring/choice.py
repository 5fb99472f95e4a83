"""Multiple choice: the letters chosen, all of them and no others."""

import re
from collections.abc import Sequence

from nl_tasks.scoring.normalise import normalise
from nl_tasks.scoring.registry import register_scorer

_ONLY = re.compile(
    r"[\W_]*(?:(?:and|or|option|options|answer|answers|choice|is)?[\W_]*\b[a-z]\b[\W_]*)+", re.IGNORECASE
)
_LEAD = re.compile(r"^[\s*_(\[>-]{0,9}([A-Za-z])[\s*_]{0,9}[.):\]-]", re.MULTILINE)
_NAMED = re.compile(
    r"\b(?:answers?|options?|choices?|letters?)\b(?:\s+(?:is|are|would be))?[\s:*_(\"']{0,9}([A-Z])\b(?!')",
    re.IGNORECASE,
)
_BARE = re.compile(r"(?<![\w'])(?:[B-HJ-Z]|A(?!\s+[a-z]))(?![\w'])")


@register_scorer("choice")
def choice(answer: str, golds: Sequence[str]) -> float | None:
    """1 if the letters read from `answer` are the letters of `golds`, else 0.

    Read are, in this order: an answer of letters alone (`B`, `A, C`, `AC`, `(b)`); letters that begin the lines
    (`B. The dog barked`); letters that are named (`The correct answer is B`); capital letters that stand alone.
    """
    letters = _read(answer)
    return None if not letters else float(letters == {letter.casefold() for gold in golds for letter in gold.strip()})


def _read(answer: str) -> set[str]:
    text = answer.strip()
    bare = normalise(text)
    if re.fullmatch(r"[a-z]", bare) or (re.fullmatch(r"[A-Z]{2,5}", text) and len(set(text)) == len(text)):
        return set(bare)
    if _ONLY.fullmatch(text[:200]) and len(text) <= 200:
        return set(re.findall(r"\b[a-z]\b", text.casefold()))
    for pattern, whole in ((_LEAD, True), (_NAMED, False), (_BARE, True)):
        if found := pattern.findall(text):
            return {letter.casefold() for letter in (found if whole else found[-1:])}
    return set()
