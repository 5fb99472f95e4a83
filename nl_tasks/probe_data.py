"""Batches a probe is trained on: batch `step` is a function of the plan and the step, made by any process.

    course = Course(tokenizer=folder, seed=0, steps=2000)
    batch = course.batch(step)

A batch is so many texts of one width that it always holds as many tokens. Widths grow over the course.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from nl_tasks.generators.fitting import fit
from nl_tasks.generators.randomness import Stream
from nl_tasks.generators.task import Task
from nl_tasks.probe_batch import Batch, pack, writer
from nl_tasks.probe_lessons import NAMESPACE, draw_task, training_key

WIDTHS = (1056, 1408, 2112, 2816, 4224, 5632, 8448)
"""Tokens of a text and its answer; each divides a batch. The last holds a prompt of 8192 tokens and its answer."""
TOKENS = 33792
HELD_OUT_SEED = 2025
_ATTEMPTS = 32

STAGES: tuple[tuple[float, tuple[int, ...]], ...] = (
    (0.06, (60, 40, 0, 0, 0, 0, 0)),
    (0.16, (15, 25, 40, 20, 0, 0, 0)),
    (0.32, (5, 10, 25, 30, 30, 0, 0)),
    (0.55, (2, 4, 14, 20, 30, 20, 10)),
    (1.01, (1, 2, 7, 12, 28, 20, 30)),
)
"""Until which part of the course how often each width comes."""


@dataclass(frozen=True, kw_only=True)
class Course(torch.utils.data.Dataset[Batch]):
    """All batches of a training.

    Attributes:
        tokenizer: The model's folder.
        seed: Of the course; it is no seed of an evaluation.
        steps: How many batches there are.
        widths: Tokens of the texts, growing; they divide `tokens`.
        tokens: Of each batch.
        opened: Share of the way to long texts that is left out at the beginning, for a model that has gone it.
    """

    tokenizer: str
    seed: int
    steps: int
    widths: tuple[int, ...] = WIDTHS
    tokens: int = TOKENS
    opened: float = 0.0

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
        way = self.opened + (1 - self.opened) * step / self.steps
        weights = next(weights for end, weights in STAGES if way < end)[: len(self.widths)]
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
    cells: tuple[tuple[Task, int], ...]
    rows: int
    seed: int = HELD_OUT_SEED

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, cell: int) -> Batch:
        task, length = self.cells[cell]
        own = writer(self.tokenizer)
        texts = []
        for index in range(self.rows):
            sample = task.sample(seed=self.seed, index=index, length=length, tokenizer=own.counter)
            texts.append((own.prompt(sample.prompt), own.answer(sample.metric, sample.answers)))
        return pack(texts, max(len(text) + len(answer) for text, answer in texts))

    @classmethod
    def of(cls, tokenizer: str, tasks: Sequence[Task], lengths: Sequence[int], rows: int) -> "HeldOut":
        """Every task at every length that can hold its samples."""
        counter = writer(tokenizer).counter
        cells = []
        for task in tasks:
            least = task.smallest_length(seed=HELD_OUT_SEED, indices=range(rows), tokenizer=counter)
            cells += [(task, length) for length in lengths if length >= least]
        return cls(tokenizer=tokenizer, cells=tuple(cells), rows=rows)
