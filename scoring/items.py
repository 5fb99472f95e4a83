"""Several questions at once: the share of numbered answers that match exactly."""

from collections.abc import Sequence

from nl_tasks.scoring.extract import leading_list
from nl_tasks.scoring.normalise import normalise
from nl_tasks.scoring.numbered import numbered_answers
from nl_tasks.scoring.registry import register_scorer


@register_scorer("items", plain=leading_list)
def items(answer: str, golds: Sequence[str]) -> float | None:
    """Share of `golds` (one for each question, in order) whose numbered answer has the same content."""
    said = numbered_answers(answer, len(golds))
    if not said:
        return None
    right = sum(normalise(said.get(number, "")) == normalise(gold) for number, gold in enumerate(golds, 1))
    return right / len(golds)
