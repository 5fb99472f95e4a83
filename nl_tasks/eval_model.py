"""A local model as lm-eval sees it, that runs one backend at a time and notes what each sample cost."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from nl_tasks.eval_clock import Clock
from nl_tasks.eval_evidence import evidence_tokens, question_tokens
from nl_tasks.lm_eval_model import generation_budget
from nl_tasks.sparse_backends import Backend


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one sample's answer cost.

    `density`, `density_of_prompt` and `recall` are `[layers, query heads]` as `nl_tasks.sparse_backends.run.Run` has
    them; `estimation` is a share of full attention; times are seconds.
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
        self.backend: Backend | None = None
        self.dense_layers: tuple[int, ...] = ()
        self.chat = False
        self.answered: Callable[[], None] | None = None
        self.measured: dict[str, Measured] = {}

    def prepare(
        self, backend: Backend, *, dense_layers: Iterable[int], chat: bool, answered: Callable[[], None] | None = None
    ) -> None:
        """Forget what was measured; answer with `backend` from now on.

        `chat` says whether texts come with the chat template, `answered` is called after each answer.
        """
        self.backend, self.dense_layers, self.chat = backend, tuple(dense_layers), chat
        self.answered, self.measured = answered, {}

    def tok_batch_encode(
        self,
        strings: list[str],
        padding_side: str = "left",
        left_truncate_len: int | None = None,
        truncation: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens of a text, `[1, T]`: with a chat template that alone decides about BOS. Nothing is ever cut off."""
        found = self.tokenizer(strings, add_special_tokens=not self.chat, return_tensors="pt", padding=True)
        return found["input_ids"], found["attention_mask"]

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[str]:
        """Answer one request after another, greedily."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Instance) -> str:
        if self.backend is None:
            raise RuntimeError("set backend before evaluating")
        text, options = request.args
        found = self.tokenizer(text, add_special_tokens=not self.chat, return_offsets_mapping=True, return_tensors="pt")
        prompt, offsets = found["input_ids"].to(self.device), found["offset_mapping"][0].tolist()
        doc = request.doc
        spans = evidence_tokens(text, doc["prompt"], doc["evidence"], offsets)
        clock = Clock()
        # "sparse": what is judged is the method, also at lengths at which dense attention would be faster.
        attached = self.backend.attach(self.model, dense_layers=self.dense_layers, provider="sparse")
        with attached as run, torch.inference_mode():
            question = question_tokens(text, doc["prompt"], doc["question"], offsets)
            run.start([spans] if spans else None, question=question)
            said = self.model.generate(
                input_ids=prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=generation_budget(options),
                do_sample=False,
                pad_token_id=self.tokenizer.pad_token_id,
                streamer=clock,
            )
        self.measured[doc["id"]] = Measured(
            num_tokens=prompt.shape[1],
            generated_tokens=clock.tokens,
            prefill_s=clock.prefill_s,
            decode_s=clock.decode_s,
            density=run.density(),
            density_of_prompt=run.density("prompt"),
            recall=run.evidence_recall(),
            estimation=run.estimation(),
        )
        if self.answered is not None:
            self.answered()
        return str(self.tok_decode(said[0, prompt.shape[1] :].tolist()))
