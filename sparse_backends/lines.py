"""Scores of columns and diagonals from the attention of the last queries, and plans from the best of them."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from nl_tasks.kernels.compact import compact
from nl_tasks.kernels.line_entries import ROWS, line_entries
from nl_tasks.kernels.line_sums import line_sums
from nl_tasks.kernels.plan import VerticalSlashPlan

PREFIX, RECENT = 4, 64  # forced columns, forced diagonals


@dataclass(frozen=True, eq=False)
class LineScores:
    """Columns (by key) and diagonals (by distance) of every query head in the order in which they are kept.

    `columns`, `diagonals` `[B, Hq, S]` int64: the forced ones first, then by descending score, the lower of equals
    first. `column_scores`, `diagonal_scores` `[B, Hq, S]`: attention of the last queries, by key and by distance.
    """

    queries: int
    columns: Tensor
    column_scores: Tensor
    diagonals: Tensor
    diagonal_scores: Tensor

    @classmethod
    def of(cls, q: Tensor, k: Tensor, scale: float, window: int) -> "LineScores":
        """Score lines by the causal attention of the last `window` rows of `q` (all, if there are fewer)."""
        rows = min(window, q.shape[2])
        columns, diagonals = line_sums(q[:, :, -rows:], k, scale=scale)
        return cls(q.shape[2], ranked(columns, PREFIX), columns, ranked(diagonals, RECENT), diagonals)

    @property
    def column_mass(self) -> Tensor:
        """Scores of the columns in the order in which they are kept, `[B, Hq, S]`."""
        return self.column_scores.gather(-1, self.columns)

    @property
    def diagonal_mass(self) -> Tensor:
        """Scores of the diagonals in the order in which they are kept, `[B, Hq, S]`."""
        return self.diagonal_scores.gather(-1, self.diagonals)

    @cached_property
    def column_rank(self) -> Tensor:
        """Place of each key in `columns`, `[B, Hq, S]` int32."""
        return _inverse(self.columns)

    @cached_property
    def band_rank(self) -> Tensor:
        """How many diagonals it takes until the place i - S, relative to a block's first row, is in a band.

        `[B, Hq, S + 64]` int32, at least S + 64 for a place that no diagonal reaches. A diagonal of distance d covers
        the places from -d to 63 - d.
        """
        keys = self.diagonals.shape[2]
        rank = pad(_inverse(self.diagonals).flip(-1), (1, ROWS - 1), value=keys + ROWS)
        reach = 1
        while reach < ROWS:  # the least rank among the last `reach` places
            rank = rank.minimum(pad(rank[..., :-reach], (reach, 0), value=keys + ROWS))
            reach *= 2
        return rank

    def entries(self, verticals: Tensor, slashes: Tensor) -> Tensor:
        """Count what plans of n sizes compute, `[n, B, Hq]` int64; sizes are `[n, B]` or `[n, B, Hq]`."""
        shape = (len(verticals), *self.columns.shape[:2])
        sizes = self._limits(_spread(verticals, shape), _spread(slashes, shape))
        return line_entries(self.band_rank, self.column_rank, *sizes, self.queries)

    def plan(self, verticals: int | Tensor, slashes: int | Tensor, most: int | None = None) -> VerticalSlashPlan:
        """Keep each head's first `verticals` columns and `slashes` diagonals: numbers, or `[B]` or `[B, Hq]` of them.

        Never fewer than the forced ones, nor more than there are. `most` bounds the verticals, where it is known before
        they are: lists on a GPU are made that long.
        """
        keys, shape = self.columns.shape[2], self.columns.shape[:2]
        vertical, slash = self._limits(*(_sizes(size, shape, self.columns.device) for size in (verticals, slashes)))
        width = keys if most is None else min(keys, max(PREFIX, most))
        columns, column_counts = _listed(self.column_rank < vertical[..., None], width)
        covered = pad(self.band_rank < slash[..., None], (1, 1))
        starts, bands = _listed(covered[..., 1:] & ~covered[..., :-1], keys // ROWS + 2)
        ends, _ = _listed(covered[..., :-1] & ~covered[..., 1:], keys // ROWS + 2)
        real = torch.arange(starts.shape[2], device=starts.device) < bands[..., None]
        starts, ends = (torch.where(real, place - keys, 0) for place in (starts, ends))
        plan = VerticalSlashPlan(self.queries, keys, ROWS, columns, column_counts, starts, ends, bands)
        plan.__dict__["_band_table"] = covered[..., 1:-1]  # known already: the plan need not work it out
        return plan

    def _limits(self, verticals: Tensor, slashes: Tensor) -> tuple[Tensor, Tensor]:
        keys = self.columns.shape[2]
        return verticals.clamp(min(PREFIX, keys), keys).int(), slashes.clamp(min(RECENT, keys), keys).int()


def ranked(scores: Tensor, forced: int) -> Tensor:
    """Order the last dimension: the first `forced` entries, then by descending score, the lower of equals first."""
    first = scores.clone()
    first[..., :forced] = torch.inf
    return first.sort(dim=-1, descending=True, stable=True).indices


@lru_cache(maxsize=256)
def line_floor(queries: int, keys: int) -> int:
    """Entries of the forced columns and diagonals alone."""
    columns = torch.arange(min(PREFIX, keys)).view(1, 1, -1)
    one = torch.ones(1, 1, dtype=torch.int32)
    low, high = torch.tensor([[[1 - min(RECENT, keys)]]]), torch.tensor([[[ROWS]]])
    return int(VerticalSlashPlan(queries, keys, ROWS, columns, one * columns.shape[2], low, high, one).computed())


def _inverse(order: Tensor) -> Tensor:
    """Place of each index in `order` `[..., n]`, int32."""
    places = torch.arange(order.shape[-1], dtype=torch.int32, device=order.device).expand(order.shape)
    return torch.empty_like(places, memory_format=torch.contiguous_format).scatter_(-1, order, places)


def _listed(kept: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Indices of `kept` `[..., n]`, ascending and padded, and counts; both int32. No more than `width` are kept.

    On a GPU lists keep that width, so that nothing has to wait for the counts.
    """
    listed, counts = compact(kept, width)
    return (listed[..., : max(1, int(counts.max()))], counts) if kept.device.type == "cpu" else (listed, counts)


def _sizes(size: int | Tensor, shape: torch.Size, device: torch.device) -> Tensor:
    if isinstance(size, Tensor):
        return size if size.dim() == 2 else size[:, None].expand(shape)
    return torch.full(shape, size, device=device)


def _spread(sizes: Tensor, shape: tuple[int, ...]) -> Tensor:
    return (sizes[:, :, None] if sizes.dim() == 2 else sizes).expand(shape)
