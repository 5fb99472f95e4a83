"""Columns and diagonals ("verticals" and "slashes") chosen by the attention of the last queries."""

import math
from dataclasses import dataclass

from torch import Tensor

from nl_tasks.kernels.plan import VerticalSlashPlan, causal_entries
from nl_tasks.sparse_backends.base import Backend
from nl_tasks.sparse_backends.budget import budget
from nl_tasks.sparse_backends.lines import LineScores, line_floor
from nl_tasks.sparse_backends.pays import Cost
from nl_tasks.sparse_backends.registry import register


@register
@dataclass(frozen=True, kw_only=True)
class VerticalSlash(Backend):
    """The `verticals` columns and `slashes` diagonals with the most attention from the last `window` queries, per head.

    A column's score is its attention summed over those queries, a diagonal's the sum along it. The first 4 columns and
    the 64 most recent diagonals are kept first and count. Diagonals run as 64 x 64 blocks: query rows 64 r to 64 r + 63
    (from the first row of the call) see the keys from p - d to p - d + 63 for each kept distance d, with p the position
    of row 64 r; columns run alone. With `sparsity`, verticals = slashes = k, the k whose entries, averaged over the
    heads of a row in this layer, are nearest to what is asked (at least 4 columns and 64 diagonals).
    """

    name = "vertical_slash"
    phase = "prefill"
    unit = "vertical, slash"
    estimator = "attention of the last queries"
    allocation = "uniform"
    citation = "Jiang et al. 2024 (MInference), arXiv 2407.02490; as in Nawrot et al. 2025, arXiv 2504.17768, A.1.2"

    window: int = 256
    verticals: int | None = budget(1024)
    slashes: int | None = budget(1024)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("window", self.window >= 1, "window >= 1")
        self.require("verticals", self.verticals is None or self.verticals >= 4, "verticals >= 4")
        self.require("slashes", self.slashes is None or self.slashes >= 64, "slashes >= 64")

    def plan(
        self, q: Tensor, k: Tensor, *, scale: float, layer: int = 0, prompt: int | None = None
    ) -> VerticalSlashPlan:
        """Rank columns and diagonals, with the sizes given or solved for."""
        lines = LineScores.of(q, k, scale, self.window)
        if self.sparsity is None:
            return lines.plan(self.verticals or 0, self.slashes or 0, most=self.verticals)
        target = self.target(q.shape[2], k.shape[2])
        most = _most_columns(target, q.shape[2], k.shape[2])
        size = lines.nearest(target * q.shape[1], most)
        return lines.plan(size, size, most)

    def cost(self) -> Cost:
        """Columns and diagonals of 64-blocks."""
        return Cost(13_000, 0.55)

    def expected_density(self, queries: int, keys: int) -> float:
        """With sizes given, that of as many whole lines; diagonals that lie apart run as wider blocks: more."""
        if self.sparsity is not None:
            return super().expected_density(queries, keys)
        return min(1.0, ((self.verticals or 0) + (self.slashes or 0)) * queries / causal_entries(queries, keys))

    def floor(self, queries: int, keys: int) -> int:
        """Four columns and the 64 most recent diagonals as blocks."""
        return line_floor(queries, keys)

    def estimation(self, queries: int, keys: int) -> int:
        """The attention of the last queries."""
        return min(self.window, queries) * keys


def _most_columns(target: int, rows: int, keys: int) -> int:
    """A bound of the columns with `target` entries: n of them have the fewest if they are the last n of `keys`.

    Those are n (n + 1) / 2 as far as the rows' own positions go, and `rows` for each column before.
    """
    own = rows * (rows + 1) // 2
    return min(keys, math.isqrt(2 * target) + 2 if target <= own else rows + (target - own) // rows + 2)
