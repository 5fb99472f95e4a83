"""What the words of a story cost in tokens, worked out once for each tokenizer."""

from functools import lru_cache

import numpy as np

from nl_tasks.generators import story_lines
from nl_tasks.generators.grammar import Lexicon, Line, LineCosts, Tokens, line_costs, word_tokens
from nl_tasks.generators.tokenizers import Tokenizer


def _capitalised(words: tuple[str, ...]) -> list[str]:
    return [word[0].upper() + word[1:] for word in words]


LEXICON = Lexicon(
    {**story_lines.WORDS, **{slot.capitalize(): _capitalised(words) for slot, words in story_lines.WORDS.items()}}
)
LINES: tuple[Line, ...] = tuple(value for value in vars(story_lines).values() if isinstance(value, Line))


class StoryCosts:
    """Tokens of all that a story is made of, for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._headings: list[int] = []
        lexicon = {slot: word_tokens(tokenizer, words.tolist()) for slot, words in LEXICON.entries.items()}
        self.lines: dict[str, LineCosts] = {line.name: line_costs(line, lexicon, tokenizer) for line in LINES}

    @lru_cache(maxsize=64)  # noqa: B019 - lives as long as the cached costs themselves
    def words(self, words: tuple[str, ...]) -> Tokens:
        """What each word costs."""
        return word_tokens(self._tokenizer, words)

    def headings(self, count: int) -> np.ndarray:
        """Tokens of the headings of chapters 1..count with the blank line before them, int64 `[count]`."""
        full_stop = self._tokenizer.count(".")
        for number in range(len(self._headings) + 1, count + 1):
            self._headings.append(self._tokenizer.count(f".{heading(number)}") - full_stop)
        return np.array(self._headings[:count], dtype=np.int64)


def heading(number: int) -> str:
    """How a chapter opens; it ends with a full stop like every line, so that costs add up."""
    return f"\n\nChapter {number}."


@lru_cache(maxsize=8)
def story_costs(tokenizer: Tokenizer) -> StoryCosts:
    """The costs for `tokenizer`, worked out at the first call."""
    return StoryCosts(tokenizer)
