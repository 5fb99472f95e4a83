"""Scores of columns and diagonals from the attention of the last queries, and plans from the best of them."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from nl_tasks.kernels.alpha_search import covering_sizes
from nl_tasks.kernels.band_rank import band_rank
from nl_tasks.kernels.line_entries import ROWS
from nl_tasks.kernels.line_lists import line_lists
from nl_tasks.kernels.line_search import nearest_size
from nl_tasks.kernels.line_sums import line_sums
from nl_tasks.kernels.plan import VerticalSlashPlan

PREFIX, RECENT = 4, 64  # forced columns, forced diagonals


@dataclass(frozen=True, eq=False)
class LineScores:
    """Columns (by key) and diagonals (by distance) of every query head in the order in which they are kept.

    `scores` `[2, B, Hq, S]`: attention of the last queries by key, and by distance. `order` `[2, B, Hq, S]` int64: of
    either the forced ones first, then by descending score, the lower of equals first.
    """

    queries: int
    scores: Tensor
    order: Tensor

    @classmethod
    def of(cls, q: Tensor, k: Tensor, scale: float, window: int) -> "LineScores":
        """Score lines by the causal attention of the last `window` rows of `q` (all, if there are fewer)."""
        rows = min(window, q.shape[2])
        return cls.ranked(q.shape[2], *line_sums(q[:, :, -rows:], k, scale=scale))

    @classmethod
    def ranked(cls, queries: int, columns: Tensor, diagonals: Tensor) -> "LineScores":
        """Order lines by their scores, `[B, Hq, S]` each."""
        scores = torch.stack([columns, diagonals])
        first = scores.clone()
        for lines, forced in zip(first, (PREFIX, RECENT)):
            lines[..., :forced] = torch.inf
        return cls(queries, scores, first.sort(dim=-1, descending=True, stable=True).indices)

    @property
    def mass(self) -> Tensor:
        """Scores of columns and of diagonals in the order in which they are kept, `[2, B, Hq, S]`."""
        return self.scores.gather(-1, self.order)

    @cached_property
    def _ranks(self) -> tuple[Tensor, Tensor]:
        """Ranks of the places of bands `[B, Hq, S + 64]` and of columns `[B, Hq, S]`, as `line_entries` takes them."""
        places = torch.arange(self.order.shape[-1], dtype=torch.int32, device=self.order.device)
        columns, diagonals = torch.empty_like(self.order, dtype=torch.int32).scatter_(
            -1, self.order, places.expand(self.order.shape)
        )
        return band_rank(diagonals), columns

    def nearest(self, target: int, high: int) -> Tensor:
        """Return the k up to `high` whose plans of k columns and k diagonals come nearest to `target` entries, `[B]`.

        At least as many as are forced; entries are summed over the heads of a row. The lower, if tied.
        """
        return nearest_size(*self._ranks, target, PREFIX, high, RECENT, self.queries)

    def covering(self, cumulative: Tensor, target: int, least: int) -> Tensor:
        """Return the numbers of columns and diagonals that hold one share of `cumulative`, `[2, B, Hq]`.

        The share, common to the heads of a row, is the one with nearest to `target` entries; at least `least` lines of
        either, unless those are too many already. `cumulative` is `mass`, added up.
        """
        return covering_sizes(*self._ranks, cumulative, target, PREFIX, least, RECENT, self.queries)

    def plan(self, verticals: int | Tensor, slashes: int | Tensor, most: int | None = None) -> VerticalSlashPlan:
        """Keep each head's first `verticals` columns and `slashes` diagonals: numbers, or `[B]` or `[B, Hq]` of them.

        Never fewer than the forced ones, nor more than there are. `most` bounds the verticals, where it is known before
        they are: lists on a GPU are made that long.
        """
        shape, keys = self.order.shape[1:3], self.order.shape[3]
        vertical, slash = (
            _sizes(size, shape, self.order.device).clamp(min(forced, keys), keys).int()
            for size, forced in ((verticals, PREFIX), (slashes, RECENT))
        )
        width = keys if most is None else min(keys, max(PREFIX, most))
        found = line_lists(*self._ranks, vertical, slash, width)
        columns = _trimmed(found.columns, found.column_counts)
        starts, ends = (_trimmed(x, found.bands) for x in (found.starts, found.ends))
        plan = VerticalSlashPlan(self.queries, keys, ROWS, columns, found.column_counts, starts, ends, found.bands)
        plan.__dict__["_band_table"] = found.covered  # known already: the plan need not work it out
        return plan


@lru_cache(maxsize=256)
def line_floor(queries: int, keys: int) -> int:
    """Entries of the forced columns and diagonals alone."""
    columns = torch.arange(min(PREFIX, keys)).view(1, 1, -1)
    one = torch.ones(1, 1, dtype=torch.int32)
    low, high = torch.tensor([[[1 - min(RECENT, keys)]]]), torch.tensor([[[ROWS]]])
    return int(VerticalSlashPlan(queries, keys, ROWS, columns, one * columns.shape[2], low, high, one).computed())


def _trimmed(listed: Tensor, counts: Tensor) -> Tensor:
    """Cut lists to the longest. On a GPU they keep their width, so that nothing has to wait for the counts."""
    return listed[..., : max(1, int(counts.max()))] if listed.device.type == "cpu" else listed


def _sizes(size: int | Tensor, shape: torch.Size, device: torch.device) -> Tensor:
    if isinstance(size, Tensor):
        return size if size.dim() == 2 else size[:, None].expand(shape)
    return torch.full(shape, size, device=device)
