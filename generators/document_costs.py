"""What documents and their parts cost, as they stand in a prompt: counted once for a corpus and a tokenizer."""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from nl_tasks.generators.qa_corpus import Corpus
from nl_tasks.generators.tokenizers import Tokenizer

EXCERPT = "[...]"
"""What stands for a document of which only sentences come."""

_NEXT = "\n\nDocument"
_LONGEST_PIECE = 160  # characters: a longer sentence leaves gaps that the others cannot close
_SENTENCE = re.compile(r"(\s*)(\S(?:[^\n]*?[.!?][\"')\]]*(?=\s|$)|[^\n]*))")


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
        self.excerpt = tokenizer.count(EXCERPT) + self.closed(".") - tokenizer.count(".")

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
