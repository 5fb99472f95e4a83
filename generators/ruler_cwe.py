"""Common words: find the few words that a long list repeats often among many that it repeats rarely."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nl_tasks.generators.fitting import MARGIN, Draft
from nl_tasks.generators.randomness import Key
from nl_tasks.generators.ruler import RulerTask
from nl_tasks.generators.task import register
from nl_tasks.generators.tokenizers import Tokenizer
from nl_tasks.generators.units import PADDING, Mark, UnitsBody, frame, hosts, spread
from nl_tasks.generators.words import CHUNK, capacity, word_costs, words

_LEAST_ENTRY = 5
"""Tokens: no list entry has fewer (a line break, its number, a full stop, its word)."""

_PAD_SIZES = np.array([2, 3, 4, 5, 6])[np.arange(PADDING) % 5]
"""Words of each padding text: with groups of several sizes, two or three close any gap."""

_PAD_STARTS = np.cumsum([0, *_PAD_SIZES])
_PAD_WORDS = int(_PAD_STARTS[-1])


@register
@dataclass(frozen=True, kw_only=True)
class RulerCwe(RulerTask):
    """Name the most common words of a long numbered list (RULER's common words extraction): aggregation.

    The common words are spread over the whole list, at other places in every sample. Of the other words a few more,
    at the end of the list, come only once: they make its length exact.

    Attributes:
        num_words: Common words, all of which are asked for.
        common: How often each common word comes.
        others: How often each other word comes.
    """

    name = "ruler_cwe"
    version = "1"
    config = "cwe"
    num_words: int = 10
    common: int = 30
    others: int = 3

    def __post_init__(self) -> None:
        """Raise ValueError for a knob out of range."""
        super().__post_init__()
        self.require("num_words", 1 <= self.num_words <= 100, "1 to 100")
        self.require("common", 2 <= self.common <= 10000, "2 to 10000")
        self.require("others", 1 <= self.others < self.common, f"1 to {self.common - 1}, fewer than common")

    @property
    def metric(self) -> str:
        """Intersection over union of the words."""
        return self.scorer("iou")

    def draft(self, key: Key) -> Draft:
        """The sample before its length is known."""
        return CweDraft(self, key)


class CweDraft(Draft):
    """A list of common words, and others as the length allows: at least as many as there are common ones."""

    def __init__(self, task: RulerCwe, key: Key) -> None:
        self._task, self._key = task, key
        self.chat = task.chat
        self._common = key.stream("common words").permutation(CHUNK)[: task.num_words]

    def smallest(self, tokenizer: Tokenizer) -> int:
        """The fewest tokens: the common words and as many others, and room to close the gap."""
        return self._lay(self._task.num_words, self._others(0), tokenizer).tokens + MARGIN

    def body(self, length: int, tokenizer: Tokenizer) -> UnitsBody:
        """As many other words as fit. Raises ValueError if there are not so many."""
        task = self._task
        others = self._others(length)
        costs = word_costs(int(others.max()) + 1, tokenizer)
        entries = np.arange(len(others) - _PAD_WORDS + 1) * task.others + task.num_words * task.common
        numbers = np.concatenate([[0], np.cumsum(_numbers(int(entries[-1]), tokenizer).tokens)])
        tokens = np.concatenate([[0], np.cumsum(costs[others])])[: len(entries)] * task.others + numbers[entries]
        tokens += int(costs[self._common].sum()) * task.common
        least = self._lay(task.num_words, others, tokenizer).tokens - int(tokens[task.num_words])
        fit = int(np.searchsorted(tokens, length - MARGIN - least, side="right")) - 1
        if fit == len(entries) - 1:
            longest = int(tokens[-1]) + least + MARGIN - 1
            raise ValueError(
                f"length {length} is too long for {task.name} with others={task.others}: there are {capacity()} words, "
                f"and the longest that works is {longest}; more of each other word (others) allows a longer one"
            )
        return self._lay(max(fit, task.num_words), others, tokenizer)

    def _others(self, length: int) -> np.ndarray:
        """Numbers of words that are not common, enough for `length` tokens, in a random order."""
        task = self._task
        wanted = length // (_LEAST_ENTRY * task.others) + 2 * task.num_words + _PAD_WORDS
        pool = min(capacity(), -(-wanted // CHUNK) * CHUNK)
        order = self._key.stream(f"others of {pool}").permutation(pool)
        return order[np.isin(order, self._common, invert=True)]

    def _lay(self, fillers: int, others: np.ndarray, tokenizer: Tokenizer) -> UnitsBody:
        task, key = self._task, self._key
        spots, entries = task.num_words * task.common, task.num_words * task.common + fillers * task.others
        chosen = np.repeat(np.arange(task.num_words), task.common)[key.stream("common order").permutation(spots)]
        rest = np.repeat(others[:fillers], task.others)[key.stream("order").permutation(fillers * task.others)]
        # One spot in each of as many equal stretches: even over the list, and nowhere the same
        depths = (np.arange(spots) + key.stream("spots").words(spots) / 2**32) / spots
        order = spread(depths, entries - spots)
        listed = np.concatenate([self._common[chosen], rest])[order]
        spare = others[fillers : fillers + _PAD_WORDS]
        top = int(max(listed.max(), spare.max())) + 1
        texts, costs = words(top), word_costs(top, tokenizer)
        numbers = _numbers(entries + _PAD_WORDS, tokenizer)
        units = list(map("".join, zip(numbers.texts[:entries], texts[listed].tolist())))
        position = np.flatnonzero(order < spots)
        roles = [f"word {word + 1}" for word in range(task.num_words)]
        marks = [
            Mark(unit, len(numbers.texts[unit]), len(units[unit]), roles[word])
            for unit, word in zip(position.tolist(), chosen.tolist())
        ]
        asked = f"are the {task.num_words} most common words" if task.num_words > 1 else "is the most common word"
        question = f"What {asked} of the list?"
        around = frame(task, chat=self.chat, question=question, answers=texts[self._common].tolist())
        tokens = int(costs[listed].sum() + numbers.tokens[:entries].sum())
        tokens += around.tokens(units[0], int(costs[listed[0]] + numbers.tokens[0]), tokenizer)
        groups = np.split(texts[spare], _PAD_STARTS[1:-1])
        pads = np.add.reduceat(costs[spare], _PAD_STARTS[:-1]) + _PAD_SIZES * numbers.tokens[entries]
        return _ListBody(
            around, units, marks, tokens, list(map(" ".join, groups)), pads, hosts(key), numbers.texts[entries:]
        )


@dataclass
class _ListBody(UnitsBody):
    """A list that padding makes longer; `numbers` are those of its next entries."""

    numbers: list[str]

    def padded(self, padding: Sequence[int]) -> list[str]:
        """The list with padding words as its last entries."""
        words = " ".join(self.padding[number] for number in padding).split()
        return self.units + list(map("".join, zip(self.numbers, words)))


@dataclass(frozen=True)
class _Numbers:
    """How each entry begins, and the tokens of that without its last space, int64 `[n]`."""

    texts: list[str]
    tokens: np.ndarray


def _numbers(count: int, tokenizer: Tokenizer) -> _Numbers:
    """The numbers of at least `count` entries."""
    return _numbers_of(-(-count // CHUNK), tokenizer)


@lru_cache(maxsize=4)
def _numbers_of(chunks: int, tokenizer: Tokenizer) -> _Numbers:
    texts = [f"\n{number}. " for number in range(1, chunks * CHUNK + 1)]
    return _Numbers(texts, tokenizer.count_fragments([text[:-1] for text in texts]))
