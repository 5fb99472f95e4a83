"""What a tokenizer is to this package: something that says how many tokens a text and a prompt have."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np


class Tokenizer(ABC):
    """Counts tokens; everything that makes a sample exact to the token asks one of these.

    Attributes:
        name: As it was asked for: `tekken`, `Qwen/Qwen2.5-7B-Instruct`, `./folder`, `tiktoken:o200k_base`, `gguf:FILE`.
        has_chat_template: Whether `count_prompt` wraps the prompt in a chat unless told otherwise.
    """

    name: str
    has_chat_template: bool

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 (hex) of all that decides counts: vocabulary, merges, pattern, chat template. The name is no part."""

    @abstractmethod
    def count(self, text: str) -> int:
        """Tokens of raw text: no special tokens are added, and none are read from the text."""

    @abstractmethod
    def count_prompt(self, prompt: str, *, chat: bool = True) -> int:
        """Tokens a model reads for `prompt`.

        With a chat template (and `chat`), the prompt is one user message followed by the generation prefix, and the
        template alone decides about BOS. Otherwise it is the plain prompt with whatever the tokenizer itself adds.
        """

    @abstractmethod
    def count_reference(self, prompt: str, *, chat: bool = True) -> int:
        """Count what `count_prompt` counts with the library the tokenizer belongs to: slower, and beyond doubt."""

    def leading_bos(self, prompt: str, *, chat: bool = True) -> int:
        """Count the BOS tokens a model reads before all else: 0 if the tokenizer has none, more than 1 is a mistake."""
        return 0

    def encode_once(self, text: str) -> int:
        """Tokens of raw text by the fastest call of the library itself: what benchmarks compare with."""
        return self.count(text)

    def count_fragments(self, fragments: Sequence[str]) -> np.ndarray:
        """Tokens of each fragment alone, as `count` has them: int64 `[len(fragments)]`."""
        return np.fromiter(map(self.count, fragments), dtype=np.int64, count=len(fragments))
