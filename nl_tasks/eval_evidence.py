"""Where the evidence stands in what a model reads: characters of the prompt to tokens of the finished text."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def evidence_tokens(
    text: str, prompt: str, evidence: Iterable[Mapping[str, Any]], offsets: ArrayLike
) -> list[tuple[int, int]]:
    """Token ranges (start, end) of `evidence`, whose `start` and `end` are characters of `prompt`.

    `text` is what is tokenized, chat template included, and `offsets` `[T, 2]` are the characters that each of its
    tokens covers. A token that shares a character with the evidence belongs to it. Raises ValueError if the prompt is
    not found in the text, or a span has no token.
    """
    at = text.find(prompt)
    if at < 0:
        raise ValueError("the chat template changes the prompt: its evidence cannot be found again")
    covered = np.asarray(offsets, dtype=np.int64).reshape(-1, 2)
    ranges = []
    for span in evidence:
        first, last = at + span["start"], at + span["end"]
        tokens = np.flatnonzero((covered[:, 0] < last) & (covered[:, 1] > first))
        if not len(tokens):
            raise ValueError(
                f"no token covers the evidence {span['start']}-{span['end']}: the tokenizer has no offsets"
            )
        ranges.append((int(tokens[0]), int(tokens[-1]) + 1))
    return ranges


def question_tokens(text: str, prompt: str, question: str, offsets: ArrayLike, default: int = 64) -> int:
    """Count the tokens from where `question` is asked for the last time to the end of what is read.

    These are the queries whose view of the evidence matters; `default` if the prompt does not hold the question.
    """
    at, within = text.find(prompt), prompt.rfind(question)
    if at < 0 or within < 0 or not question:
        return default
    covered = np.asarray(offsets, dtype=np.int64).reshape(-1, 2)
    return max(1, len(covered) - int(np.count_nonzero(covered[:, 1] <= at + within)))
