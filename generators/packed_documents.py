"""Documents packed to the token: the one asked about at its depth, others whole around it, an excerpt to fill up.

All documents stand as they are in the source, but for one: sentences of further documents, together as an excerpt.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nl_tasks.generators.document_costs import EXCERPT, DocumentCosts, Pieces, document_costs
from nl_tasks.generators.fitting import MARGIN, Draft
from nl_tasks.generators.qa_corpus import Corpus, Question
from nl_tasks.generators.randomness import Key
from nl_tasks.generators.tokenizers import Tokenizer
from nl_tasks.generators.units import Frame, Mark, UnitsBody

_PIECES = 128
_SPARE = 32
_CLOSING = 4 * MARGIN
_NUMBERS = 16  # tokens: what the number of the document asked about may grow by, wherever the prompt names it
_MOST_DOCUMENTS = 10000  # to look through for sentences


class PackedDraft(Draft):
    """A question's document, and as many others as the length allows.

    `around` gives the prompt around the documents, from the number of the one asked about. That one comes once; with
    `repeat` the others come again when all have been used.
    """

    def __init__(
        self, key: Key, corpus: Corpus, question: Question, around: Callable[[int], Frame], *, chat: bool, repeat: bool
    ) -> None:
        self._key, self._corpus, self._question, self._around = key, corpus, question, around
        self.chat, self._repeat = chat, repeat
        self._order: list[int] = []
        self._laps = 0
        if len(corpus.documents) < 2:
            raise ValueError("the source has a single document: at least 2 are needed")

    def smallest(self, tokenizer: Tokenizer) -> int:
        """The fewest tokens: the document asked about, and an excerpt of another."""
        return self._lay(0, tokenizer).tokens + MARGIN

    def longest(self, tokenizer: Tokenizer) -> int:
        """The most tokens that the documents fill when none comes twice."""
        return _longest(self._lay(self._most(document_costs(self._corpus, tokenizer)), tokenizer))

    def body(self, length: int, tokenizer: Tokenizer) -> UnitsBody:
        """As many other documents as fit. Raises ValueError if there are too few, naming the longest that works."""
        costs = document_costs(self._corpus, tokenizer)
        room = length - MARGIN - _NUMBERS - self._lay(0, tokenizer).tokens
        most, fillers = self._most(costs), 0
        while self._repeat or fillers < most:
            room -= costs.document(self._other(fillers)) + costs.heading(fillers + 3)
            if room < 0:
                return self._lay(fillers, tokenizer)
            fillers += 1
        body = self._lay(fillers, tokenizer)
        if length > _longest(body):
            raise ValueError(
                f"length {length} is too long for the {len(self._corpus.documents)} documents of the source: "
                f"the longest they fill is {_longest(body)}; allow_repeat=true lets documents come twice"
            )
        return body

    def _other(self, place: int) -> int:
        """The document at a place in the random order of those not asked about."""
        while place >= len(self._order):
            lap = self._key.stream(f"documents {self._laps}").permutation(len(self._corpus.documents)).tolist()
            self._order += [number for number in lap if number != self._question.document]
            self._laps += 1
        return self._order[place]

    def _most(self, costs: DocumentCosts) -> int:
        """How many documents may come whole when none comes twice: the last ones are kept for excerpts."""
        left, pieces, tokens = len(self._corpus.documents) - 1, 0, 0
        while left and (pieces < _PIECES or tokens < costs.largest + _CLOSING):
            left -= 1
            found = costs.pieces(self._other(left))
            pieces, tokens = pieces + len(found.texts), tokens + sum(found.tokens)
        return left

    def _pool(self, fillers: int, costs: DocumentCosts) -> Pieces:
        """Sentences of the documents after the first `fillers`: as many tokens as the next has, and some to choose."""
        texts: list[str] = []
        tokens: list[int] = []
        wanted, place = _CLOSING, fillers
        while self._repeat or place < len(self._corpus.documents) - 1:
            if place == fillers:
                wanted += costs.document(self._other(place))
            pieces = costs.pieces(self._other(place))
            texts += pieces.texts
            tokens += pieces.tokens
            place += 1
            if (len(texts) >= _PIECES and sum(tokens) >= wanted) or place > fillers + _MOST_DOCUMENTS:
                break
        return Pieces(texts, tokens)

    def _lay(self, fillers: int, tokenizer: Tokenizer) -> UnitsBody:
        costs = document_costs(self._corpus, tokenizer)
        target = self._question.document
        numbers: list[int | None] = [self._other(place) for place in range(fillers)]
        sizes = [costs.document(number) for number in numbers if number is not None]
        before = np.cumsum([0, *sizes])
        numbers.insert(int(np.argmin(np.abs(before - self._key.depth("document") * before[-1]))), target)
        excerpt = self._key.stream("excerpt").one(len(numbers) + 1)
        numbers.insert(excerpt, None)
        documents = self._corpus.documents
        headings = [f"\n\nDocument {place}\n\n" for place in range(1, len(numbers) + 1)]
        texts = [EXCERPT if number is None else documents[number] for number in numbers]
        asked = numbers.index(target)
        span, role = self._question.span or (0, len(texts[asked])), "answer" if self._question.span else "document"
        marks = [Mark(asked, len(headings[asked]) + span[0], len(headings[asked]) + span[1], role)]
        around = self._around(asked + 1)
        last = numbers[-1]
        tail = "." if last is None else documents[last][-20:].split(" ")[-1]
        tokens = around.tokens(f"Document 1\n\n{tail}", costs.heading(1) + costs.closed(tail), tokenizer)
        tokens += sum(sizes) + costs.document(target) + costs.excerpt
        tokens += sum(costs.heading(place) for place in range(1, len(numbers) + 1))
        pool = self._pool(fillers, costs)
        units = list(map("".join, zip(headings, texts)))
        return _PackedBody(around, units, marks, tokens, pool.texts, np.array(pool.tokens), np.zeros(0), excerpt)


def _longest(body: UnitsBody) -> int:
    return body.tokens + int(body.padding_costs[:-_SPARE].sum())


@dataclass
class _PackedBody(UnitsBody):
    """Documents in order; `excerpt` is the number of the one that padding goes to."""

    excerpt: int

    def padded(self, padding: Sequence[int]) -> list[str]:
        """The documents, with these sentences in the excerpt."""
        units = self.units.copy()
        units[self.excerpt] += "".join(self.padding[number] for number in sorted(padding))
        return units
