"""Pages of the KV cache chosen, for each generated token, by an upper bound of their scores."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from nl_tasks.kernels.devices import runs_triton
from nl_tasks.kernels.page_bounds import PageBounds, page_scores
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

    remembers = True

    page: int = 16
    share_pages: bool = True
    tokens: int | None = budget(1024)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("page", self.page >= 1, "page >= 1")
        self.require("tokens", self.tokens is None or self.tokens >= self.page, "tokens >= page")

    def plan(
        self,
        q: Tensor,
        k: Tensor,
        *,
        scale: float,
        layer: int = 0,
        prompt: int | None = None,
        memory: dict[str, Any] | None = None,
    ) -> PagePlan:
        """Rank pages by their bounds; those of pages that are whole stay in `memory`."""
        keys, share = k.shape[2], self.share_pages
        tokens = self.keep(self.tokens, prompt, keys)
        bounds = PageBounds(self.page) if memory is None else memory.setdefault("bounds", PageBounds(self.page))
        low, high = bounds.follow(k)  # [B, Hkv, pages - 1, D]
        if runs_triton(q):
            from nl_tasks.kernels.triton_pages import plan_pages

            return plan_pages(q, low, high, self.page, tokens, keys, share=share)
        scores = page_scores(q[:, :, 0], low, high)  # [B, Hq, pages - 1]
        if share:
            scores = scores.unflatten(1, (k.shape[1], -1)).sum(2)
        return page_plan(scores, tokens, self.page, keys)

    def floor(self, queries: int, keys: int) -> int:
        """The newest page."""
        return page_floor(keys, self.page)

    def estimation(self, queries: int, keys: int) -> int:
        """Two products a page: with its minima and with its maxima."""
        return 2 * -(-keys // self.page) * queries
