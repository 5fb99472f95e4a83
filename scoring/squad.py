"""Open questions as SQuAD scores them (arXiv 1606.05250, section 6.1): exact match and token F1, best of all golds."""

import re
import string
from collections import Counter
from collections.abc import Sequence

from nl_tasks.scoring.registry import register_scorer

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@register_scorer("squad_em")
def squad_em(answer: str, golds: Sequence[str]) -> float:
    """1 if the tokens of `answer` are those of any gold answer in the same order, else 0."""
    return float(any(_tokens(answer) == _tokens(gold) for gold in golds))


@register_scorer("squad_f1")
def squad_f1(answer: str, golds: Sequence[str]) -> float:
    """Harmonic mean of precision and recall of the tokens, as multisets; the best over all gold answers."""
    return max((_f1(_tokens(answer), _tokens(gold)) for gold in golds), default=0.0)


def _tokens(text: str) -> list[str]:
    """Lower-case tokens without punctuation and articles; a text of nothing else keeps what it has."""
    lower = text.lower()
    bare = lower.translate(_PUNCTUATION)
    return _ARTICLES.sub(" ", bare).split() or bare.split() or lower.split()


def _f1(said: list[str], gold: list[str]) -> float:
    shared = (Counter(said) & Counter(gold)).total()
    return 2 * shared / (len(said) + len(gold)) if shared else 0.0
