"""A local model as lm-eval sees it, that runs one backend at a time and notes what each sample cost."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from nl_tasks.eval_clock import Clock
from nl_tasks.eval_reading import Encodings, Reading
from nl_tasks.lm_eval_model import generation_budget
from nl_tasks.sparse_backends import Backend


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one sample's answer cost.

    `density`, `density_of_prompt` and `recall` are `[layers, query heads]` as `nl_tasks.sparse_backends.run.Run` has
    them; `estimation` is a share of full attention; times are seconds, those of a batch shared out evenly to its rows.
    """

    num_tokens: int
    generated_tokens: int
    prefill_s: float
    decode_s: float
    density: torch.Tensor
    density_of_prompt: torch.Tensor
    recall: torch.Tensor
    estimation: float


class MeasuredLM(HFLM):
    """A model of transformers on one or more devices, that answers with the backend it was last prepared for.

    `measured` maps a sample's id to what its last answer cost.
    """

    def __init__(self, folder: str, *, dtype: str, device: str, **options: Any) -> None:
        """Load the model in `folder`. `options` are lm-eval's own model arguments, as `parallelize=True`."""
        super().__init__(pretrained=folder, dtype=dtype, device=device, batch_size=1, **options)
        self._encodings = Encodings(self.tokenizer)
        self.backend: Backend | None = None
        self.dense_layers: tuple[int, ...] = ()
        self.chat, self.batch = False, 1
        self.answered: Callable[[], None] | None = None
        self.measured: dict[str, Measured] = {}

    def prepare(
        self,
        backend: Backend,
        *,
        dense_layers: Iterable[int],
        chat: bool,
        batch: int = 1,
        answered: Callable[[], None] | None = None,
    ) -> None:
        """Forget what was measured; answer with `backend` from now on, `batch` samples at a time.

        `chat` says whether texts come with the chat template, `answered` is called after each answer.
        """
        self.backend, self.dense_layers = backend, tuple(dense_layers)
        self.chat, self.batch, self.answered, self.measured = chat, batch, answered, {}

    def tok_batch_encode(
        self,
        strings: list[str],
        padding_side: str = "left",
        left_truncate_len: int | None = None,
        truncation: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens of texts, `[n, T]`: with a chat template that alone decides about BOS. Nothing is ever cut off."""
        if len(strings) == 1:
            tokens = torch.tensor(self._encodings.of(strings[0], chat=self.chat)[0][None], dtype=torch.long)
            return tokens, torch.ones_like(tokens)
        found = self.tokenizer(strings, add_special_tokens=not self.chat, return_tensors="pt", padding=True)
        return found["input_ids"], found["attention_mask"]

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[str]:
        """Answer all requests greedily, as many of those of equal length at a time as `prepare` was told.

        Samples of a cell are equally long; others that follow each other and are not go into batches of their own.
        """
        said: list[str] = []
        for _, equal in groupby(map(self._read, requests), key=lambda reading: reading.size):
            while batch := _first(equal, self.batch):
                said += self._answers(batch)
        return said

    def _read(self, request: Instance) -> Reading:
        text, options = request.args
        return self._encodings.read(text, request.doc, chat=self.chat, budget=generation_budget(options))

    def _answers(self, readings: list[Reading]) -> list[str]:
        """Answer samples of equal length in one batch, or in halves if the device has not the memory."""
        try:
            return self._generated(readings)
        except torch.OutOfMemoryError:
            if len(readings) == 1:
                raise
        torch.cuda.empty_cache()  # not in the handler: the error holds on to what was allocated
        self.batch = half = (len(readings) + 1) // 2
        return self._answers(readings[:half]) + self._answers(readings[half:])

    def _generated(self, readings: list[Reading]) -> list[str]:
        if self.backend is None:
            raise RuntimeError("set backend before evaluating")
        prompts = torch.tensor([reading.tokens for reading in readings], device=self.device)
        evidence = [reading.evidence for reading in readings]
        # "sparse": what is judged is the method, also at lengths at which dense attention would be faster.
        attached = self.backend.attach(self.model, dense_layers=self.dense_layers, provider="sparse")
        with attached as run, torch.inference_mode():
            clock = Clock(self._ends(), run.end, rows=len(readings))
            run.start(evidence if any(evidence) else None, question=[reading.question for reading in readings])
            said = self.model.generate(
                input_ids=prompts,
                attention_mask=torch.ones_like(prompts),
                max_new_tokens=readings[0].budget,
                do_sample=False,
                pad_token_id=self.tokenizer.pad_token_id,
                streamer=clock,
            )
        for row, reading in enumerate(readings):
            self.measured[reading.id] = Measured(
                num_tokens=len(reading.tokens),
                generated_tokens=clock.tokens[row],
                prefill_s=clock.prefill_s / len(readings),
                decode_s=clock.decode_s / len(readings),
                density=run.density(row=row),
                density_of_prompt=run.density("prompt", row=row),
                recall=run.evidence_recall(row=row),
                estimation=run.estimation(row=row),
            )
            if self.answered is not None:
                self.answered()
        new = said[:, prompts.shape[1] :].tolist()
        return [str(self.tok_decode(tokens[:count])) for tokens, count in zip(new, clock.tokens)]

    def _ends(self) -> set[int]:
        """The tokens that end an answer, as `generate` knows them."""
        found = self.model.generation_config.eos_token_id
        return set() if found is None else set(found) if isinstance(found, list) else {found}


def _first(readings: Iterator[Reading], count: int) -> list[Reading]:
    return [reading for _, reading in zip(range(count), readings)]
