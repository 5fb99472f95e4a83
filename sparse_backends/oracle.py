"""The entries with the highest true attention: the most that any selection of the same unit could retain."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from nl_tasks.kernels.attention_mass import attention_mass
from nl_tasks.kernels.plan import BlockPlan, PagePlan, Plan, TokenPlan, causal_entries
from nl_tasks.kernels.score_plan import TILE, ScorePlan, log_probabilities
from nl_tasks.sparse_backends.base import Backend
from nl_tasks.sparse_backends.blocks import BlockGrid
from nl_tasks.sparse_backends.budget import budget, listed, top
from nl_tasks.sparse_backends.registry import register
from nl_tasks.sparse_backends.threshold import nth_largest


@register
@dataclass(frozen=True, kw_only=True)
class Oracle(Backend):
    """Per query head, the entries with the largest attention probability, chosen over all rows at once.

    Prefill, unit "token": the N entries of largest probability, of which each row's largest come first; N allows each
    query `tokens` keys on average (as many as a row has, if fewer). Unit "block": blocks of `block` x `block` by
    descending probability per causal entry (of equals the earlier row, then column), after those that hold the rows'
    own positions, as long as their entries do not exceed N. Decode: the `tokens` keys, or pages of `block` keys by
    descending probability per key until the next would bring the keys read farther from `tokens` (at least one).
    With `sparsity`, N and `tokens` are round((1 - sparsity) x full attention, or the prompt's length).
    """

    name = "oracle"
    phase: Literal["prefill", "decode"] = "prefill"  # type: ignore[misc] # a parameter of this method
    unit: Literal["token", "block"] = "token"  # type: ignore[misc] # likewise
    estimator = "the attention itself"
    allocation = "adaptive across the rows of a head"
    citation = "a control of this package"

    block: int = 16
    tokens: int | None = budget(1024)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("phase", self.phase in ("prefill", "decode"), "prefill or decode")
        self.require("unit", self.unit in ("token", "block"), "token or block")
        self.require("block", self.block in (16, 32, 64, 128), "one of 16, 32, 64, 128")
        self.require("tokens", self.tokens is None or self.tokens >= 1, "tokens >= 1")

    def plan(self, q: Tensor, k: Tensor, *, scale: float, layer: int = 0, prompt: int | None = None) -> Plan:
        """Compute the attention probabilities, a tile of rows at a time, and keep the largest."""
        if self.phase == "decode":
            return self._decode_plan(q, k, scale, self.keep(self.tokens, prompt, k.shape[2]))
        queries, keys = q.shape[2], k.shape[2]
        if self.sparsity is not None:
            entries = self.target(queries, keys)
        else:
            own = (torch.arange(keys - queries, keys) + 1).clamp(max=self.tokens)
            entries = int(own.sum())
        plan = self._token_plan if self.unit == "token" else self._block_plan
        return plan(q, k, scale, max(entries, self.floor(queries, keys)))

    def floor(self, queries: int, keys: int) -> int:
        """Each row's largest entry, or each query block's own blocks."""
        if self.phase == "decode":
            return 1 if self.unit == "token" else min(self.block, keys)
        return queries if self.unit == "token" else int(BlockGrid(queries, keys, self.block).diagonal_entries().sum())

    def estimation(self, queries: int, keys: int) -> int:
        """Full attention."""
        return causal_entries(queries, keys)

    def _token_plan(self, q: Tensor, k: Tensor, scale: float, entries: int) -> ScorePlan:
        batch, heads, queries, _ = q.shape
        thresholds = torch.empty(batch, heads, device=q.device)
        kept = torch.empty(batch, heads, dtype=torch.int64, device=q.device)
        for b in range(batch):
            for h in range(heads):
                rest = partial(_below_row_maxima, q, k, scale, b, h)
                thresholds[b, h], others = nth_largest(rest, entries - queries)
                kept[b, h] = others + queries
        return ScorePlan(queries, k.shape[2], q, k, scale, thresholds, kept)

    def _block_plan(self, q: Tensor, k: Tensor, scale: float, entries: int) -> BlockPlan:
        batch, heads, queries, _ = q.shape
        grid = BlockGrid(queries, k.shape[2], self.block)
        near = torch.arange(grid.columns) >= grid.own[:, None]
        seen = torch.arange(grid.columns) <= grid.last[:, None]
        area = (grid.rows * self.block)[:, None].expand_as(seen)  # of a block before the diagonal
        free, sure = (seen & ~near).to(q.device), (seen & near).to(q.device)
        sizes = area.to(q.device)
        spare = entries - int(grid.diagonal_entries().sum())
        kept = sure.expand(batch, heads, *sure.shape).clone()
        mass = attention_mass(q, k, scale=scale, block=self.block)
        for b in range(batch):
            share = torch.where(free, mass[b] / sizes, -1).flatten(1)
            order = share.sort(dim=-1, descending=True, stable=True).indices  # [Hq, R C]
            chosen = free.flatten()[order] & (sizes.flatten()[order].cumsum(-1) <= spare)
            kept[b] |= torch.zeros_like(chosen).scatter_(-1, order, chosen).view_as(kept[b])
        return BlockPlan(queries, k.shape[2], self.block, self.block, *listed(kept))

    def _decode_plan(self, q: Tensor, k: Tensor, scale: float, tokens: int) -> TokenPlan | PagePlan:
        batch, heads, _, dim = q.shape
        keys = k.shape[2]
        grouped = q.float().reshape(batch, k.shape[1], -1, dim)
        weights = (grouped @ k.float().mT * scale).softmax(-1).reshape(batch, heads, keys)
        if self.unit == "token":
            kept = top(weights, max(1, tokens))
            return TokenPlan(1, keys, kept, kept.new_full(kept.shape[:2], kept.shape[2]))
        sizes = (keys - torch.arange(0, keys, self.block, device=q.device)).clamp(max=self.block)
        missing = (0, -keys % self.block)
        share = pad(weights, missing).unflatten(2, (-1, self.block)).sum(3) / sizes
        order = share.sort(dim=-1, descending=True, stable=True).indices
        read = sizes[order].cumsum(-1)
        chosen = (read - sizes[order] // 2 <= tokens).long().cumprod(-1).bool()
        chosen[..., 0] = True
        pages = torch.zeros_like(share, dtype=torch.bool).scatter_(2, order, chosen)
        return PagePlan(1, keys, self.block, *listed(pages))


def _below_row_maxima(q: Tensor, k: Tensor, scale: float, b: int, h: int) -> Iterator[Tensor]:
    """Log-probabilities of a head, causal ones alone and without each row's largest, a tile of rows at a time."""
    for tile in range(-(-q.shape[2] // TILE)):
        logp = log_probabilities(q, k, scale, b, h, tile)
        logp.scatter_(1, logp.argmax(1, keepdim=True), -torch.inf)
        yield logp[logp > -torch.inf]
