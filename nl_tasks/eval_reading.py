"""What a model reads of one sample: the tokens, and where in them the evidence and the question are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


class Encodings:
    """Texts as tokens, kept for the next cell of the same samples: tokenizing may take longer than answering."""

    def __init__(self, tokenizer: Any, most: int = 2**24) -> None:
        """Use a fast `tokenizer` of transformers; forget everything when more than `most` tokens are held."""
        self._tokenizer, self._most, self._held = tokenizer, most, 0
        self._known: dict[tuple[str, bool], tuple[NDArray[np.int32], NDArray[np.int32]]] = {}

    def of(self, text: str, *, chat: bool) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Tokens `[T]` of `text` and the characters that each covers `[T, 2]`; a `chat` template decides about BOS."""
        if (text, chat) not in self._known:
            found = self._tokenizer(text, add_special_tokens=not chat, return_offsets_mapping=True)
            tokens = np.array(found["input_ids"], dtype=np.int32)
            if self._held + len(tokens) > self._most:
                self._known, self._held = {}, 0
            self._known[text, chat] = tokens, np.array(found["offset_mapping"], dtype=np.int32).reshape(-1, 2)
            self._held += len(tokens)
        return self._known[text, chat]

    def read(self, text: str, doc: Mapping[str, Any], *, chat: bool, budget: int) -> Reading:
        """What is read of `doc`, whose prompt `text` holds. Raises ValueError if prompt or evidence are not found."""
        tokens, offsets = self.of(text, chat=chat)
        return Reading(
            id=doc["id"],
            tokens=tuple(tokens.tolist()),
            evidence=tuple(evidence_tokens(text, doc["prompt"], doc["evidence"], offsets)),
            question=question_tokens(text, doc["prompt"], doc["question"], offsets),
            budget=budget,
        )
