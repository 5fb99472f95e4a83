"""What happened inside a `with backend.attach(model) as run:` block: densities and evidence recall."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from nl_tasks.kernels.plan import Plan, causal_entries
from nl_tasks.sparse_backends.recall import EvidenceTally, ranges_of

if TYPE_CHECKING:
    from nl_tasks.sparse_backends.base import Backend


@dataclass
class _Tally:
    """Sums over the recorded calls of one layer and row; those of tensors per query head, `[Hq]`."""

    computed: Tensor
    causal: int = 0
    prompt: int = 0
    estimation: int = 0


class Run:
    """Records of the calls in which a backend acts: prompts for prefill methods, generated tokens for the others.

    Results are `[layers, query heads]` float64 on the CPU, NaN for layers in which the backend never acted (dense
    and sliding-window layers). Nothing waits for the device before a result is asked for.
    """

    def __init__(self, backend: "Backend", layers: Sequence[int] = (), recording: bool = True) -> None:
        self.backend, self.layers, self._recording = backend, tuple(layers), recording
        self.start()

    def start(self, evidence: Sequence[Sequence[tuple[int, int]]] | None = None, question: int = 64) -> None:
        """Forget what was recorded; the next calls are of a batch with this `evidence`.

        `evidence` lists for each row of the batch the ranges (first, end) of tokens, counted in the row's own prompt
        without padding. The question's queries are the last `question` tokens of the prompt. Raises ValueError for a
        range that is empty or begins before 0.
        """
        if question < 1:
            raise ValueError(f"question={question} is out of range: question >= 1")
        self._rows = None if evidence is None else [ranges_of(row) for row in evidence]
        self._question = question
        self.dense_calls = 0  # in which a prompt was so short that it ran densely, as provider="auto" may
        self._tallies: dict[tuple[int, int], _Tally] = {}
        self._kept: dict[tuple[int, int], _Tally] = {}
        self._evidence: dict[tuple[int, int], EvidenceTally] = {}

    def density(self, against: Literal["causal", "prompt"] = "causal", row: int | None = None) -> Tensor:
        """Computed score entries as a share of full causal attention, `[layers, query heads]`.

        With `against="prompt"` generated tokens are counted as the budgets of decode and eviction methods are: what a
        token reads (eviction: what was kept of the prompt) as a share of the prompt. `row` picks a row of the batch.
        """
        if against not in ("causal", "prompt"):
            raise ValueError(f"against={against!r} is out of range: causal or prompt")
        prompts = against == "prompt" and self.backend.phase != "prefill"
        tallies = self._kept if prompts and self.backend.phase == "evict" else self._tallies

        def share(found: list[_Tally]) -> Tensor:
            total = sum(tally.prompt if prompts else tally.causal for tally in found)
            return torch.stack([tally.computed.cpu() for tally in found]).sum(0) / total

        return self._table(tallies, share, row)

    def estimation(self) -> float:
        """Cost of selecting, as a share of the score entries of full causal attention, averaged over layers."""
        total = sum(tally.causal for tally in self._tallies.values())
        return sum(tally.estimation for tally in self._tallies.values()) / total if total else float("nan")

    def evidence_recall(self, over: Literal["any", "each"] = "any", row: int | None = None) -> Tensor:
        """Share of the evidence tokens that the question's queries could see, `[layers, query heads]`, over rows.

        The queries are the prompt's last ones (prefill methods) or the generated tokens (decode methods): "any"
        counts a token that at least one of them saw, "each" averages over the queries. For eviction methods it is the
        share that is still cached. NaN without evidence (see `start`).
        """
        if over not in ("any", "each"):
            raise ValueError(f"over={over!r} is out of range: any or each")
        return self._table(
            self._evidence, lambda found: torch.stack([tally.share(over) for tally in found]).mean(0), row
        )

    def report(self) -> dict[str, Any]:
        """Everything as plain numbers (None for NaN), for a result file; means are over layers and heads."""
        asked = self.backend.sparsity
        density, recall = self.density(), self.evidence_recall()
        return {
            "backend": self.backend.spec,
            "phase": self.backend.phase,
            "sparsity_asked": asked,
            "density_asked": None if asked is None else 1 - asked,
            "density": _number(density.nanmean()),
            "density_of_prompt": _number(self.density("prompt").nanmean()),
            "estimation": _number(torch.tensor(self.estimation())),
            "dense_calls": self.dense_calls,
            "evidence_recall": _number(recall.nanmean()),
            "density_per_head": [[_number(x) for x in layer] for layer in density],
            "evidence_recall_per_head": [[_number(x) for x in layer] for layer in recall],
        }

    def expect_batch(self, rows: int) -> None:
        """Raise ValueError if evidence was given for another number of rows. For the hook."""
        if self._recording and self._rows is not None and len(self._rows) != rows:
            raise ValueError(f"evidence is for {len(self._rows)} rows, the batch has {rows}")

    def record(self, layer: int, first: int, plan: Plan, heads: int, prompt: int, seen: int | None = None) -> None:
        """Count a plan of rows `first` and on, whose rows have `seen` tokens (None: the plan's keys). For the hook."""
        if not self._recording:
            return
        seen = plan.keys if seen is None else seen
        computed = _per_query_head(plan.computed(), heads)
        evicts = self.backend.phase == "evict"
        cost = 0 if evicts else self.backend.estimation(plan.queries, plan.keys)
        for row, entries in enumerate(computed, first):
            self._add(self._tallies, (layer, row), entries, causal_entries(plan.queries, seen), prompt, cost)
            evidence = self._rows[row] if self._rows is not None else None
            if evidence is not None and not evicts:
                renew = None if self.backend.phase == "decode" else EvidenceTally()
                tally = renew or self._evidence.get((layer, row)) or EvidenceTally()
                tally.see(plan, row - first, evidence, self._question, heads)
                self._evidence[layer, row] = tally

    def record_kept(self, layer: int, first: int, kept: Tensor, heads: int) -> None:
        """Note what an eviction method keeps `[b, Hkv, S]` of the prompts of rows `first` and on. For the hook."""
        if not self._recording:
            return
        size = kept.shape[-1]
        for row, stays in enumerate(_per_query_head(kept, heads), first):
            self._kept.pop((layer, row), None)  # a longer prompt of the same sequence
            self._add(self._kept, (layer, row), stays.sum(-1), size, size, 0)
            if self._rows is not None:
                self._evidence[layer, row] = EvidenceTally().hold(stays, self._rows[row])

    def record_positions(self, layer: int, positions: Tensor, heads: int) -> None:
        """Note which tokens of each row `[B, Hkv, S]` (-1: none) are left after an eviction. For the hook."""
        if not self._recording or self._rows is None:
            return
        size = int(positions.max()) + 1
        left = torch.zeros(*positions.shape[:2], size + 1, dtype=torch.bool, device=positions.device)
        left.scatter_(-1, torch.where(positions < 0, size, positions).long(), True)
        for row, stays in enumerate(_per_query_head(left[..., :size], heads)):
            self._evidence[layer, row] = EvidenceTally().hold(stays, self._rows[row])

    def _add(
        self,
        tallies: dict[tuple[int, int], _Tally],
        place: tuple[int, int],
        entries: Tensor,
        causal: int,
        prompt: int,
        estimation: int,
    ) -> None:
        tally = tallies.setdefault(place, _Tally(torch.zeros_like(entries, dtype=torch.float64)))
        tally.computed += entries
        tally.causal += causal
        tally.prompt += prompt
        tally.estimation += estimation

    def _table(self, found: dict[tuple[int, int], Any], share: Any, row: int | None) -> Tensor:
        layers = self.layers or tuple(sorted({layer for layer, _ in found}))
        lines = {}
        for layer in layers:
            tallies = [tally for (at, of), tally in found.items() if at == layer and row in (None, of)]
            if tallies:
                lines[layer] = share(tallies).double()
        heads = max((len(line) for line in lines.values()), default=1)
        return torch.stack(
            [lines.get(layer, torch.full((heads,), torch.nan).double()) for layer in layers]
            or [torch.empty(0, dtype=torch.float64)]
        )


def _per_query_head(x: Tensor, heads: int) -> Tensor:
    """Repeat `x` `[B, H, ...]` of KV heads for the query heads that share them, `[B, Hq, ...]`."""
    return x.repeat_interleave(heads // x.shape[1], 1)


def _number(x: Tensor) -> float | None:
    value = float(x)
    return None if value != value else value
