"""Columns and diagonals as in vertical-slash, as many for each head as cover a share of its attention."""

from dataclasses import dataclass

import torch
from torch import Tensor

from nl_tasks.kernels.plan import VerticalSlashPlan
from nl_tasks.sparse_backends.base import Backend
from nl_tasks.sparse_backends.budget import budget
from nl_tasks.sparse_backends.lines import LineScores, line_floor
from nl_tasks.sparse_backends.registry import register
from nl_tasks.sparse_backends.search import search_float, search_int

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
    dense_below = 44 * 1024

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
        columns, diagonals = (mass.double().cumsum(-1) for mass in (lines.column_mass, lines.diagonal_mass))

        def sizes(alpha: Tensor, least: Tensor | int) -> tuple[Tensor, Tensor]:
            return tuple(needed(mass, alpha).clamp(min=least) for mass in (columns, diagonals))  # type: ignore

        if self.sparsity is None:
            alpha = torch.full((1, len(q)), self.alpha or 0.0, dtype=torch.float64, device=q.device)
            verticals, slashes = sizes(alpha, self.min_budget or 4)
            return lines.plan(verticals[0], slashes[0])
        target, rows = self.target(q.shape[2], keys) * q.shape[1], len(q)
        least = min(SMALLEST, keys)
        fewest = search_int(lambda n: lines.entries(n, n).sum(2), target, 4, least, rows, q.device)
        alpha = search_float(lambda a: lines.entries(*sizes(a, least)).sum(2), target, 0.0, 1.0, rows, q.device)
        too_many = lines.entries(*sizes(torch.zeros_like(alpha)[None], least)).sum(2).movedim(0, 1) > target  # [B, 1]
        fewest = fewest[:, None]
        verticals, slashes = (torch.where(too_many, fewest, size[0]) for size in sizes(alpha[None], least))
        return lines.plan(verticals, slashes)

    def floor(self, queries: int, keys: int) -> int:
        """The forced columns and diagonals of `vertical_slash`."""
        return line_floor(queries, keys)

    def estimation(self, queries: int, keys: int) -> int:
        """The attention of the last queries."""
        return min(self.window, queries) * keys


def needed(cumulative: Tensor, alpha: Tensor) -> Tensor:
    """Count the leading entries of `cumulative` `[B, H, S]` it takes to reach each row's `alpha` `[n, B]` of its last.

    `[n, B, H]`; none for alpha 0, all for alpha 1.
    """
    size = cumulative.shape[-1]
    reached = cumulative[..., -1:] * alpha.mT[:, None]  # [B, H, n]
    found = (torch.searchsorted(cumulative, reached) + 1).movedim(-1, 0)
    share = alpha[:, :, None]
    return torch.where(share <= 0, 0, torch.where(share >= 1, size, found)).clamp(max=size)
