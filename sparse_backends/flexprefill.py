"""Columns and diagonals as in vertical-slash, as many for each head as cover a share of its attention."""

from dataclasses import dataclass

import torch
from torch import Tensor

from nl_tasks.kernels.alpha_search import needed
from nl_tasks.kernels.plan import VerticalSlashPlan
from nl_tasks.sparse_backends.base import Backend
from nl_tasks.sparse_backends.budget import budget
from nl_tasks.sparse_backends.lines import LineScores, line_floor
from nl_tasks.sparse_backends.pays import Cost
from nl_tasks.sparse_backends.registry import register

SMALLEST = 512  # columns and diagonals of a head, as long as the asked sparsity allows them


@register
@dataclass(frozen=True, kw_only=True)
class FlexPrefill(Backend):
    """Per head, the fewest columns, likewise diagonals, whose attention adds up to `alpha`; at least `min_budget` each.

    Lines are scored, forced, ordered and run as in `vertical_slash`; forced lines come first in the sum. `alpha` 0
    keeps `min_budget` of each, 1 keeps all. The query-aware branch of the paper is off (tau = 0). With `sparsity`:
    if 512 of each keep too much, alpha = 0 and the `min_budget` nearest to what is asked; otherwise
    min_budget = 512 and the nearest alpha; "nearest" by the entries averaged over the heads of a row in this layer.
    """

    name = "flexprefill"
    phase = "prefill"
    unit = "vertical, slash"
    estimator = "attention of the last queries"
    allocation = "threshold"
    citation = "Lai et al. 2025, arXiv 2502.20766; as in Nawrot et al. 2025, arXiv 2504.17768, A.1.3"

    window: int = 256
    alpha: float | None = budget(0.9)
    min_budget: int | None = budget(SMALLEST)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("window", self.window >= 1, "window >= 1")
        self.require("alpha", self.alpha is None or 0 <= self.alpha <= 1, "0 <= alpha <= 1")
        self.require("min_budget", self.min_budget is None or self.min_budget >= 4, "min_budget >= 4")

    def plan(
        self, q: Tensor, k: Tensor, *, scale: float, layer: int = 0, prompt: int | None = None
    ) -> VerticalSlashPlan:
        """Count lines until they cover alpha, with alpha given or solved for."""
        keys = k.shape[2]
        lines = LineScores.of(q, k, scale, self.window)
        mass = lines.mass.double().cumsum(-1)
        if self.sparsity is None:
            alpha = torch.full((1, len(q)), self.alpha or 0.0, dtype=torch.float64, device=q.device)
            verticals, slashes = needed(mass, alpha).clamp(min=self.min_budget or 4)[:, 0]
        else:
            target = self.target(q.shape[2], keys) * q.shape[1]
            verticals, slashes = lines.covering(mass, target, min(SMALLEST, keys))
        return lines.plan(verticals, slashes)

    def cost(self) -> Cost:
        """Columns and diagonals of 64-blocks."""
        return Cost(13_000, 0.56)

    def expected_density(self, queries: int, keys: int) -> float:
        """An `alpha` of 1 keeps all; what others keep is not known beforehand."""
        return 1.0 if self.alpha == 1 else super().expected_density(queries, keys)

    def floor(self, queries: int, keys: int) -> int:
        """The forced columns and diagonals of `vertical_slash`."""
        return line_floor(queries, keys)

    def estimation(self, queries: int, keys: int) -> int:
        """The attention of the last queries."""
        return min(self.window, queries) * keys
