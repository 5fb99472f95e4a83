"""Evicting, token by token, whatever the newest query attends to least."""

from dataclasses import dataclass

import torch
from torch import Tensor

from nl_tasks.kernels.plan import TokenPlan
from nl_tasks.sparse_backends.base import Backend
from nl_tasks.sparse_backends.budget import budget, top
from nl_tasks.sparse_backends.registry import register


@register
@dataclass(frozen=True, kw_only=True)
class Tova(Backend):
    """A layer keeps the same `tokens` tokens in all heads: those the newest query attends to most, averaged over heads.

    After a dense prefill the last prompt token's attention chooses (of equals the earlier wins). Each generated token
    reads what is kept and itself, tokens + 1 entries; then the one with the least attention goes (of equals the later),
    be it the new one. With `sparsity`, tokens = round((1 - sparsity) x prompt length); 0 never evicts.
    """

    name = "tova"
    phase = "evict"
    unit = "token"
    estimator = "attention of the newest query"
    allocation = "uniform"
    cache = "evicted"
    citation = "Oren et al. 2024, arXiv 2401.06104, section 3"

    tokens: int | None = budget(1024)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("tokens", self.tokens is None or self.tokens >= 1, "tokens >= 1")

    def plan(self, q: Tensor, k: Tensor, *, scale: float, layer: int = 0, prompt: int | None = None) -> TokenPlan:
        """Rank the prompt's tokens by the last one's attention."""
        count = self.keep(self.tokens, prompt, k.shape[2])
        kept = top(mean_attention(q[:, :, -1:], k, scale), count)[:, None].expand(-1, k.shape[1], -1)
        return TokenPlan(1, k.shape[2], kept, kept.new_full(kept.shape[:2], count))

    def evict_step(self, q: Tensor, k: Tensor, held: Tensor, *, scale: float, prompt: int) -> Tensor | None:
        """Drop the least attended of `held` if it holds more than the budget."""
        budget = self.keep(self.tokens, prompt, held.shape[1])
        if self.sparsity == 0 or held.shape[1] <= budget:
            return None
        attention = mean_attention(q[None], k[None], scale, held[None])[0].masked_fill(~held[0], torch.inf)
        least = held.shape[1] - 1 - attention.flip(0).argmin()
        fewer = held.index_fill(1, least[None], False)
        return torch.where(held[0].sum() > budget, fewer, held)  # asking how many would make the host wait

    def floor(self, queries: int, keys: int) -> int:
        """One token."""
        return 1


def mean_attention(q: Tensor, k: Tensor, scale: float, held: Tensor | None = None) -> Tensor:
    """Attention of one query row `q` `[B, Hq, 1, D]` to the keys `held` `[B, Hkv, S]`, head average `[B, S]`."""
    grouped = q.float().reshape(q.shape[0], k.shape[1], -1, q.shape[3])  # [B, Hkv, G, D]
    scores = grouped @ k.float().mT * scale
    if held is not None:
        scores = scores.masked_fill(~held[:, :, None], -torch.inf)
    return scores.softmax(-1).mean((1, 2))
