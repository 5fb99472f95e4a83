"""Blocks chosen by their antidiagonal sums, as many for each query block as hold a share of its attention."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from nl_tasks.kernels.plan import BlockPlan
from nl_tasks.sparse_backends.base import Backend
from nl_tasks.sparse_backends.blocks import BlockGrid
from nl_tasks.sparse_backends.budget import budget, listed, nearest_float
from nl_tasks.sparse_backends.registry import register


@register
@dataclass(frozen=True, kw_only=True)
class XAttention(Backend):
    """Each query block keeps the fewest key blocks that hold `threshold` of its estimated attention, per head.

    Rows are taken in groups of `stride` (queries from the first row, keys from position 0; missing ones are zeros). The
    score of a query group and a key group is the mean, over an antidiagonal of their tile, of scaled products: of query
    i of the group with key stride - 1 - i. Softmax over the key groups that start no later than the query group ends;
    a block's mass is the sum over its tiles. Block 0 and the blocks that hold the rows' own positions are kept first;
    then blocks by descending mass (of equals the earlier) until the kept mass reaches threshold x the row's mass.
    With `sparsity`: the threshold, common to the heads of a layer, whose entries are nearest to what is asked.
    """

    name = "xattention"
    phase = "prefill"
    unit = "block"
    estimator = "antidiagonal sums"
    allocation = "threshold"
    citation = "Xu et al. 2025, arXiv 2503.16428, section 2"

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
        mass = self.block_mass(q, k, scale)  # [B, Hq, R, C]
        forced = grid.forced(0, len(grid.rows), near=0).to(q.device)
        seen = (torch.arange(grid.columns) <= grid.last[:, None]).to(q.device)
        order = mass.masked_fill(~seen | forced, -1).sort(dim=-1, descending=True, stable=True)
        total = mass.sum(-1, keepdim=True)
        # The mass held before each block in turn: a block is kept while that is below the threshold.
        sure = (mass * forced).sum(-1, keepdim=True)
        before = (sure + pad(order.values.clamp(min=0).cumsum(-1), (1, -1))) / total
        free = order.values >= 0
        area = (grid.rows * self.block).to(q.device)[:, None]

        def chosen(threshold: float) -> Tensor:
            return free if threshold >= 1 else free & (before < threshold)

        threshold = self.threshold or 0.0
        if self.sparsity is not None:
            target = self.target(q.shape[2], k.shape[2])
            base, heads = self.floor(q.shape[2], k.shape[2]), mass.shape[0] * mass.shape[1]
            threshold = nearest_float(lambda t: base + float((chosen(t) * area).sum()) / heads, target, 0.0, 1.0)
        kept = forced.expand_as(free).scatter(3, order.indices, chosen(threshold)) | forced
        return BlockPlan(q.shape[2], k.shape[2], self.block, self.block, *listed(kept))

    def block_mass(self, q: Tensor, k: Tensor, scale: float) -> Tensor:
        """Estimated attention of each query block to each key block, `[B, Hq, R, C]` float32."""
        batch, heads, queries, _ = q.shape
        keys, stride, per = k.shape[2], self.stride, self.block // self.stride
        # Queries forward and keys backward, side by side: one product sums along an antidiagonal.
        left = pad(q, (0, 0, 0, -queries % self.block)).unflatten(2, (-1, stride)).flatten(3)
        right = pad(k, (0, 0, 0, -keys % self.block)).unflatten(2, (-1, stride)).flip(3).flatten(3)
        last = torch.arange(left.shape[2], device=q.device) * stride + stride - 1 + keys - queries
        first = torch.arange(right.shape[2], device=q.device) * stride
        mass = q.new_empty(batch, heads, left.shape[2] // per, right.shape[2] // per, dtype=torch.float32)
        step = max(1, 2**22 // (right.shape[2] * per))
        real = torch.arange(left.shape[2], device=q.device) * stride < queries
        for start in range(0, mass.shape[2], step):
            part = slice(start * per, (start + step) * per)
            allowed = (first <= last[part, None].clamp(max=keys - 1)) & real[part, None]
            for b in range(batch):
                for h in range(heads):
                    scores = (left[b, h, part].float() @ right[b, h // (heads // k.shape[1])].float().T) * (
                        scale / stride
                    )
                    weights = scores.masked_fill_(~allowed, -torch.inf).softmax(-1).nan_to_num_(0)
                    mass[b, h, start : start + step] = (
                        weights.unflatten(0, (-1, per)).unflatten(2, (-1, per)).sum((1, 3))
                    )
        return mass

    def floor(self, queries: int, keys: int) -> int:
        """The first block and the diagonal."""
        grid = BlockGrid(queries, keys, self.block)
        return grid.entries(torch.ones_like(grid.rows), near=0)

    def estimation(self, queries: int, keys: int) -> int:
        """One product of `stride` vectors at once for each pair of groups that causality allows."""
        return int((queries * keys - queries * (queries - 1) // 2) / self.stride)
