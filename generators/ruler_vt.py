"""Variable tracking: follow a chain of assignments that are scattered over a long text."""

from dataclasses import dataclass

import numpy as np

from nl_tasks.generators.fitting import MARGIN, Draft
from nl_tasks.generators.randomness import Key, scale
from nl_tasks.generators.ruler import RulerTask
from nl_tasks.generators.sentence_pool import Sentences, padding, sentences
from nl_tasks.generators.task import register
from nl_tasks.generators.tokenizers import Tokenizer
from nl_tasks.generators.units import PADDING, SLACK, Mark, UnitsBody, frame, hosts, spread

_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # no vowels: no name is a word
_VALUES = range(10000, 100000)
_MOST_CHAINS = 10000


@register
@dataclass(frozen=True, kw_only=True)
class RulerVt(RulerTask):
    """Name all variables that have a given value, through chains of assignments (RULER's variable tracking).

    Every variable is defined before it is used, and the sentences between the assignments are all different.

    Attributes:
        num_chains: Chains in the text, each with a value of its own; one of them is asked for.
        num_hops: Assignments of a chain after its first, from one variable to the next.
        tokens_per_chain: If not 0, a text so long that this gives more chains than num_chains has that many:
            the share of assignments stays as the length grows.
    """

    name = "ruler_vt"
    version = "1"
    config = "vt"
    num_chains: int = 8
    num_hops: int = 4
    tokens_per_chain: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError for a knob out of range."""
        super().__post_init__()
        self.require("num_chains", 1 <= self.num_chains <= 1000, "1 to 1000")
        self.require("num_hops", 1 <= self.num_hops <= 100, "1 to 100")
        grows = self.tokens_per_chain == 0 or self.tokens_per_chain >= 40 * (self.num_hops + 1)
        self.require("tokens_per_chain", grows, f"0, or at least {40 * (self.num_hops + 1)} for {self.num_hops} hops")

    @property
    def metric(self) -> str:
        """Intersection over union of the variables."""
        return self.scorer("iou")

    def draft(self, key: Key) -> Draft:
        """The sample before its length is known."""
        return VtDraft(self, key)


class VtDraft(Draft):
    """Chains of assignments, the first of them asked for, among sentences that assign nothing."""

    def __init__(self, task: RulerVt, key: Key) -> None:
        self._task, self._key = task, key
        self.chat = task.chat

    def smallest(self, tokenizer: Tokenizer) -> int:
        """The fewest tokens: the assignments alone, and room to close the gap."""
        return _Laid(self, 0, 0, tokenizer).body(0).tokens + MARGIN

    def body(self, length: int, tokenizer: Tokenizer) -> UnitsBody:
        """As many sentences as fit."""
        laid = _Laid(self, self.chains(length), length, tokenizer)
        bare = laid.body(0).tokens
        if bare > length - MARGIN:  # so short that the frame counts more than the chains that were to be added
            laid = _Laid(self, 0, length, tokenizer)
            bare = laid.body(0).tokens
        room = length - MARGIN - SLACK - bare
        return laid.body(int(np.searchsorted(np.cumsum(laid.fillers.tokens), room, side="right")))

    def chains(self, length: int) -> int:
        """How many chains a text of `length` tokens has."""
        task = self._task
        grown = min(_MOST_CHAINS, length // task.tokens_per_chain) if task.tokens_per_chain else 0
        return max(task.num_chains, grown)

    def statements(self, chains: int) -> list[str]:
        """The assignments, chain by chain, each with a space before it."""
        each = self._task.num_hops + 1
        names = _names(self._key, chains * each)
        texts = [f" Let {name} be equal to {before}." for before, name in zip(["", *names], names)]
        for chain, value in enumerate(self.values(chains)):
            texts[chain * each] = f" Let {names[chain * each]} be {value}."
        return texts

    def values(self, chains: int) -> list[int]:
        """The value of each chain."""
        return (_VALUES.start + _distinct(self._key, "values", len(_VALUES), chains)).tolist()

    def answers(self) -> list[str]:
        """The variables of the chain that is asked for."""
        return _names(self._key, self._task.num_hops + 1)

    def depths(self, chains: int) -> np.ndarray:
        """Where each assignment stands, each chain in its order."""
        each = self._task.num_hops + 1
        asked = [self._key.depth(f"hop {number}") for number in range(each)]
        words = self._key.stream("other chains").words(chains - 1, each)
        others = words / 2**32
        return np.sort(np.concatenate([[asked], others]), axis=1).ravel()


class _Laid:
    """A draft whose number of chains is settled, for one tokenizer."""

    def __init__(self, draft: VtDraft, chains: int, tokens: int, tokenizer: Tokenizer) -> None:
        chains = max(chains, draft.chains(0))
        self._draft, self._tokenizer = draft, tokenizer
        self._statements = draft.statements(chains)
        self._costs = tokenizer.count_fragments(self._statements)
        self._depths = draft.depths(chains)
        self._value = draft.values(1)[0]
        self.fillers: Sentences = sentences(draft._key, tokens, tokenizer)

    def body(self, fillers: int) -> UnitsBody:
        """The text with so many sentences between the assignments."""
        draft, tokenizer = self._draft, self._tokenizer
        task, key = draft._task, draft._key
        order = spread(self._depths, fillers)
        position = np.empty(len(order), dtype=np.int64)
        position[order] = np.arange(len(order))
        texts = np.concatenate([np.array(self._statements, dtype=object), self.fillers.texts[:fillers]])[order].tolist()
        costs = np.concatenate([self._costs, self.fillers.tokens[:fillers]])[order]
        marks = [
            Mark(int(position[hop]), 1, len(self._statements[hop]), f"hop {hop}") for hop in range(task.num_hops + 1)
        ]
        answers = draft.answers()
        question = f"Exactly {len(answers)} variables have the value {self._value}. Which?"
        around = frame(task, chat=task.chat, question=question, answers=answers, value=self._value)
        tokens = around.tokens(texts[0], int(costs[0]), tokenizer) + int(costs.sum())
        pads = padding(key, PADDING, tokenizer)
        return UnitsBody(around, texts, marks, tokens, pads.texts.tolist(), pads.tokens, hosts(key))


def _names(key: Key, count: int) -> list[str]:
    """`count` different names of five letters; more of them begin with the same ones."""
    numbers = _distinct(key, "names", len(_LETTERS) ** 5, count)
    digits = np.stack(np.unravel_index(numbers, (len(_LETTERS),) * 5), axis=1)
    return ["".join(_LETTERS[digit] for digit in row) for row in digits.tolist()]


def _distinct(key: Key, name: str, below: int, count: int) -> np.ndarray:
    """`count` different numbers 0..below-1; more of them begin with the same ones."""
    drawn = scale(key.stream(name).words(2 * count + 16), below)
    return drawn[np.sort(np.unique(drawn, return_index=True)[1])[:count]]
