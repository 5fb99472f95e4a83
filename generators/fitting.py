"""To the token: fill a draft with the text around its evidence until the prompt has exactly the tokens asked for.

The draft adds up what its sentences cost and stops a little short; sentences of the right sizes close the gap; the
whole prompt is then counted once with the tokenizer. Where that count disagrees (a tokenizer that does not split at
spaces), the difference is added to the gap and other sentences are tried.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from nl_tasks.generators.sample import Evidence
from nl_tasks.generators.tokenizers import Tokenizer

MARGIN = 48
"""Tokens: most gaps at least this wide can be closed with padding sentences."""

_ATTEMPTS = 24
_SMALLER = 16
"""Arrangements of a draft to try, each smaller than the one before, until the gap can be closed."""


class NoPadding(ValueError):
    """No choice of padding sentences closes a gap."""


@dataclass(frozen=True)
class Fitted:
    """A finished prompt and what belongs to it."""

    prompt: str
    question: str
    answers: list[str]
    evidence: list[Evidence]
    depths: list[float]


class Body(ABC):
    """A draft arranged for one length: `tokens` in all so far, and `padding_costs` int64 `[n]` of sentences to add."""

    tokens: int
    padding_costs: np.ndarray

    @abstractmethod
    def finish(self, padding: Sequence[int]) -> Fitted:
        """The prompt with the padding sentences of these numbers added."""


class Draft(ABC):
    """A sample whose length is still open; `chat` says whether a chat template is to be counted."""

    chat: bool

    @abstractmethod
    def smallest(self, tokenizer: Tokenizer) -> int:
        """The fewest tokens that can hold the sample."""

    @abstractmethod
    def body(self, length: int, tokenizer: Tokenizer) -> Body:
        """The largest arrangement that leaves at least `MARGIN` of `length` tokens, or else the smallest there is."""


def fit(draft: Draft, length: int, tokenizer: Tokenizer) -> Fitted:
    """The draft at exactly `length` tokens. Raises ValueError naming the smallest length if it does not fit."""
    body = draft.body(length, tokenizer)
    if length - body.tokens < MARGIN:
        smallest = draft.smallest(tokenizer)
        raise ValueError(f"length {length} is too short for this task: the smallest that works is {smallest}")
    for _ in range(_SMALLER):
        with suppress(NoPadding):
            if fitted := _padded(body, length, draft.chat, tokenizer):
                return fitted
        smaller = draft.body(body.tokens + MARGIN - 1, tokenizer)
        if smaller.tokens >= body.tokens:
            break
        body = smaller
    raise ValueError(f"tokenizer {tokenizer.name!r} gives no prompt of exactly {length} tokens; please report this")


def _padded(body: Body, length: int, chat: bool, tokenizer: Tokenizer) -> Fitted | None:
    """The body with padding that makes it `length` tokens; None if the tokenizer counts otherwise whatever is tried."""
    gap = length - body.tokens
    for attempt in range(_ATTEMPTS):
        fitted = body.finish(close_gap(body.padding_costs, gap, skip=attempt))
        counted = tokenizer.count_prompt(fitted.prompt, chat=chat)
        if counted == length:
            return fitted
        gap += length - counted
    return None


def close_gap(costs: np.ndarray, gap: int, skip: int = 0) -> list[int]:
    """Numbers of sentences whose costs sum to `gap`: the first ones, then two or three that fit what is left.

    `skip` leaves out that many of the solutions. Raises NoPadding if no choice fits.
    """
    chosen: list[int] = []
    left = gap
    # Two usual sentences have many sums around this, three have all those up to one sentence more.
    reserve = min(MARGIN, 2 * int(np.median(costs)))
    for number, cost in enumerate(costs.tolist()):
        if left - cost < reserve:
            break
        chosen.append(number)
        left -= cost
    for third in [0, *costs[len(chosen) :].tolist()]:
        spare = np.arange(len(chosen), len(costs))
        start = [] if third == 0 else [int(spare[int(np.flatnonzero(costs[spare] == third)[0])])]
        spare = np.setdiff1d(spare, start)
        singles = [[int(i)] for i in spare[costs[spare] == left - third]]
        sums = costs[spare][:, None] + costs[spare][None, :]
        pairs = [[int(spare[i]), int(spare[j])] for i, j in np.argwhere(np.triu(sums == left - third, 1))]
        solutions = pairs + singles
        if left == third:
            solutions.append([])
        if len(solutions) > skip:
            return chosen + start + solutions[skip]
        skip -= len(solutions)
    raise NoPadding(f"no padding sentences sum to {gap} tokens")
