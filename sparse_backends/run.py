"""What happened inside a `with backend.attach(model) as run:` block: densities and evidence recall."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from nl_tasks.kernels.plan import Plan, causal_entries
from nl_tasks.sparse_backends.recall import Evidence, EvidenceTally, Going
from nl_tasks.sparse_backends.settle import Settled, settle

if TYPE_CHECKING:
    from nl_tasks.sparse_backends.base import Backend

_Counts = int | Sequence[int]  # one for all rows, or one for each


class _Tally:
    """Sums over the recorded calls of one layer: `computed` `[rows, Hq]` on its device, the others `[rows]`."""

    def __init__(self, heads: int, device: torch.device) -> None:
        self.computed = torch.zeros(0, heads, dtype=torch.float64, device=device)
        self.sums = Settled()
        self.causal, self.prompt, self.estimation = (np.zeros(0, dtype=np.int64) for _ in range(3))

    def counted(self) -> Tensor:
        """What lies on the device."""
        return self.computed

    def add(
        self, first: int, entries: Tensor, causal: _Counts, prompt: _Counts, estimation: int, going: Going | None
    ) -> None:
        """Add to rows `first` and on that are `going`; `entries` `[b, H]` may be those of KV heads."""
        self.sums.forget()
        rows = slice(first, first + len(entries))
        self._grow(rows.stop)
        goes: Any = 1
        if going is not None:
            goes = going.rows[rows]
            entries = entries * going.on(entries.device)[rows, None]
        self.computed[rows].unflatten(1, (entries.shape[1], -1)).add_(entries[..., None])
        self.causal[rows] += np.asarray(causal) * goes
        self.prompt[rows] += np.asarray(prompt) * goes
        self.estimation[rows] += estimation * goes

    def forget(self, first: int, count: int) -> None:
        """Begin `count` rows, `first` and on, anew."""
        self.sums.forget()
        self._grow(first + count)
        for sums in (self.computed, self.causal, self.prompt, self.estimation):
            sums[first : first + count] = 0

    def share(self, prompts: bool, row: int | None) -> Tensor | None:
        """Computed entries as a share of causal ones (of the prompts, if asked), `[Hq]`; None if nothing was."""
        rows = [at for at in range(len(self.causal)) if self.causal[at] and row in (None, at)]
        if not rows:
            return None
        total = (self.prompt if prompts else self.causal)[rows].sum()
        settle([self])
        return (self.sums.on_cpu.sum(0) if row is None else self.sums.on_cpu[row]) / int(total)

    def _grow(self, rows: int) -> None:
        more = rows - len(self.causal)
        if more > 0:
            self.computed = torch.nn.functional.pad(self.computed, (0, 0, 0, more))
            self.causal, self.prompt, self.estimation = (
                np.pad(sums, (0, more)) for sums in (self.causal, self.prompt, self.estimation)
            )


def _of_layer(tallies: dict[int, _Tally], layer: int, heads: int, device: torch.device) -> _Tally:
    if layer not in tallies:  # every generated token asks in every layer: none is made that is not kept
        tallies[layer] = _Tally(heads, device)
    return tallies[layer]


class Run:
    """Records of the calls in which a backend acts: prompts for prefill methods, generated tokens for the others.

    Results are `[layers, query heads]` float64 on the CPU, NaN for layers in which the backend never acted (dense
    and sliding-window layers). Nothing waits for the device before a result is asked for.
    """

    def __init__(self, backend: "Backend", layers: Sequence[int] = (), recording: bool = True) -> None:
        self.backend, self.layers, self._recording = backend, tuple(layers), recording
        self.start()

    def start(self, evidence: Sequence[Sequence[tuple[int, int]]] | None = None, question: _Counts = 64) -> None:
        """Forget what was recorded; the next calls are of a batch with this `evidence`.

        `evidence` lists for each row of the batch the ranges (first, end) of tokens, counted in the row's own prompt
        without padding. The question's queries are the last `question` tokens of the prompt, one number for all rows or
        one for each. Raises ValueError for a range that is empty or begins before 0.
        """
        if np.min(question) < 1:
            raise ValueError(f"question={question} is out of range: question >= 1")
        self._given = None if evidence is None else Evidence(evidence, question)
        self.dense_calls = 0  # of layers where full attention read a prompt, as it was faster; provider="auto" may
        self._going: Going | None = None
        self._tallies: dict[int, _Tally] = {}
        self._kept: dict[int, _Tally] = {}
        self._evidence: dict[int, EvidenceTally] = {}

    def end(self, ended: Sequence[bool]) -> None:
        """Say of each row of the batch whether it has ended: until the next `start`, nothing more is counted of it."""
        if self._going is None or list(~self._going.rows) != list(ended):
            self._going = Going([not row for row in ended]) if any(ended) else None

    def density(self, against: Literal["causal", "prompt"] = "causal", row: int | None = None) -> Tensor:
        """Computed score entries as a share of full causal attention, `[layers, query heads]`.

        With `against="prompt"` generated tokens are counted as the budgets of decode and eviction methods are: what a
        token reads (eviction: what was kept of the prompt) as a share of the prompt. `row` picks a row of the batch.
        """
        if against not in ("causal", "prompt"):
            raise ValueError(f"against={against!r} is out of range: causal or prompt")
        prompts = against == "prompt" and self.backend.phase != "prefill"
        tallies = self._kept if prompts and self.backend.phase == "evict" else self._tallies
        settle(tallies.values())
        return self._table({layer: tally.share(prompts, row) for layer, tally in tallies.items()})

    def estimation(self, row: int | None = None) -> float:
        """Cost of selecting, as a share of the score entries of full causal attention, averaged over layers."""
        rows = slice(None) if row is None else slice(row, row + 1)
        total = sum(int(tally.causal[rows].sum()) for tally in self._tallies.values())
        cost = sum(int(tally.estimation[rows].sum()) for tally in self._tallies.values())
        return cost / total if total else float("nan")

    def evidence_recall(self, over: Literal["any", "each"] = "any", row: int | None = None) -> Tensor:
        """Share of the evidence tokens that the question's queries could see, `[layers, query heads]`, over rows.

        The queries are the prompt's last ones (prefill methods) or the generated tokens (decode methods): "any"
        counts a token that at least one of them saw, "each" averages over the queries. For eviction methods it is the
        share that is still cached. NaN without evidence (see `start`).
        """
        if over not in ("any", "each"):
            raise ValueError(f"over={over!r} is out of range: any or each")
        settle(self._evidence.values())
        return self._table({layer: tally.share(over, row) for layer, tally in self._evidence.items()})

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

    def ran_densely(self, tokens: int) -> None:
        """Count a layer's call in which full attention, which is faster, reads a prompt. For the hook."""
        if not self.dense_calls:
            warnings.warn(
                f"{self.backend.spec}: full attention is faster for {tokens} tokens and is what runs; "
                'provider="sparse" runs the method',
                stacklevel=2,
            )
        self.dense_calls += 1

    def expect_batch(self, rows: int) -> None:
        """Raise ValueError if evidence was given for another number of rows. For the hook."""
        if self._recording and self._given is not None and len(self._given) != rows:
            raise ValueError(f"evidence is for {len(self._given)} rows, the batch has {rows}")

    def record(
        self,
        layer: int,
        first: int,
        plan: Plan,
        heads: int,
        prompt: _Counts,
        seen: _Counts | None = None,
        estimated: bool = True,
    ) -> None:
        """Count a plan of rows `first` and on, whose rows have `seen` tokens (None: the plan's keys). For the hook.

        `estimated` says whether the method chose what it holds, and what that cost counts.
        """
        if not self._recording:
            return
        phase, device = self.backend.phase, plan.device
        computed = plan.computed()  # [b, H]
        lengths = np.atleast_1d(plan.keys if seen is None else seen).tolist()
        causal = [causal_entries(plan.queries, length) for length in lengths]
        cost = 0 if phase == "evict" or not estimated else self.backend.estimation(plan.queries, plan.keys)
        tally = _of_layer(self._tallies, layer, heads, device)
        tally.add(first, computed, causal, prompt, cost, self._going)
        if self._given is not None and phase != "evict":
            evidence = self._seen(layer, heads, device)
            if phase == "prefill":  # of a prompt in chunks, the last chunk holds the question
                evidence.forget(first, len(computed))
            evidence.see(plan, first, len(computed), self._going)

    def record_kept(self, layer: int, first: int, kept: Tensor, heads: int) -> None:
        """Note what an eviction method keeps `[b, Hkv, S]` of the prompts of rows `first` and on. For the hook."""
        if not self._recording:
            return
        rows, size = kept.shape[0], kept.shape[2]
        tally = _of_layer(self._kept, layer, heads, kept.device)
        tally.forget(first, rows)  # a longer prompt of the same sequence
        tally.add(first, kept.sum(-1), size, size, 0, None)
        if self._given is not None:
            self._seen(layer, heads, kept.device).hold(kept, first)

    def record_positions(self, layer: int, positions: Tensor, heads: int) -> None:
        """Note which tokens of each row `[B, Hkv, S]` (-1: none) are left after an eviction. For the hook."""
        if not self._recording or self._given is None:
            return
        size = self._given.last + 1  # later tokens hold no evidence
        left = torch.zeros(*positions.shape[:2], size + 1, dtype=torch.bool, device=positions.device)
        left.scatter_(-1, torch.where((positions < 0) | (positions >= size), size, positions).long(), True)
        self._seen(layer, heads, positions.device).hold(left[..., :size], 0, self._going)

    def _seen(self, layer: int, heads: int, device: torch.device) -> EvidenceTally:
        if layer not in self._evidence:
            self._evidence[layer] = EvidenceTally(self._given, heads, device)  # type: ignore[arg-type] # asked for by now
        return self._evidence[layer]

    def _table(self, shares: dict[int, Tensor | None]) -> Tensor:
        found = {layer: share.double() for layer, share in shares.items() if share is not None}
        heads = max(map(len, found.values()), default=1)
        return torch.stack(
            [
                found.get(layer, torch.full((heads,), torch.nan).double())
                for layer in self.layers or tuple(sorted(found))
            ]
            or [torch.empty(0, dtype=torch.float64)]
        )


def _number(x: Tensor) -> float | None:
    value = float(x)
    return None if value != value else value
