"""Choosing pages of the KV cache for one generated token."""

import torch
from torch import Tensor

from nl_tasks.kernels.plan import PagePlan
from nl_tasks.sparse_backends.budget import top


def page_plan(scores: Tensor, tokens: int, page: int, keys: int, *, edges: bool = False) -> PagePlan:
    """Keep the newest page and the best others by `scores` `[B, H, pages]`, `tokens` keys in all, to the nearest page.

    The newest page holds the newest key, may be short, and counts with the keys it has. With `edges` the first page
    and the one before the newest are kept as well and count. Of equal scores the earlier page wins.
    """
    pages = -(-keys // page)
    newest = keys - (pages - 1) * page
    others = min(pages - 1, max(0, int((tokens - newest) / page + 0.5)))
    scores = scores[..., : pages - 1]
    if edges and pages > 1:
        scores = scores.clone()
        scores[..., 0] = torch.inf
        scores[..., -1] = torch.inf
        others = max(others, min(2, pages - 1))
    chosen = top(scores, others)
    last = chosen.new_full((*chosen.shape[:-1], 1), pages - 1)
    counts = chosen.new_full(chosen.shape[:-1], others + 1)
    return PagePlan(1, keys, page, torch.cat([chosen, last], -1), counts, others * page + newest)


def page_floor(keys: int, page: int, *, edges: bool = False) -> int:
    """Keys that `page_plan` keeps whatever `tokens`: of the newest page, full at worst."""
    return min(keys, (3 if edges else 1) * page)
