"""Multiple choice: the letters chosen, all of them and no others."""

import re
from collections.abc import Sequence

from nl_tasks.scoring.normalise import fold, normalise
from nl_tasks.scoring.registry import register_scorer

_FILLERS = set("and or the is are my final correct right answer answers option options choice choices".split())
_LONGEST = 40  # words of an answer that holds letters alone
_LETTER = r"(?-i:[B-HJ-Z]|A(?!\s+[a-z]))"  # capital, and neither the article `A` nor the pronoun `I`
_LEAD = re.compile(r"^[\s*_(\[>-]{0,9}([A-Za-z])[\s*_]{0,9}[.):\]-]", re.MULTILINE)
_NAMED = re.compile(
    r"\b(?:answers?|options?|choices?|letters?)\b(?:\s{1,9}(?:is|are|would\sbe))?[\s:*_(\"'\[]{0,9}"
    rf"({_LETTER}|[a-z](?=[\W_]{{0,9}}\Z))(?![\w'])",
    re.IGNORECASE,
)
_BARE = re.compile(rf"(?<![\w'])({_LETTER})(?![\w'])", re.IGNORECASE)


@register_scorer("choice")
def choice(answer: str, golds: Sequence[str]) -> float | None:
    """1 if the letters read from `answer` are all the letters of `golds` (`["AC"]` or `["A", "C"]`), else 0.

    Read are, in this order: an answer of letters alone (`B`, `A, C`, `AC`, `(b)`); letters that begin the lines
    (`B. The dog barked`); the letter that is named last (`The correct answer is B`); capital letters that stand
    alone.
    """
    letters = _read(answer)
    wanted = {letter for gold in golds for letter in fold(gold) if letter.isalpha()}
    return float(letters == wanted) if letters else None


def _read(answer: str) -> set[str]:
    text = answer.strip()
    bare = normalise(text)
    if re.fullmatch(r"[a-z]", bare) or (re.fullmatch(r"[A-Z]{2,5}", text) and len(set(text)) == len(text)):
        return set(bare)
    words = re.findall(r"[^\W_]+", text.casefold())
    letters = {word for word in words if re.fullmatch(r"[a-z]", word)}
    if len(words) <= _LONGEST and all(word in _FILLERS or word in letters for word in words):
        return letters
    for pattern, all_of_them in ((_LEAD, True), (_NAMED, False), (_BARE, True)):
        if found := pattern.findall(text):
            return {letter.casefold() for letter in (found if all_of_them else found[-1:])}
    return set()
