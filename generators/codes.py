"""Keys and values without meaning, of three kinds, with their token counts known in advance.

`uuid` is four groups of eight letters and digits (`4k2m9x0q-...`), `numbers` two groups of four digits
(`4821-9032`), `words` three words (`mottled-jade-lantern`). Groups come from fixed tables: a group is counted once
for each tokenizer, and the hyphen keeps it a token boundary.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

import numpy as np

from nl_tasks.generators.names import ADJECTIVES, MATERIALS, NOUNS
from nl_tasks.generators.randomness import Stream, scale
from nl_tasks.generators.tokenizers import Tokenizer

Kind = Literal["uuid", "words", "numbers"]
KINDS: tuple[Kind, ...] = ("uuid", "words", "numbers")
_GROUPS = 16384
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True)
class Codes:
    """`n` different codes: the texts of each group, object `[n]` each, and their tokens after a space, int64 `[n]`."""

    columns: list[np.ndarray]
    tokens: np.ndarray

    def texts(self, count: int) -> list[str]:
        """The first `count` codes as they are written."""
        return list(map("-".join, zip(*(column[:count].tolist() for column in self.columns))))

    def take(self, rows: np.ndarray) -> "Codes":
        """The codes of these numbers (int64 `[m]`), in their order."""
        return Codes([column[rows] for column in self.columns], self.tokens[rows])


def code_tokens(kind: Kind, tokenizer: Tokenizer) -> float:
    """Mean tokens of a code."""
    return float(sum(cost.mean() for cost in _costs(kind, tokenizer)))


def draw_codes(kind: Kind, stream: Stream, count: int, tokenizer: Tokenizer) -> Codes:
    """`count` different codes; more of them begin with the same ones. Raises ValueError if there are not so many."""
    groups = _groups(kind)
    sizes = tuple(map(len, groups))
    capacity = int(np.prod(sizes))
    if 2 * count > capacity:
        raise ValueError(
            f"a text of this length needs {count} different codes; the kind {kind} is good for {capacity // 2}"
        )
    drawn = count + 64 + count * count // capacity  # some come twice
    words = stream.words(drawn, len(sizes))
    rows = [scale(words[:, place], size) for place, size in enumerate(sizes)]
    kept = np.sort(np.unique(np.ravel_multi_index(rows, sizes), return_index=True)[1])[:count]
    columns = [group[row[kept]] for group, row in zip(groups, rows)]
    tokens = np.sum([cost[row[kept]] for cost, row in zip(_costs(kind, tokenizer), rows)], axis=0)
    return Codes(columns, tokens)


@cache
def _groups(kind: Kind) -> list[np.ndarray]:
    if kind == "words":
        return [np.array(words, dtype=object) for words in (ADJECTIVES, MATERIALS, NOUNS)]
    if kind == "numbers":
        return [np.array([str(number) for number in range(1000, 10000)], dtype=object)] * 2
    letters = Stream("codes", "uuid").below(len(_LETTERS), _GROUPS, 8).tolist()
    groups = dict.fromkeys("".join(_LETTERS[letter] for letter in row) for row in letters)
    return [np.array(list(groups), dtype=object)] * 4


@lru_cache(maxsize=16)
def _costs(kind: Kind, tokenizer: Tokenizer) -> list[np.ndarray]:
    """Tokens of the first groups after a space, and of later groups after a hyphen."""
    first, *later = _groups(kind)
    counts: dict[int, np.ndarray] = {}
    for group in later:
        if id(group) not in counts:
            counts[id(group)] = tokenizer.count_fragments(["-" + text for text in group.tolist()])
    spaced = tokenizer.count_fragments([" " + text for text in first.tolist()])
    return [spaced, *(counts[id(group)] for group in later)]
