"""Sentences about nothing in particular: a large pool of them, the same for all samples, with their token counts.

Drawing from the pool costs far less than making sentences anew, and 65536 of them leave no phrase to learn by heart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nl_tasks.generators import story_lines
from nl_tasks.generators.randomness import Key, Stream
from nl_tasks.generators.story_costs import LEXICON, story_costs
from nl_tasks.generators.tokenizers import Tokenizer

CHUNK = 16384
_CHUNKS = 4
_LINES = (story_lines.PADDING, story_lines.SCENERY)
_PARAGRAPH = 8


@dataclass(frozen=True)
class Sentences:
    """Sentences as units of a text, and their tokens: object and int64 `[n]`.

    Each begins with a space; every eighth with a blank line, which opens a paragraph.
    """

    texts: np.ndarray
    tokens: np.ndarray


def sentences(key: Key, tokens: int, tokenizer: Tokenizer) -> Sentences:
    """Sentences in a random order, of `tokens` tokens together or somewhat more; a longer text begins as a shorter."""
    parts = []
    for number, (spaced, opening) in enumerate(_chunks(tokenizer)):
        order = key.stream(f"sentences {number}").permutation(len(spaced.texts))
        texts, costs = spaced.texts[order], spaced.tokens[order]
        texts[::_PARAGRAPH], costs[::_PARAGRAPH] = (
            opening.texts[order[::_PARAGRAPH]],
            opening.tokens[order[::_PARAGRAPH]],
        )
        parts.append(Sentences(texts, costs))
        tokens -= int(costs.sum())
        if tokens < 0:
            break
    return Sentences(np.concatenate([p.texts for p in parts]), np.concatenate([p.tokens for p in parts]))


def padding(key: Key, count: int, tokenizer: Tokenizer) -> Sentences:
    """`count` sentences of another order, each with a space before it."""
    spaced, _ = _chunk(tokenizer, 0)
    rows = key.stream("padding").below(len(spaced.texts), count)
    return Sentences(spaced.texts[rows], spaced.tokens[rows])


def _chunks(tokenizer: Tokenizer) -> Iterator[tuple[Sentences, Sentences]]:
    number = 0
    while True:
        yield _chunk(tokenizer, number % _CHUNKS)
        number += 1


@lru_cache(maxsize=2 * _CHUNKS)
def _chunk(tokenizer: Tokenizer, number: int) -> tuple[Sentences, Sentences]:
    """Sentences with a space before them, and the same with a blank line."""
    spaced = _texts(number, tokenizer)
    opening = ["\n\n" + text[1:] for text in spaced]
    # A tokenizer may join a blank line with the full stop before it
    after_stop = tokenizer.count_fragments(["." + text for text in opening]) - tokenizer.count(".")
    return Sentences(_objects(spaced), tokenizer.count_fragments(spaced)), Sentences(_objects(opening), after_stop)


def _texts(number: int, tokenizer: Tokenizer) -> list[str]:
    found: dict[str, None] = {}
    for line in _LINES:
        words = Stream("sentence pool", number, line.name).words(CHUNK // len(_LINES), line.draws)
        costs = story_costs(tokenizer).lines[line.name]
        texts, _ = line.render(words, {}, np.arange(0), LEXICON, costs)
        found |= dict.fromkeys(texts.tolist())
    return list(found)


def _objects(texts: list[str]) -> np.ndarray:
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array
