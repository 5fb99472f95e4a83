"""Metrics by name, and what each gives: a `Score`.

A metric is a function `(answer: str, golds: Sequence[str]) -> float | None` of the answer that was found in a
prediction: a value in [0, 1], or None if the answer cannot be read. `NAME:plain` is the same metric for predictions
without tags, see `extract`.
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nl_tasks.scoring.extract import first_line, tagged_answer


@dataclass(frozen=True)
class Score:
    """One prediction's score: `value` in [0, 1]; `parsed` whether an answer could be read; `answer` as it was read."""

    value: float
    parsed: bool
    answer: str


Scorer = Callable[[str | None, Sequence[str]], Score]
Metric = Callable[[str, Sequence[str]], float | None]
Extract = Callable[[str], str | None]

_SCORERS: dict[str, Scorer] = {}


def register_scorer(name: str, *, plain: Extract = first_line) -> Callable[[Metric], Metric]:
    """Decorator: make a metric known as `name` (for tagged answers) and `name:plain` (`plain` finds the answer).

    Raises ValueError if the name is taken.
    """

    def decorate(metric: Metric) -> Metric:
        if name in _SCORERS:
            raise ValueError(f"a scorer named {name!r} is registered already")
        _SCORERS[name] = _scorer(metric, tagged_answer)
        _SCORERS[f"{name}:plain"] = _scorer(metric, plain)
        return metric

    return decorate


def get_scorer(name: str) -> Scorer:
    """The scorer of a sample's column `metric`. Raises ValueError naming the nearest names."""
    if name not in _SCORERS:
        near = difflib.get_close_matches(name, _SCORERS, n=3) or sorted(_SCORERS)
        raise ValueError(f"unknown metric {name!r}; the nearest are {', '.join(near)}")
    return _SCORERS[name]


def scorers() -> list[str]:
    """The names of all metrics."""
    return sorted(_SCORERS)


def _scorer(metric: Metric, extract: Extract) -> Scorer:
    def score(prediction: str | None, answers: Sequence[str]) -> Score:
        if isinstance(answers, str):
            raise ValueError(f"answers={answers!r} is out of range: a list of strings")
        answer = extract(prediction or "")
        value = None if answer is None else metric(answer, answers)
        return Score(value=value or 0.0, parsed=value is not None, answer=answer or "")

    return score
