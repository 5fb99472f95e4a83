"""Pages of the KV cache chosen, for each generated token, by an upper bound of their scores."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from nl_tasks.kernels.plan import PagePlan
from nl_tasks.sparse_backends.base import Backend
from nl_tasks.sparse_backends.budget import budget
from nl_tasks.sparse_backends.pages import page_floor, page_plan
from nl_tasks.sparse_backends.registry import register


@register
@dataclass(frozen=True, kw_only=True)
class Quest(Backend):
    """Each generated token reads about `tokens` keys of the cache in pages of `page`, in every layer.

    A page's score for a query head is the sum over channels d of max(q_d min_d, q_d max_d), with the channel's minimum
    and maximum over the page's keys (after RoPE). With `share_pages` the query heads of a KV head add their scores and
    read the same pages. The newest page is always read; of the others as many as bring the keys read nearest to
    `tokens` (halves round up). With `sparsity`, tokens = round((1 - sparsity) x prompt length); 0 reads all.
    """

    name = "quest"
    phase = "decode"
    unit = "page"
    estimator = "bounds from page minima and maxima"
    allocation = "uniform"
    citation = "Tang et al. 2024, arXiv 2406.10774, section 3; as in Nawrot et al. 2025, arXiv 2504.17768, A.1"

    page: int = 16
    share_pages: bool = True
    tokens: int | None = budget(1024)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("page", self.page >= 1, "page >= 1")
        self.require("tokens", self.tokens is None or self.tokens >= self.page, "tokens >= page")

    def plan(self, q: Tensor, k: Tensor, *, scale: float, layer: int = 0, prompt: int | None = None) -> PagePlan:
        """Rank pages by their bounds."""
        keys = k.shape[2]
        low, high = page_bounds(k, self.page)  # [B, Hkv, pages, D]
        scores = page_scores(q[:, :, 0], low, high)  # [B, Hq, pages]
        if self.share_pages:
            scores = scores.unflatten(1, (k.shape[1], -1)).sum(2)
        return page_plan(scores, self.keep(self.tokens, prompt, keys), self.page, keys)

    def floor(self, queries: int, keys: int) -> int:
        """The newest page."""
        return page_floor(keys, self.page)

    def estimation(self, queries: int, keys: int) -> int:
        """Two products a page: with its minima and with its maxima."""
        return 2 * -(-keys // self.page) * queries


def page_bounds(k: Tensor, page: int) -> tuple[Tensor, Tensor]:
    """Channel-wise minimum and maximum of `k` `[B, Hkv, S, D]` over pages of `page` keys, `[B, Hkv, pages, D]` each."""
    missing = (0, 0, 0, -k.shape[2] % page)
    low = pad(k, missing, value=torch.inf).unflatten(2, (-1, page)).amin(3)
    return low, pad(k, missing, value=-torch.inf).unflatten(2, (-1, page)).amax(3)


def page_scores(q: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Upper bounds of the scores of `q` `[B, Hq, D]` with the keys of each page, `[B, Hq, pages]` float32.

    max(q min, q max) is q max where q is positive and q min elsewhere, so that two products do for all channels.
    """
    grouped = q.float().unflatten(1, (low.shape[1], -1))  # [B, Hkv, G, D]
    bounds = grouped.clamp(min=0) @ high.float().mT + grouped.clamp(max=0) @ low.float().mT
    return bounds.flatten(1, 2)
