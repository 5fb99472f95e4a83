"""What a model reads of one sample: the tokens, and where in them the evidence and the question are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nl_tasks.eval_evidence import evidence_tokens, question_tokens


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One sample as tokens.

    Attributes:
        id: The sample's id.
        tokens: All that is read.
        evidence: Ranges (first, end) of tokens.
        question: How many of the last tokens ask the question.
        budget: Tokens that may be said.
    """

    id: str
    tokens: tuple[int, ...]
    evidence: tuple[tuple[int, int], ...]
    question: int
    budget: int

    @property
    def size(self) -> tuple[int, int]:
        """What samples must share to be read in one batch without padding."""
        return len(self.tokens), self.budget


def read(tokenizer: Any, text: str, doc: Mapping[str, Any], *, chat: bool, budget: int) -> Reading:
    """Tokens of `text`, which holds the prompt of `doc`; with a `chat` template that alone decides about BOS.

    Raises ValueError if prompt or evidence cannot be found again.
    """
    found = tokenizer(text, add_special_tokens=not chat, return_offsets_mapping=True)
    offsets = found["offset_mapping"]
    return Reading(
        id=doc["id"],
        tokens=tuple(found["input_ids"]),
        evidence=tuple(evidence_tokens(text, doc["prompt"], doc["evidence"], offsets)),
        question=question_tokens(text, doc["prompt"], doc["question"], offsets),
        budget=budget,
    )
