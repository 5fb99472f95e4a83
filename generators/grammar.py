"""Sentences from templates, thousands at a time, with their token counts known before any is tokenized.

A `Line` is one place in a paragraph, with several templates for it: "{hero} reached {place} {when}." Slots in braces
are filled from the facts of the row (`hero`, `place`) or from a lexicon (`when`). Tokenizers split text at spaces
and punctuation before they do anything else, so the tokens of a sentence are the sum over its fixed parts and its
slots. That sum is exact for byte-level BPE; the finished prompt is counted once to make sure.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nl_tasks.generators.randomness import scale
from nl_tasks.generators.tokenizers import Tokenizer

_SLOT = re.compile(r"\{(\w+)\}")
_ANCHOR = "A"


@dataclass(frozen=True)
class Fact:
    """A slot's value in every row: `texts` `[n]`, and the tokens of each, int64 `[n]`.

    `tokens` counts the value after a space, `opening` at the start of a paragraph.
    """

    texts: np.ndarray
    tokens: np.ndarray
    opening: np.ndarray


@dataclass(frozen=True)
class Line:
    """One place in a paragraph; `lead` goes before it: a space, or a blank line where it opens a paragraph."""

    name: str
    lead: str
    templates: tuple[str, ...]

    @property
    def draws(self) -> int:
        """How many random words a row needs: one to choose a template, one for each of its lexical slots."""
        return 1 + max(len(_SLOT.findall(template)) for template in self.templates)

    def render(
        self, words: np.ndarray, facts: Mapping[str, Fact], lexicon: "Lexicon", costs: "LineCosts"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Texts (object `[n]`) and their tokens (int64 `[n]`) from random `words`, uint32 `[n, draws]`."""
        texts = np.empty(len(words), dtype=object)
        tokens = np.zeros(len(words), dtype=np.int64)
        chosen = scale(words[:, 0], len(self.templates))
        for number, template in enumerate(self.templates):
            rows = np.flatnonzero(chosen == number)
            if not rows.size:
                continue
            total = np.full(rows.size, costs.fixed[number])
            columns = []
            for place, slot in enumerate(_SLOT.findall(template), start=1):
                if slot in facts:
                    opens = place == 1 and self.lead != " " and template.startswith("{")
                    columns.append(facts[slot].texts[rows].tolist())
                    total += (facts[slot].opening if opens else facts[slot].tokens)[rows]
                else:
                    entry = scale(words[rows, place], len(lexicon.entries[slot]))
                    columns.append(lexicon.entries[slot][entry].tolist())
                    total += costs.lexicon[slot][entry]
            pattern = self.lead + _SLOT.sub("%s", template)
            texts[rows] = [pattern % values for values in zip(*columns)] if columns else pattern
            tokens[rows] = total
        return texts, tokens


class Lexicon:
    """Word lists by slot name, as object arrays."""

    def __init__(self, entries: Mapping[str, Sequence[str]]) -> None:
        self.entries = {slot: np.array(words, dtype=object) for slot, words in entries.items()}


@dataclass(frozen=True)
class LineCosts:
    """Tokens of a line's fixed parts by template, int64 `[templates]`, and of the lexicon's words by slot."""

    fixed: np.ndarray
    lexicon: Mapping[str, np.ndarray]


def spaced(tokenizer: Tokenizer, words: Sequence[str]) -> np.ndarray:
    """Tokens of each word where a space stands before it, int64 `[n]`."""
    return tokenizer.count_fragments([" " + word for word in words])


def line_costs(line: Line, lexicon: Mapping[str, np.ndarray], tokenizer: Tokenizer) -> LineCosts:
    """Tokens of the fixed parts of `line`, the blank line before it counted with the full stop that it follows."""
    return LineCosts(np.array([_fixed_tokens(line.lead + text, tokenizer) for text in line.templates]), lexicon)


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
