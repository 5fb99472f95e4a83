"""Scores of columns and diagonals from the attention of the last queries, and plans from the best of them."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from nl_tasks.kernels.plan import VerticalSlashPlan, causal_mask

PREFIX, RECENT, ROWS = 4, 64, 64  # forced columns, forced diagonals, rows that share a diagonal's block


@dataclass(frozen=True, eq=False)
class LineScores:
    """Columns (by key) and diagonals (by distance) of every query head in the order in which they are kept.

    `columns`, `diagonals` `[B, Hq, S]` int64: the forced ones first, then by descending score, the lower of equals
    first. `column_mass`, `diagonal_mass` `[B, Hq, S]`: their shares of the attention, in that order.
    """

    queries: int
    columns: Tensor
    column_mass: Tensor
    diagonals: Tensor
    diagonal_mass: Tensor

    @classmethod
    def of(cls, q: Tensor, k: Tensor, scale: float, window: int) -> "LineScores":
        """Score lines by the causal attention of the last `window` rows of `q` (all, if there are fewer)."""
        batch, heads, queries, _ = q.shape
        keys, rows = k.shape[2], min(window, queries)
        columns, diagonals = (q.new_empty(batch, heads, keys, dtype=torch.float32) for _ in range(2))
        allowed = causal_mask(queries - rows, queries, keys - queries, keys, q.device)
        for b in range(batch):
            for h in range(heads):
                scores = (q[b, h, -rows:].float() @ k[b, h // (heads // k.shape[1])].float().T) * scale
                weights = scores.masked_fill_(~allowed, -torch.inf).softmax(-1)
                columns[b, h] = weights.sum(0) / rows
                diagonals[b, h] = diagonal_sums(weights) / rows
        return cls(queries, *ranked(columns, PREFIX), *ranked(diagonals, RECENT))

    def plan(self, verticals: int | Tensor, slashes: int | Tensor) -> VerticalSlashPlan:
        """Keep the first `verticals` columns and `slashes` diagonals of each head: numbers, or `[B, Hq]` of them.

        Never fewer than the forced ones, nor more than there are.
        """
        keys, shape = self.columns.shape[2], self.columns.shape[:2]
        column_counts = _counts(verticals, shape, min(PREFIX, keys), keys, self.columns.device)
        diagonal_counts = _counts(slashes, shape, min(RECENT, keys), keys, self.columns.device)
        columns = _first(self.columns, column_counts, keys).clamp(max=keys - 1)
        distances = _first(keys - 1 - self.diagonals, diagonal_counts, keys)  # far ones first, padding last
        starts, ends, bands = bands_of(distances - (keys - 1), diagonal_counts)
        valid = torch.arange(columns.shape[2], device=columns.device) < column_counts[..., None]
        columns = torch.where(valid, columns, 0).int()
        return VerticalSlashPlan(self.queries, keys, ROWS, columns, column_counts.int(), starts, ends, bands)


def ranked(scores: Tensor, forced: int) -> tuple[Tensor, Tensor]:
    """Order the last dimension: the first `forced` entries, then by descending score; and the scores in that order."""
    first = scores.clone()
    first[..., :forced] = torch.inf
    order = first.sort(dim=-1, descending=True, stable=True).indices
    return order, scores.gather(-1, order)


def diagonal_sums(weights: Tensor) -> Tensor:
    """Sum `weights` `[w, S]` of the last w rows along diagonals: entry d of `[S]` sums pairs with key = query - d."""
    rows, keys = weights.shape
    flipped = pad(weights.flip(1), (0, rows)).flatten()  # row i, column j: distance i + j - (rows - 1)
    return flipped.as_strided((rows, keys), (keys + rows - 1, 1), rows - 1).sum(0)


def bands_of(starts: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Merge the intervals `[start, start + 64)` of ascending `starts` `[B, H, N]`, the first `counts` of them real."""
    valid = torch.arange(starts.shape[-1], device=starts.device) < counts[..., None]
    new = valid & pad(starts[..., 1:] > starts[..., :-1] + ROWS, (1, 0), value=True)
    band = (new.long().cumsum(-1) - 1).clamp(min=0)
    low = torch.zeros_like(starts).scatter_add_(-1, band, torch.where(new, starts, 0))
    ends = torch.where(valid, starts + ROWS, torch.iinfo(starts.dtype).min)
    high = torch.full_like(starts, torch.iinfo(starts.dtype).min).scatter_reduce_(-1, band, ends, "amax")
    bands = new.sum(-1)
    real = torch.arange(starts.shape[-1], device=starts.device) < bands[..., None]
    return torch.where(real, low, 0).int(), torch.where(real, high, 0).int(), bands.int()


def line_floor(queries: int, keys: int) -> int:
    """Entries of the forced columns and diagonals alone."""
    columns = torch.arange(min(PREFIX, keys)).view(1, 1, -1)
    one = torch.ones(1, 1, dtype=torch.int32)
    low, high = torch.tensor([[[1 - min(RECENT, keys)]]]), torch.tensor([[[ROWS]]])
    return int(VerticalSlashPlan(queries, keys, ROWS, columns, one * columns.shape[2], low, high, one).computed())


def _counts(given: int | Tensor, shape: torch.Size, low: int, high: int, device: torch.device) -> Tensor:
    return torch.as_tensor(given, device=device).expand(shape).clamp(low, high).long()


def _first(order: Tensor, counts: Tensor, beyond: int) -> Tensor:
    longest = int(counts.max())
    valid = torch.arange(longest, device=order.device) < counts[..., None]
    return torch.where(valid, order[..., :longest], beyond).sort(dim=-1).values
