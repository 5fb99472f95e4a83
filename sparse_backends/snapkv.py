"""Evicting what the last queries of the prompt attend to least, the same number of tokens from every KV head."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d

from nl_tasks.kernels.plan import TokenPlan
from nl_tasks.kernels.window_scores import window_scores
from nl_tasks.sparse_backends.base import Backend
from nl_tasks.sparse_backends.budget import budget, top
from nl_tasks.sparse_backends.registry import register

PREFIX, RECENT = 4, 128  # tokens of a prompt that are never evicted: the first and the last


@register
@dataclass(frozen=True, kw_only=True)
class SnapKV(Backend):
    """After a dense prefill each KV head keeps the `tokens` of the prompt with the highest scores.

    A token's score is its attention (softmax over all keys) from each of the last `window` queries, averaged over the
    query heads of the KV head, summed over those queries, then averaged over the `kernel` tokens around it (tokens
    beyond the ends count as 0). The first 4 and the last 128 tokens are kept first and count; of equal scores the
    earlier token wins. Generated tokens are appended and stay. With `sparsity`, tokens = round((1 - sparsity) x
    length).
    """

    name = "snapkv"
    phase = "evict"
    unit = "token"
    estimator = "attention of the last queries"
    allocation = "uniform"
    cache = "evicted"
    citation = "Li et al. 2024, arXiv 2404.14469; as in Nawrot et al. 2025, arXiv 2504.17768, A.1.4"

    window: int = 256
    kernel: int = 21
    tokens: int | None = budget(1024)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("window", self.window >= 1, "window >= 1")
        self.require("kernel", self.kernel >= 1 and self.kernel % 2 == 1, "an odd number >= 1")
        least = PREFIX + RECENT
        self.require("tokens", self.tokens is None or self.tokens >= least, f"tokens >= {least}")

    def plan(self, q: Tensor, k: Tensor, *, scale: float, layer: int = 0, prompt: int | None = None) -> TokenPlan:
        """Rank the prompt's tokens, for each KV head."""
        weights = window_scores(q[:, :, -self.window :], k, scale=scale, over="mean")
        scores = forced_first(pooled(weights, self.kernel))
        count = self.keep(self.tokens, prompt, k.shape[2])
        kept = top(scores, count)
        return TokenPlan(1, k.shape[2], kept, kept.new_full(kept.shape[:2], count))

    def floor(self, queries: int, keys: int) -> int:
        """The first 4 and the last 128 tokens."""
        return min(keys, PREFIX + RECENT)

    def estimation(self, queries: int, keys: int) -> int:
        """The attention of the last queries; nothing once tokens are generated."""
        return min(self.window, queries) * keys if queries > 1 else 0


def pooled(scores: Tensor, kernel: int) -> Tensor:
    """Average `scores` `[B, H, S]` over `kernel` neighbours, zeros beyond the ends."""
    return avg_pool1d(scores, kernel, stride=1, padding=kernel // 2, count_include_pad=True)


def forced_first(scores: Tensor) -> Tensor:
    """Set the scores of the first 4 and the last 128 tokens to infinity."""
    scores = scores.clone()
    scores[..., :PREFIX] = torch.inf
    scores[..., -RECENT:] = torch.inf
    return scores
