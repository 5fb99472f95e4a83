"""SnapKV with one budget for all KV heads of a layer: heads whose attention is spread keep more."""

from dataclasses import dataclass

import torch
from torch import Tensor

from nl_tasks.kernels.plan import TokenPlan
from nl_tasks.kernels.window_scores import window_scores
from nl_tasks.sparse_backends.base import Backend
from nl_tasks.sparse_backends.budget import budget, listed
from nl_tasks.sparse_backends.registry import register
from nl_tasks.sparse_backends.snapkv import PREFIX, RECENT, forced_first, pooled


@register
@dataclass(frozen=True, kw_only=True)
class AdaSnapKV(Backend):
    """After a dense prefill the KV heads of a layer keep `tokens` each on average, by the best scores of all heads.

    A token's score is its largest attention from the last `window` queries and the query heads of the KV head, averaged
    over the `kernel` tokens around it (zeros beyond the ends). Each head first keeps its best
    max(floor(min_share x tokens), 132): the first 4 and the last 128 tokens before all; then the best of the rest of
    all heads fill the layer's tokens x KV heads. Of equal scores the lower KV head, then the earlier token wins.
    Generated tokens are appended and stay. With `sparsity`, tokens = round((1 - sparsity) x length).
    """

    name = "ada_snapkv"
    phase = "evict"
    unit = "token"
    estimator = "attention of the last queries"
    allocation = "adaptive across the heads of a layer"
    cache = "evicted"
    citation = "Feng et al. 2024, arXiv 2407.11550; as in Nawrot et al. 2025, arXiv 2504.17768, A.1.5"

    window: int = 256
    kernel: int = 21
    min_share: float = 0.2
    tokens: int | None = budget(1024)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("window", self.window >= 1, "window >= 1")
        self.require("kernel", self.kernel >= 1 and self.kernel % 2 == 1, "an odd number >= 1")
        self.require("min_share", 0 <= self.min_share <= 1, "0 <= min_share <= 1")
        least = PREFIX + RECENT
        self.require("tokens", self.tokens is None or self.tokens >= least, f"tokens >= {least}")

    def plan(self, q: Tensor, k: Tensor, *, scale: float, layer: int = 0, prompt: int | None = None) -> TokenPlan:
        """Rank the prompt's tokens over all KV heads of the layer."""
        keys = k.shape[2]
        weights = window_scores(q[:, :, -self.window :], k, scale=scale, over="max")
        scores = forced_first(pooled(weights, self.kernel))
        count = self.keep(self.tokens, prompt, keys)
        sure = min(keys, max(int(self.min_share * count), PREFIX + RECENT))
        own = scores.sort(dim=-1, descending=True, stable=True).indices[..., :sure]
        first = scores.scatter(-1, own, torch.inf).flatten(1)
        best = first.sort(dim=-1, descending=True, stable=True).indices[:, : count * k.shape[1]]
        kept = torch.zeros_like(first, dtype=torch.bool).scatter_(1, best, True).view_as(scores)
        return TokenPlan(1, keys, *listed(kept))

    def floor(self, queries: int, keys: int) -> int:
        """The first 4 and the last 128 tokens."""
        return min(keys, PREFIX + RECENT)

    def estimation(self, queries: int, keys: int) -> int:
        """The attention of the last queries; nothing once tokens are generated."""
        return min(self.window, queries) * keys if queries > 1 else 0
