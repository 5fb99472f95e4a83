"""Attention sinks and a sliding window: the pattern that looks at no content at all."""

from dataclasses import dataclass

import torch
from torch import Tensor

from nl_tasks.kernels.plan import VerticalSlashPlan
from nl_tasks.sparse_backends.base import Backend
from nl_tasks.sparse_backends.budget import budget, nearest_int
from nl_tasks.sparse_backends.registry import register


@register
@dataclass(frozen=True, kw_only=True)
class Streaming(Backend):
    """Each query sees the first `sinks` keys and the last `window`, itself included (exact to the token).

    With `sparsity` the window is the one whose number of entries is nearest to (1 - sparsity) of full attention.
    """

    name = "streaming"
    phase = "prefill"
    unit = "local window"
    estimator = "fixed"
    allocation = "uniform"
    citation = "Xiao et al. 2023, arXiv 2309.17453, section 3.2"

    sinks: int = 4
    window: int | None = budget(1024)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("sinks", self.sinks >= 0, "sinks >= 0")
        self.require("window", self.window is None or self.window >= 1, "window >= 1")

    def plan(
        self, q: Tensor, k: Tensor, *, scale: float, layer: int = 0, prompt: int | None = None
    ) -> VerticalSlashPlan:
        """Sinks as columns, the window as one band of exact diagonals; the same for all heads."""
        queries, keys = q.shape[2], k.shape[2]
        window = self.window
        if self.sparsity is not None:
            target = self.target(queries, keys)
            window = nearest_int(lambda w: self._entries(w, queries, keys), target, 1, keys)
        shape = (q.shape[0], k.shape[1])
        sinks = min(self.sinks, keys)
        columns = torch.arange(max(1, sinks), device=q.device).expand(*shape, -1).int()  # lists have room for one
        start = torch.full((*shape, 1), 1 - min(window or 1, keys), dtype=torch.int32, device=q.device)
        one = torch.ones_like(start)
        counts = torch.full(shape, sinks, dtype=torch.int32, device=q.device)
        return VerticalSlashPlan(queries, keys, 1, columns, counts, start, one, one[..., 0])

    def floor(self, queries: int, keys: int) -> int:
        """Sinks and the query's own key."""
        return self._entries(1, queries, keys)

    def _entries(self, window: int, queries: int, keys: int) -> int:
        # A row at position p sees min(p + 1, window + sinks) keys: sum over positions below `end`.
        def below(end: int) -> int:
            short = min(end, window + self.sinks)
            return short * (short + 1) // 2 + (end - short) * (window + self.sinks)

        return below(keys) - below(keys - queries)
