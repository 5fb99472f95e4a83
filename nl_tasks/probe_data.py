"""Batches a probe is trained on: batch `step` is a function of the plan and the step, made by any process.

    course = Course(tokenizer=folder, seed=0, steps=2000)
    batch = course.batch(step)

A batch is so many texts of one width that it always holds as many tokens. Widths grow over the course.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import tokenizers
import torch
from torch import Tensor

from nl_tasks.generators.chat_template import ChatTemplate, find_chat_template
from nl_tasks.generators.fitting import fit
from nl_tasks.generators.randomness import Stream
from nl_tasks.generators.task import Task
from nl_tasks.generators.tokenizers import load_tokenizer
from nl_tasks.gold import gold_prediction
from nl_tasks.probe_lessons import NAMESPACE, draw_task, training_key

WIDTHS = (1056, 1408, 2112, 2816, 4224, 5632, 8448)
"""Tokens of a text and its answer; each divides a batch. The last holds a prompt of 8192 tokens and its answer."""
TOKENS = 33792
_END = "<|im_end|>"
_ATTEMPTS = 32

STAGES: tuple[tuple[float, tuple[int, ...]], ...] = (
    (0.06, (60, 40, 0, 0, 0, 0, 0)),
    (0.16, (15, 25, 40, 20, 0, 0, 0)),
    (0.32, (5, 10, 25, 30, 30, 0, 0)),
    (0.55, (2, 4, 14, 20, 30, 20, 10)),
    (1.01, (1, 2, 7, 12, 28, 20, 30)),
)
"""Until which part of the course how often each width comes."""


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
        self._template = ChatTemplate(source, {"bos_token": "<|im_start|>", "eos_token": _END})

    def prompt(self, prompt: str) -> list[int]:
        """Tokens of a prompt in its chat."""
        return self._library.encode(self._template.render(prompt), add_special_tokens=False).ids

    def answer(self, metric: str, answers: Sequence[str]) -> list[int]:
        """Tokens of the gold answers, said at once and without an explanation, and the end of the turn."""
        return self._library.encode(gold_prediction(metric, answers) + _END, add_special_tokens=False).ids


@lru_cache(maxsize=2)
def writer(folder: str) -> Writer:
    """The writer for a folder, one a process."""
    return Writer(folder)


@dataclass(frozen=True, kw_only=True)
class Course(torch.utils.data.Dataset[Batch]):
    """All batches of a training.

    Attributes:
        tokenizer: The model's folder.
        seed: Of the course; it is no seed of an evaluation.
        steps: How many batches there are.
        widths: Tokens of the texts, growing; they divide `tokens`.
        tokens: Of each batch.
    """

    tokenizer: str
    seed: int
    steps: int
    widths: tuple[int, ...] = WIDTHS
    tokens: int = TOKENS

    def __post_init__(self) -> None:
        """Raise ValueError for what cannot be."""
        if self.steps < 1:
            raise ValueError(f"steps={self.steps} is out of range: 1 or more")
        if not 1 <= len(self.widths) <= len(WIDTHS) or any(self.tokens % width for width in self.widths):
            raise ValueError(f"widths={self.widths} is out of range: 1 to {len(WIDTHS)} divisors of {self.tokens}")

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        return self.batch(step)

    def width(self, step: int) -> int:
        """How long the texts of a batch are; longer ones come later."""
        weights = next(weights for end, weights in STAGES if step / self.steps < end)[: len(self.widths)]
        at = Stream(NAMESPACE, "width", self.seed, step).one(max(1, sum(weights)))
        return next(width for width, end in zip(self.widths, np.cumsum(weights)) if at < end or end == sum(weights))

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        width = self.width(step)
        most = self.tokens // min(self.widths)
        return pack([self._text(step * most + row, width) for row in range(self.tokens // width)], width)

    def _text(self, index: int, width: int) -> tuple[list[int], list[int]]:
        """Tokens of one text and of its answer, together at most `width`."""
        own = writer(self.tokenizer)
        for attempt in range(_ATTEMPTS):
            stream = Stream(NAMESPACE, "lesson", self.seed, index, attempt)
            task = draw_task(stream, width)
            draft = task.draft(training_key(task, self.seed, index))
            least, most = draft.smallest(own.counter), width - 16
            least = max(least, width * 4 // 5)
            if least > most:
                continue
            length = least + stream.one(most - least + 1)
            try:  # what the answer takes is known only afterwards; it is the same at any length
                fitted = fit(draft, length, own.counter)
                answer = own.answer(task.metric, fitted.answers)
                if (over := length + len(answer) - width) > 0:
                    fitted = fit(draft, length - over, own.counter)
                    answer = own.answer(task.metric, fitted.answers)
            except ValueError:  # too long by then, or of no exact length
                continue
            text = own.prompt(fitted.prompt)
            if len(text) + len(answer) <= width:
                return text, answer
        raise ValueError(f"no lesson fits into {width} tokens")


@dataclass(frozen=True, kw_only=True)
class HeldOut(torch.utils.data.Dataset[Batch]):
    """Batches that are never trained on: samples of an ordinary seed, `rows` of them for each task and length."""

    tokenizer: str
    tasks: tuple[Task, ...]
    lengths: tuple[int, ...]
    rows: int
    seed: int = 2025

    def __len__(self) -> int:
        return len(self.tasks) * len(self.lengths)

    def __getitem__(self, cell: int) -> Batch:
        task, length = self.cell(cell)
        own = writer(self.tokenizer)
        texts = []
        for index in range(self.rows):
            sample = task.sample(seed=self.seed, index=index, length=length, tokenizer=own.counter)
            texts.append((own.prompt(sample.prompt), own.answer(sample.metric, sample.answers)))
        return pack(texts, max(len(text) + len(answer) for text, answer in texts))

    def cell(self, number: int) -> tuple[Task, int]:
        """Task and length of a batch."""
        return self.tasks[number // len(self.lengths)], self.lengths[number % len(self.lengths)]


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
