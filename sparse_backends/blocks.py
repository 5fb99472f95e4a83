"""Choosing key blocks for each query block: what is forced, what causality allows, and lists from scores."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nl_tasks.kernels.plan import BlockPlan
from nl_tasks.sparse_backends.budget import nearest_float


@dataclass(frozen=True)
class BlockGrid:
    """Square blocks of `block` tokens over the last `queries` of `keys` positions; query blocks count from row 0."""

    queries: int
    keys: int
    block: int

    @property
    def rows(self) -> Tensor:
        """Number of query rows of each query block, `[R]`."""
        first = torch.arange(0, self.queries, self.block)
        return (self.queries - first).clamp(max=self.block)

    @property
    def own(self) -> Tensor:
        """Key block that holds the position of each query block's first row, `[R]`."""
        return (torch.arange(0, self.queries, self.block) + self.keys - self.queries) // self.block

    @property
    def last(self) -> Tensor:
        """Last key block that some row of each query block may see, `[R]`."""
        first = torch.arange(0, self.queries, self.block)
        return (first + self.rows - 1 + self.keys - self.queries) // self.block

    @property
    def columns(self) -> int:
        """Number of key blocks."""
        return -(-self.keys // self.block)

    def diagonal_entries(self) -> Tensor:
        """Causal entries of each query block in the key blocks from `own` to `last`, `[R]`."""
        first = torch.arange(0, self.queries, self.block) + self.keys - self.queries - self.own * self.block
        return self.rows * first + self.rows * (self.rows + 1) // 2

    def forced(self, start: int, stop: int, near: int = 1) -> Tensor:
        """Block 0 and those from `own - near` to `last`, for query blocks `start` to `stop` - 1, `[n, C]` bool."""
        column = torch.arange(self.columns)
        own, last = self.own[start:stop, None], self.last[start:stop, None]
        return (column <= last) & ((column == 0) | (column >= own - near))

    def entries(self, counts: Tensor, near: int = 1) -> int:
        """Causal entries if query block `r` keeps `counts[r]` blocks, the forced ones included."""
        diagonal = self.last - self.own + 1
        always = (diagonal + self.own.clamp(max=near) + (self.own > near)).minimum(self.last + 1)
        kept = counts.maximum(always).minimum(self.last + 1)
        return int((self.diagonal_entries() + (kept - diagonal) * self.rows * self.block).sum())

    def spread(self, mean: float) -> Tensor:
        """Whole block counts `[R]` with the given mean: floor(mean (r + 1)) - floor(mean r)."""
        steps = (torch.arange(len(self.rows) + 1, dtype=torch.float64) * mean).floor().long()
        return steps.diff()

    def solve(self, target: int) -> Tensor:
        """Counts `[R]`, spread evenly over the query blocks, whose entries are nearest to `target`."""
        mean = nearest_float(lambda m: self.entries(self.spread(m)), target, 1.0, float(self.columns))
        return self.spread(mean)


def top_blocks(
    grid: BlockGrid,
    counts: Tensor,
    scores: Callable[[int, int, int, int], Tensor],
    batch: int,
    heads: int,
    device: torch.device,
) -> BlockPlan:
    """Keep the forced blocks and the best others until query block `r` has `counts[r]` (of equal scores, the first).

    `scores(b, h, start, stop)` gives the scores of query blocks `start` to `stop` of a head, `[stop - start, C]`.
    """
    total = len(grid.rows)
    counts = counts.minimum(grid.last + 1).maximum(torch.ones_like(counts))
    longest = int(counts.max())
    step = max(1, 2**22 // grid.columns)
    parts = []
    for start in range(0, total, step):
        stop = min(start + step, total)
        forced = grid.forced(start, stop)
        seen = (torch.arange(grid.columns) <= grid.last[start:stop, None]).to(device)
        count = counts[start:stop].maximum(forced.sum(1))
        longest = max(longest, int(count.max()))
        forced = forced.to(device)
        real = (torch.arange(longest) < count[:, None]).to(device)
        lists = torch.empty(batch, heads, stop - start, longest, dtype=torch.int32, device=device)
        for b in range(batch):
            for h in range(heads):
                found = scores(b, h, start, stop).masked_fill(~seen, -torch.inf).masked_fill(forced, torch.inf)
                order = found.sort(dim=-1, descending=True, stable=True).indices[:, :longest]
                order = torch.where(real, order, grid.columns).sort(dim=-1).values
                lists[b, h] = torch.where(real, order, 0)
        parts.append((lists, count.to(device)))
    indices = torch.cat([torch.nn.functional.pad(lists, (0, longest - lists.shape[-1])) for lists, _ in parts], 2)
    final = torch.cat([count for _, count in parts]).int().expand(batch, heads, -1)
    return BlockPlan(grid.queries, grid.keys, grid.block, grid.block, indices, final)
