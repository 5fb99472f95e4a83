"""Exact match: the answer is one of the gold answers, dress aside."""

from collections.abc import Sequence

from nl_tasks.scoring.normalise import normalise
from nl_tasks.scoring.registry import register_scorer


@register_scorer("exact_match")
def exact_match(answer: str, golds: Sequence[str]) -> float:
    """1 if `answer` and any of `golds` (ways to say the same) have the same content, else 0."""
    return float(normalise(answer) in map(normalise, golds))
