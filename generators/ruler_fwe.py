"""Frequent words: find the most frequent words of a text in which frequency falls with rank as in a language."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from nl_tasks.generators.fitting import MARGIN, Draft, Fitted
from nl_tasks.generators.randomness import Key
from nl_tasks.generators.ruler import RulerTask
from nl_tasks.generators.sample import Evidence
from nl_tasks.generators.task import register
from nl_tasks.generators.tokenizers import Tokenizer
from nl_tasks.generators.units import PADDING, SLACK, UnitsBody, frame, hosts
from nl_tasks.generators.words import CHUNK, capacity, word_costs, words

_SENTENCE = 12
_LEAD = 3
_NUDGE = 3.1e-7  # S / r**alpha is often whole: whether floor sees that must not depend on a machine's last digit
_PAD_SIZES = np.arange(PADDING) % 9 + 4
_PAD_STARTS = np.cumsum([0, *_PAD_SIZES])
_PAD_WORDS = int(_PAD_STARTS[-1])


@register
@dataclass(frozen=True, kw_only=True)
class RulerFwe(RulerTask):
    """Name the most frequent words of a text of made-up words (RULER's frequent words extraction): aggregation.

    The word of rank r comes floor(S / r**alpha) times, S as large as the length allows; a few more words, each of
    which comes once, make the length exact. The evidence is the whole context.

    Attributes:
        num_words: How many of the most frequent words are asked for.
        alpha: How fast frequency falls with rank; the lower, the closer are the words asked for to the next ones.
    """

    name = "ruler_fwe"
    version = "1"
    config = "fwe"
    num_words: int = 3
    alpha: float = 2.0

    def __post_init__(self) -> None:
        """Raise ValueError for a knob out of range."""
        super().__post_init__()
        self.require("num_words", 1 <= self.num_words <= 20, "1 to 20")
        self.require("alpha", 1.2 <= self.alpha <= 4, "1.2 to 4")

    @property
    def metric(self) -> str:
        """Intersection over union of the words."""
        return self.scorer("iou")

    def draft(self, key: Key) -> Draft:
        """The sample before its length is known."""
        return FweDraft(self, key)


class FweDraft(Draft):
    """A text whose most frequent word comes S times; the last word asked for comes 3 times more than the next."""

    def __init__(self, task: RulerFwe, key: Key) -> None:
        self._task, self._key = task, key
        self.chat = task.chat
        self._asked = key.stream("frequent words").permutation(CHUNK)[: task.num_words]
        last, following = task.num_words**-task.alpha, (task.num_words + 1) ** -task.alpha
        self._least = int(_LEAD / (last - following))
        while int(self._least * last + _NUDGE) - int(self._least * following + _NUDGE) < _LEAD:
            self._least += 1

    def smallest(self, tokenizer: Tokenizer) -> int:
        """The fewest tokens: frequencies just far enough apart, and room to close the gap."""
        return self._lay(self._least, self._ranked(self._least), tokenizer).tokens + MARGIN

    def body(self, length: int, tokenizer: Tokenizer) -> UnitsBody:
        """As frequent words as fit."""
        ranked = self._ranked(max(length, self._least))
        costs = word_costs(int(ranked.max()) + 1, tokenizer)[ranked]
        stop = tokenizer.count(".")
        least = self._lay(self._least, ranked, tokenizer).tokens - self._tokens(self._least, costs, stop)
        low, high = self._least, max(length, self._least + 1)
        while high - low > 1:  # low fits, high does not
            middle = (low + high) // 2
            fits = least + self._tokens(middle, costs, stop) <= length - MARGIN - SLACK
            low, high = (middle, high) if fits else (low, middle)
        return self._lay(low, ranked, tokenizer)

    def _counts(self, top: int) -> np.ndarray:
        """How often each rank comes when the first comes `top` times, int64, none of them 0."""
        ranks = np.arange(1, int(top ** (1 / self._task.alpha)) + 2)
        counts = np.floor(top * ranks**-self._task.alpha + _NUDGE).astype(np.int64)
        return counts[counts > 0]

    def _ranked(self, top: int) -> np.ndarray:
        """Words by rank, those asked for first, and spare ones; enough for a top frequency of `top`."""
        wanted = int(top ** (1 / self._task.alpha)) + 2 + len(self._asked) + _PAD_WORDS
        pool = min(capacity(), -(-wanted // CHUNK) * CHUNK)
        order = self._key.stream(f"others of {pool}").permutation(pool)
        return np.concatenate([self._asked, order[np.isin(order, self._asked, invert=True)]])

    def _tokens(self, top: int, costs: np.ndarray, stop: int) -> int:
        counts = self._counts(top)
        return int((counts * costs[: len(counts)]).sum()) + -(-int(counts.sum()) // _SENTENCE) * stop

    def _lay(self, top: int, ranked: np.ndarray, tokenizer: Tokenizer) -> UnitsBody:
        key = self._key
        counts = self._counts(top)
        spare = ranked[len(counts) : len(counts) + _PAD_WORDS]
        if len(spare) < _PAD_WORDS:
            words(capacity() + 1)  # raises, naming how many there are
        used = ranked[: len(counts) + _PAD_WORDS]
        texts, costs = words(int(used.max()) + 1), word_costs(int(used.max()) + 1, tokenizer)
        text = np.repeat(ranked[: len(counts)], counts)[key.stream("order").permutation(int(counts.sum()))]
        units = _sentences(texts[text].tolist(), range(0, len(text) + _SENTENCE, _SENTENCE))
        asked = (
            f"are the {self._task.num_words} most frequent words"
            if self._task.num_words > 1
            else "is the most frequent word"
        )
        question = f"What {asked} of the text?"
        around = frame(self._task, chat=self.chat, question=question, answers=texts[self._asked].tolist())
        stop = tokenizer.count(".")
        first = int(costs[text[:_SENTENCE]].sum()) + stop
        tokens = around.tokens(units[0], first, tokenizer) + self._tokens(top, costs[ranked[: len(counts)]], stop)
        pads = _sentences(texts[spare].tolist(), _PAD_STARTS.tolist())
        pad_costs = np.add.reduceat(costs[spare], _PAD_STARTS[:-1]) + stop
        return _WholeBody(around, units, [], tokens, pads, pad_costs, hosts(key))


class _WholeBody(UnitsBody):
    """A text all of which is evidence."""

    def finish(self, padding: Sequence[int]) -> Fitted:
        """The prompt with these padding texts."""
        fitted = super().finish(padding)
        end = len(fitted.prompt) - len(self.frame.after)
        return replace(fitted, evidence=[Evidence(len(self.frame.before), end, "text")], depths=[0.5])


def _sentences(texts: list[str], starts: Sequence[int]) -> list[str]:
    """Words as sentences that begin at `starts`, each with a space before it; a last start is the end."""
    spans = [texts[start:stop] for start, stop in pairwise(starts)]
    return [f" {' '.join(span)}." for span in spans if span]
