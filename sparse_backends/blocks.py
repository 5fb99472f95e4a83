"""Choosing key blocks for each query block: what is forced, what causality allows, and lists from scores."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from nl_tasks.kernels.masked import scratch_bytes
from nl_tasks.kernels.plan import BlockPlan
from nl_tasks.sparse_backends.budget import nearest_float

WIDEST = 16384  # key blocks whose scores a row of the GPU's selection can hold


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

    def kept(self, counts: Tensor, near: int = 1) -> Tensor:
        """How many blocks each query block keeps if `counts` `[R]` are asked for: what is forced and seen bounds it."""
        diagonal = self.last - self.own + 1
        always = (diagonal + self.own.clamp(max=near) + (self.own > near)).minimum(self.last + 1)
        return counts.maximum(always).minimum(self.last + 1)

    def entries(self, counts: Tensor, near: int = 1) -> int:
        """Causal entries if query block `r` keeps `counts[r]` blocks, the forced ones included."""
        diagonal = self.last - self.own + 1
        kept = self.kept(counts, near)
        return int((self.diagonal_entries() + (kept - diagonal) * self.rows * self.block).sum())

    def spread(self, mean: float) -> Tensor:
        """Whole block counts `[R]` with the given mean: floor(mean (r + 1)) - floor(mean r)."""
        steps = (torch.arange(len(self.rows) + 1, dtype=torch.float64) * mean).floor().long()
        return steps.diff()

    def solve(self, target: int) -> Tensor:
        """Counts `[R]`, spread evenly over the query blocks, whose entries are nearest to `target`."""
        mean = nearest_float(lambda m: self.entries(self.spread(m)), target, 1.0, float(self.columns))
        return self.spread(mean)


@lru_cache(maxsize=256)
def kept_entries(grid: BlockGrid, count: int, near: int = 1) -> int:
    """Causal entries if every query block keeps `count` blocks; each layer of a model asks again."""
    return grid.entries(torch.full_like(grid.rows, count), near)


def least_entries(grid: BlockGrid, near: int = 1) -> int:
    """Causal entries of the forced blocks."""
    return kept_entries(grid, 1, near)


@lru_cache(maxsize=256)
def seen_blocks(grid: BlockGrid) -> int:
    """Pairs of a query block and a key block that some of its rows may see; each layer of a model asks again."""
    return int((grid.last + 1).sum())


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
    total, kept = len(grid.rows), grid.kept(counts)
    longest = int(kept.max())
    lists = torch.empty(batch, heads, total, longest, dtype=torch.int32, device=device)
    step = max(1, 2**22 // grid.columns)
    for start in range(0, total, step):
        stop = min(start + step, total)
        forced = grid.forced(start, stop).to(device)
        seen = (torch.arange(grid.columns) <= grid.last[start:stop, None]).to(device)
        real = (torch.arange(longest) < kept[start:stop, None]).to(device)
        for b in range(batch):
            for h in range(heads):
                found = scores(b, h, start, stop).masked_fill(~seen, -torch.inf).masked_fill(forced, torch.inf)
                order = found.sort(dim=-1, descending=True, stable=True).indices[:, :longest]
                order = torch.where(real, order, grid.columns).sort(dim=-1).values
                lists[b, h, start:stop] = torch.where(real, order, 0)
    final = kept.int().to(device).expand(batch, heads, -1)
    return BlockPlan(grid.queries, grid.keys, grid.block, grid.block, lists, final)


@dataclass(frozen=True, eq=False)
class Rows:
    """What a selection on a GPU knows of each query block, `[R]` int32 there: blocks to keep, own, last seen.

    `longest` is the largest of `counts`. To be made once for all layers of a model: copying makes the host wait.
    """

    counts: Tensor
    own: Tensor
    last: Tensor
    longest: int

    @classmethod
    def of(cls, grid: BlockGrid, counts: Tensor, device: torch.device) -> "Rows":
        """Bound `counts` `[R]` by what is forced and what is seen."""
        kept = grid.kept(counts)
        counts, own, last = (x.int().to(device) for x in (kept, grid.own, grid.last))
        return cls(counts, own, last, int(kept.max()))


def top_blocks_of_means(grid: BlockGrid, per_row: Rows, queries: Tensor, keys: Tensor) -> BlockPlan:
    """`top_blocks` by the products of means `[B, Hq, R, D]` and `[B, Hkv, C, D]` on a GPU, all heads at once."""
    from nl_tasks.kernels.triton_pick_blocks import pick_blocks_triton

    batch, heads, rows, _ = queries.shape
    own, last, longest = per_row.own, per_row.last, per_row.longest
    grouped = queries.reshape(batch * keys.shape[1], -1, *queries.shape[2:])  # [B Hkv, G, R, D]
    keys, group = keys.flatten(0, 1).mT, grouped.shape[1]
    most = max(1, 4 * scratch_bytes(queries.device) // (rows * grid.columns * 4))  # heads at a time
    step, share = max(1, most // group), min(group, most)
    parts = []
    for start in range(0, len(grouped), step):
        for first in range(0, group, share):
            some = grouped[start : start + step, first : first + share].flatten(1, 2)
            scores = torch.bmm(some, keys[start : start + step]).view(-1, rows, grid.columns)
            parts.append(pick_blocks_triton(scores, per_row.counts, own, last, longest, near=1))
    lists = torch.cat(parts).view(batch, heads, rows, longest)
    return BlockPlan(grid.queries, grid.keys, grid.block, grid.block, lists, per_row.counts.expand(batch, heads, rows))
