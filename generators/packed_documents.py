"""Documents packed to the token: the one asked about at its depth, others whole around it, an excerpt to fill up.

All documents stand as they are in the source, but for one: from a document that would not fit whole come only some
sentences, marked as an excerpt.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from nl_tasks.generators.fitting import MARGIN, Draft
from nl_tasks.generators.qa_corpus import Corpus, Question
from nl_tasks.generators.randomness import Key
from nl_tasks.generators.tokenizers import Tokenizer
from nl_tasks.generators.units import Frame, Mark, UnitsBody

_EXCERPT = "[...]"
_NEXT = "\n\nDocument"
_PIECES = 128
_SPARE = 32
_CLOSING = 4 * MARGIN
_NUMBERS = 16  # tokens: what the number of the document asked about may grow by, wherever the prompt names it
_LONGEST_PIECE = 160  # characters: a longer sentence leaves gaps that the others cannot close
_MOST_DOCUMENTS = 10000  # to look through for sentences
_SENTENCE = re.compile(r"(\s*)(\S(?:[^\n]*?[.!?][\"')\]]*(?=\s|$)|[^\n]*))")


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

    def _most(self, costs: "DocumentCosts") -> int:
        """How many documents may come whole when none comes twice: the last ones are kept for excerpts."""
        left, pieces, tokens = len(self._corpus.documents) - 1, 0, 0
        while left and (pieces < _PIECES or tokens < costs.largest + _CLOSING):
            left -= 1
            found = costs.pieces(self._other(left))
            pieces, tokens = pieces + len(found.texts), tokens + sum(found.tokens)
        return left

    def _pool(self, fillers: int, costs: "DocumentCosts") -> "Pieces":
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
        texts = [_EXCERPT if number is None else documents[number] for number in numbers]
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


@dataclass(frozen=True)
class Pieces:
    """Sentences or lines of documents, each with a space or a line break before it, and their tokens."""

    texts: list[str]
    tokens: list[int]


class DocumentCosts:
    """Tokens of the documents of a corpus, each counted when it is first used."""

    def __init__(self, corpus: Corpus, tokenizer: Tokenizer) -> None:
        self._corpus, self._tokenizer = corpus, tokenizer
        self._documents: dict[int, int] = {}
        self._headings: dict[int, int] = {}
        self._pieces: dict[int, Pieces] = {}
        # An excerpt ends with a full stop as a rule; its sentences are counted for themselves
        self.excerpt = tokenizer.count(_EXCERPT) + self.closed(".") - tokenizer.count(".")

    def closed(self, text: str) -> int:
        """Tokens of a text with the blank line after it, which a tokenizer may join with its last character."""
        return self._tokenizer.count(text + _NEXT) - self._tokenizer.count(_NEXT.strip())

    def document(self, number: int) -> int:
        """Tokens of a document and the blank line after it."""
        if number not in self._documents:
            self._documents[number] = self.closed(self._corpus.documents[number])
        return self._documents[number]

    @cached_property
    def largest(self) -> int:
        """Tokens of the longest document."""
        return max(map(self.document, range(len(self._corpus.documents))))

    def heading(self, place: int) -> int:
        """Tokens of the heading of the document at `place`, from 1, with the blank line after it."""
        if place not in self._headings:
            self._headings[place] = self._tokenizer.count(f"Document {place}\n\nA") - self._tokenizer.count("A")
        return self._headings[place]

    def pieces(self, number: int) -> Pieces:
        """The sentences of a document that are not too long; what ends a line ends a sentence."""
        if number not in self._pieces:
            found = _SENTENCE.findall(self._corpus.documents[number])
            texts = [("\n" if "\n" in lead else " ") + text.rstrip() for lead, text in found]
            texts = [text for text in texts if len(text) <= _LONGEST_PIECE]
            count = self._tokenizer.count
            tokens = [count("." + text) - count(".") if text[0] == "\n" else count(text) for text in texts]
            self._pieces[number] = Pieces(texts, tokens)
        return self._pieces[number]


@lru_cache(maxsize=8)
def document_costs(corpus: Corpus, tokenizer: Tokenizer) -> DocumentCosts:
    """The costs of `corpus` for `tokenizer`, filled as documents are used."""
    return DocumentCosts(corpus, tokenizer)
