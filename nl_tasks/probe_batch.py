"""Texts and their answers as tokens, and batches of them.

own = writer(folder)                     # of a model with a chat template
batch = pack([(own.prompt(prompt), own.answer("exact_match", ["brass bell"]))], width=2112)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import tokenizers
import torch
from torch import Tensor

from nl_tasks.generators.chat_template import ChatTemplate, find_chat_template
from nl_tasks.generators.tokenizers import load_tokenizer
from nl_tasks.gold import gold_prediction

_END = "<|im_end|>"


@dataclass(frozen=True)
class Batch:
    """Texts `tokens` `[B, R]`, and at which of their `B * R` places (`at`) which token is to be said (`wanted`).

    `weight` says how much each of these tokens counts; `row` is the text it belongs to.
    """

    tokens: Tensor
    at: Tensor
    wanted: Tensor
    weight: Tensor
    row: Tensor

    def to(self, device: str) -> "Batch":
        """The same batch on a device."""
        parts = (self.tokens, self.at, self.wanted, self.weight, self.row)
        return Batch(*(part.to(device, non_blocking=True) for part in parts))


class Writer:
    """From a prompt and its gold answers to tokens, as a chat model reads and says them."""

    def __init__(self, folder: str) -> None:
        """Read the tokenizer in a model's folder. Raises ValueError if it has no chat template."""
        self.counter = load_tokenizer(folder)
        self._library = tokenizers.Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
        source = find_chat_template(Path(folder), {})
        if source is None or self._library.token_to_id(_END) is None:
            raise ValueError(f"tokenizer {folder!r}: a probe needs a chat template that ends answers with {_END}")
        self.end = self._library.token_to_id(_END)
        self._template = ChatTemplate(source, {"bos_token": "<|im_start|>", "eos_token": _END})

    def chat(self, prompt: str) -> str:
        """A prompt in its chat, as text."""
        return self._template.render(prompt)

    def read(self, chats: Sequence[str]) -> list[tokenizers.Encoding]:
        """Tokens of texts with the characters that each covers."""
        return self._library.encode_batch(list(chats), add_special_tokens=False)

    def prompt(self, prompt: str) -> list[int]:
        """Tokens of a prompt in its chat."""
        return self._library.encode(self.chat(prompt), add_special_tokens=False).ids

    def words(self, tokens: Sequence[int]) -> str:
        """What tokens say, special ones left out."""
        return self._library.decode(list(tokens), skip_special_tokens=True)

    def answer(self, metric: str, answers: Sequence[str]) -> list[int]:
        """Tokens of the gold answers, said at once and without an explanation, and the end of the turn."""
        return self._library.encode(gold_prediction(metric, answers) + _END, add_special_tokens=False).ids


@lru_cache(maxsize=2)
def writer(folder: str) -> Writer:
    """The writer for a folder, one a process."""
    return Writer(folder)


def pack(texts: Sequence[tuple[list[int], list[int]]], width: int) -> Batch:
    """Texts and their answers as rows of `width` tokens, filled up at the end, where no token before them sees it."""
    tokens = torch.zeros(len(texts), width, dtype=torch.long)
    at, wanted, weight, rows = [], [], [], []
    for row, (text, answer) in enumerate(texts):
        tokens[row, : len(text) + len(answer)] = torch.tensor(text + answer)
        at.append(torch.arange(len(answer)) + row * width + len(text) - 1)
        wanted.append(torch.tensor(answer))
        # Between each token and each text counting the same: many answers are worth more than one, but not so much
        weight.append(torch.full((len(answer),), len(answer) ** -0.5))
        rows.append(torch.full((len(answer),), row))
    return Batch(tokens, torch.cat(at), torch.cat(wanted), torch.cat(weight), torch.cat(rows))
