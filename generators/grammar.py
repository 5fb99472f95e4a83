"""Sentences from templates, thousands at a time, with their token counts known before any is tokenized.

A `Line` is one place in a paragraph, with several templates for it: "{hero} reached {place} {when}." Slots in braces
are filled from the facts of the row (`hero`, `place`) or from a lexicon (`when`). Tokenizers split text at spaces
and punctuation before they do anything else, so the tokens of a sentence are the sum over its fixed parts and its
slots. That sum is exact for byte-level BPE; the finished prompt is counted once to make sure.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nl_tasks.generators.randomness import scale
from nl_tasks.generators.tokenizers import Tokenizer

_SLOT = re.compile(r"\{(\w+)\}")
_ANCHOR = "A"


@dataclass(frozen=True)
class Fact:
    """A slot's value in every row: `texts` `[n]`, and the tokens of each, int64 `[n]`.

    `spaced` counts the value with a space before it, `bare` after a blank line or a quotation mark.
    """

    texts: np.ndarray
    spaced: np.ndarray
    bare: np.ndarray


@dataclass(frozen=True)
class Line:
    """One place in a paragraph; `lead` goes before it: a space, or a blank line where it opens a paragraph.

    Every template has at least one slot.
    """

    name: str
    lead: str
    templates: tuple[str, ...]

    @property
    def draws(self) -> int:
        """How many random words a row needs: one to choose a template, one for each of its lexical slots."""
        return 1 + max(len(_SLOT.findall(template)) for template in self.templates)

    def render(
        self, words: np.ndarray, facts: Mapping[str, Fact], rows: np.ndarray, lexicon: "Lexicon", costs: "LineCosts"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Texts (object `[n]`) and their tokens (int64 `[n]`) for `rows` (int64 `[n]`) of the facts.

        `words` are random, uint32 `[n, draws]`: the first chooses a template, the others fill its lexical slots.
        """
        texts = np.empty(len(words), dtype=object)
        tokens = np.zeros(len(words), dtype=np.int64)
        chosen = scale(words[:, 0], len(self.templates))
        for number, (pattern, slots) in enumerate(self._patterns):
            picked = np.flatnonzero(chosen == number)
            if not picked.size:
                continue
            total = np.full(picked.size, costs.fixed[number])
            columns = []
            for place, (slot, spaced) in enumerate(slots, start=1):
                fact = facts.get(slot)
                if fact is not None:
                    row = rows[picked]
                    columns.append(fact.texts[row].tolist())
                    total += (fact.spaced if spaced else fact.bare)[row]
                else:
                    entry = scale(words[picked, place], len(lexicon.entries[slot]))
                    columns.append(lexicon.entries[slot][entry].tolist())
                    total += costs.words[slot][0 if spaced else 1][entry]
            texts[picked] = [pattern % values for values in zip(*columns)]
            tokens[picked] = total
        return texts, tokens

    @cached_property
    def _patterns(self) -> list[tuple[str, list[tuple[str, bool]]]]:
        """Of each template its %-format, and its slots with whether a space stands before them."""
        patterns = []
        for template in self.templates:
            text = self.lead + template
            slots = [(match[1], text[match.start() - 1] == " ") for match in _SLOT.finditer(text)]
            patterns.append((_SLOT.sub("%s", text), slots))
        return patterns


class Lexicon:
    """Word lists by slot name, as object arrays."""

    def __init__(self, entries: Mapping[str, Sequence[str]]) -> None:
        self.entries = {slot: np.array(words, dtype=object) for slot, words in entries.items()}


Tokens = tuple[np.ndarray, np.ndarray]
"""Tokens of words with a space before them, and bare: int64 `[n]` each."""


@dataclass(frozen=True)
class LineCosts:
    """Tokens of a line's fixed parts by template, int64 `[templates]`, and of the lexicon's words by slot."""

    fixed: np.ndarray
    words: Mapping[str, Tokens]


def word_tokens(tokenizer: Tokenizer, words: Sequence[str]) -> Tokens:
    """What each word costs after a space, and bare."""
    return tokenizer.count_fragments([" " + word for word in words]), tokenizer.count_fragments(list(words))


def line_costs(line: Line, words: Mapping[str, Tokens], tokenizer: Tokenizer) -> LineCosts:
    """Tokens of the fixed parts of `line`, the blank line before it counted with the full stop that it follows."""
    return LineCosts(np.array([_fixed_tokens(line.lead + text, tokenizer) for text in line.templates]), words)


def _fixed_tokens(template: str, tokenizer: Tokenizer) -> int:
    parts = _SLOT.split(template)[::2]
    total = 0
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if number == 0 and part.startswith("\n"):
            total += tokenizer.count("." + part.rstrip(" ") + ("" if part.strip() else _ANCHOR)) - tokenizer.count(".")
            total -= 0 if part.strip() else tokenizer.count(_ANCHOR)
            continue
        # A space before a slot belongs to the slot's word.
        fragment = part if last else part.removesuffix(" ")
        total += tokenizer.count(fragment) if fragment else 0
    return total
