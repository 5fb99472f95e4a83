"""Blocks chosen by their antidiagonal sums, as many for each query block as hold a share of its attention."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from nl_tasks.kernels.antidiagonals import block_mass
from nl_tasks.kernels.compact import compact
from nl_tasks.kernels.plan import BlockPlan
from nl_tasks.sparse_backends.base import Backend
from nl_tasks.sparse_backends.blocks import BlockGrid
from nl_tasks.sparse_backends.budget import budget, listed
from nl_tasks.sparse_backends.registry import register
from nl_tasks.sparse_backends.search import search_float


@register
@dataclass(frozen=True, kw_only=True)
class XAttention(Backend):
    """Each query block keeps the fewest key blocks that hold `threshold` of its estimated attention, per head.

    Rows are taken in groups of `stride` (queries from the first row, keys from position 0; missing ones are zeros). The
    score of a query group and a key group is the mean, over an antidiagonal of their tile, of scaled products: of query
    i of the group with key stride - 1 - i. Softmax over the key groups that start no later than the query group ends;
    a block's mass is the sum over its tiles. Block 0 and the blocks that hold the rows' own positions are kept first;
    then blocks by descending mass (of equals the earlier) until the kept mass reaches threshold x the row's mass.
    With `sparsity`: the threshold, common to the heads of a row in a layer, whose entries are nearest to what is asked.
    """

    name = "xattention"
    phase = "prefill"
    unit = "block"
    estimator = "antidiagonal sums"
    allocation = "threshold"
    citation = "Xu et al. 2025, arXiv 2503.16428, section 2"
    dense_below = 22 * 1024

    block: int = 128
    stride: int = 8
    threshold: float | None = budget(0.9)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("block", self.block in (16, 32, 64, 128), "one of 16, 32, 64, 128")
        self.require("stride", self.stride >= 1 and self.block % self.stride == 0, "a divisor of block")
        self.require("threshold", self.threshold is None or 0 <= self.threshold <= 1, "0 <= threshold <= 1")

    def plan(self, q: Tensor, k: Tensor, *, scale: float, layer: int = 0, prompt: int | None = None) -> BlockPlan:
        """Rank blocks by estimated attention, with the threshold given or solved for."""
        grid = BlockGrid(q.shape[2], k.shape[2], self.block)
        mass = block_mass(q, k, scale=scale, block=self.block, stride=self.stride)  # [B, Hq, R, C]
        forced, seen, area = _of_shape(grid, q.device)
        order = mass.masked_fill(~seen | forced, -1).sort(dim=-1, descending=True, stable=True)
        total = mass.sum(-1, keepdim=True)
        # The mass held before each block in turn: a block is kept while that is below the threshold.
        sure = (mass * forced).sum(-1, keepdim=True)
        free = order.values >= 0
        before = pad(order.values.clamp_(min=0).cumsum(-1), (1, -1)).add_(sure).div_(total)
        threshold = torch.full((len(q),), self.threshold or 0.0, device=q.device)
        if self.sparsity is not None:
            base = self.floor(q.shape[2], k.shape[2]) * q.shape[1]
            available = free.sum(-1, keepdim=True)

            def entries(thresholds: Tensor) -> Tensor:
                asked = thresholds.mT[:, None, None]  # [B, 1, 1, n]
                below = torch.searchsorted(before, asked.float().expand(*before.shape[:-1], -1).contiguous())
                counts = torch.where(asked >= 1, available, below.minimum(available))
                return base + (counts * area[:, None]).sum((1, 2)).mT  # [n, B]

            target = self.target(q.shape[2], k.shape[2]) * q.shape[1]
            threshold = search_float(entries, target, 0.0, 1.0, len(q), q.device).float()
        threshold = threshold[:, None, None, None]
        chosen = free & ((before < threshold) | (threshold >= 1))
        kept = forced.expand_as(free).scatter(3, order.indices, chosen) | forced
        if q.is_cuda:
            return BlockPlan(q.shape[2], k.shape[2], self.block, self.block, *compact(kept, grid.columns))
        return BlockPlan(q.shape[2], k.shape[2], self.block, self.block, *listed(kept))

    def floor(self, queries: int, keys: int) -> int:
        """The first block and the diagonal."""
        grid = BlockGrid(queries, keys, self.block)
        return grid.entries(torch.ones_like(grid.rows), near=0)

    def estimation(self, queries: int, keys: int) -> int:
        """One product of `stride` vectors at once for each pair of groups that causality allows."""
        return int((queries * keys - queries * (queries - 1) // 2) / self.stride)


@lru_cache(maxsize=16)
def _of_shape(grid: BlockGrid, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Forced and seen blocks `[R, C]` bool, and entries of a whole block of each row `[R]`; layers ask for the same."""
    forced, seen = grid.forced(0, len(grid.rows), near=0), torch.arange(grid.columns) <= grid.last[:, None]
    return forced.to(device), seen.to(device), (grid.rows * grid.block).to(device)
