"""Needles in a haystack of needles: look up the codes of some keys among thousands of statements of the same form."""

from dataclasses import dataclass

import numpy as np

from nl_tasks.generators.codes import KINDS, Codes, Kind, code_tokens, draw_codes
from nl_tasks.generators.fitting import MARGIN, Draft
from nl_tasks.generators.randomness import Key
from nl_tasks.generators.ruler import RulerTask
from nl_tasks.generators.sentence_pool import padding
from nl_tasks.generators.task import register
from nl_tasks.generators.tokenizers import Tokenizer
from nl_tasks.generators.units import PADDING, Frame, Mark, UnitsBody, frame, hosts, spread

_AND = " is "


@register
@dataclass(frozen=True, kw_only=True)
class RulerNiah(RulerTask):
    """Find the codes of a few keys where all other statements are of the same form (RULER's multi-key NIAH).

    Beside statements the context has only the few plain sentences that make its length exact.

    Attributes:
        num_queries: Keys a sample asks for.
        num_values: Codes of each key, in statements of their own; more than 1 are asked for in the order of the text.
        keys: What keys look like: uuid, words or numbers.
        values: What codes look like: uuid, words or numbers.
    """

    name = "ruler_niah"
    version = "1"
    config = "niah"
    num_queries: int = 4
    num_values: int = 1
    keys: Kind = "uuid"
    values: Kind = "uuid"

    def __post_init__(self) -> None:
        """Raise ValueError for a knob out of range."""
        super().__post_init__()
        self.require("num_queries", 1 <= self.num_queries <= 1000, "1 to 1000")
        self.require("num_values", 1 <= self.num_values <= 100, "1 to 100")
        self.require("keys", self.keys in KINDS, ", ".join(KINDS))
        self.require("values", self.values in KINDS, ", ".join(KINDS))

    @property
    def metric(self) -> str:
        """Share of the codes asked for that are given exactly."""
        return self.scorer("pairs" if self.num_values == 1 else "items")

    def draft(self, key: Key) -> Draft:
        """The sample before its length is known."""
        return NiahDraft(self, key)


class NiahDraft(Draft):
    """Statements of keys and codes; the first ones are those asked for."""

    def __init__(self, task: RulerNiah, key: Key) -> None:
        self._task, self._key = task, key
        self.chat = task.chat
        self._needles = task.num_queries * task.num_values
        self._depths = [key.depth(f"needle {number}") for number in range(self._needles)]
        self._opening = "\nThe code for " if task.num_values == 1 else "\nOne code for "

    def smallest(self, tokenizer: Tokenizer) -> int:
        """The fewest tokens: the statements asked for, and room to close the gap."""
        return self._lay(0, *self._draw(self._needles, tokenizer), tokenizer).tokens + MARGIN

    def body(self, length: int, tokenizer: Tokenizer) -> UnitsBody:
        """As many other statements as fit."""
        usual = code_tokens(self._task.keys, tokenizer) + code_tokens(self._task.values, tokenizer)
        count = self._needles + int(length / (usual + self._fixed(tokenizer)) * 1.02) + 64
        keys, values = self._draw(count, tokenizer)
        bare = self._lay(0, keys, values, tokenizer).tokens
        costs = self._costs(keys, values, tokenizer)[self._needles :]
        fillers = int(np.searchsorted(np.cumsum(costs), length - MARGIN - bare, side="right"))
        return self._lay(fillers, keys, values, tokenizer)

    def _draw(self, count: int, tokenizer: Tokenizer) -> tuple[Codes, Codes]:
        """Keys and codes of `count` statements; no code is a key."""
        task = self._task
        each = -(-count // task.num_values)
        if task.keys == task.values:
            codes = draw_codes(task.keys, self._key.stream("codes"), each * (task.num_values + 1), tokenizer)
            step = task.num_values + 1
            owner = np.arange(each * task.num_values)
            return codes.take(owner // task.num_values * step), codes.take(
                owner // task.num_values * step + 1 + owner % task.num_values
            )
        keys = draw_codes(task.keys, self._key.stream("keys"), each, tokenizer)
        values = draw_codes(task.values, self._key.stream("values"), each * task.num_values, tokenizer)
        return keys.take(np.arange(each * task.num_values) // task.num_values), values

    def _fixed(self, tokenizer: Tokenizer) -> int:
        """Tokens of a statement but for its key and code."""
        opening = tokenizer.count("." + self._opening.rstrip()) - tokenizer.count(".")
        return opening + tokenizer.count(_AND.rstrip()) + tokenizer.count(".")

    def _costs(self, keys: Codes, values: Codes, tokenizer: Tokenizer) -> np.ndarray:
        return keys.tokens + values.tokens + self._fixed(tokenizer)

    def _lay(self, fillers: int, keys: Codes, values: Codes, tokenizer: Tokenizer) -> UnitsBody:
        count = self._needles + fillers
        key_texts, value_texts = keys.texts(count), values.texts(count)
        statements = [f"{self._opening}{key}{_AND}{value}." for key, value in zip(key_texts, value_texts)]
        order = self._order(fillers)
        position = np.empty(count, dtype=np.int64)
        position[order] = np.arange(count)
        units = [statements[row] for row in order.tolist()]
        marks = [
            Mark(int(position[row]), 1, len(statements[row]), f"query {row // self._task.num_values + 1}")
            for row in range(self._needles)
        ]
        around = self._frame(key_texts, value_texts, position)
        costs = self._costs(keys, values, tokenizer)[:count]
        tokens = around.tokens(statements[0], int(costs[0]), tokenizer) + int(costs.sum())
        pads = padding(self._key, PADDING, tokenizer)
        return UnitsBody(around, units, marks, tokens, pads.texts.tolist(), pads.tokens, hosts(self._key))

    def _order(self, fillers: int) -> np.ndarray:
        """Statements in the order of the text; those of one key are no neighbours but by chance."""
        order = spread(self._depths, fillers)
        if self._task.num_values > 1:
            rest = order >= self._needles
            order[rest] = self._needles + self._key.stream("order").permutation(fillers)
        return order

    def _frame(self, keys: list[str], values: list[str], position: np.ndarray) -> Frame:
        task = self._task
        asked = keys[: self._needles : task.num_values]
        if task.num_values == 1:
            answers = [f"{key}: {value}" for key, value in zip(asked, values)]
        else:
            rows = np.arange(self._needles).reshape(task.num_queries, task.num_values)
            answers = [values[row] for group in rows for row in sorted(group.tolist(), key=lambda r: position[r])]
        question = "\n".join(f"{number}. {key}" for number, key in enumerate(asked, 1))
        return frame(task, chat=self.chat, question=question, answers=answers, asked=asked)
