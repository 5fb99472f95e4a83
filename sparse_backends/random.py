"""Sinks, the neighbourhood and blocks drawn at random: what a selection must beat to be worth its estimate."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from nl_tasks.kernels.plan import BlockPlan, PagePlan
from nl_tasks.sparse_backends.base import Backend
from nl_tasks.sparse_backends.blocks import BlockGrid, least_entries, top_blocks
from nl_tasks.sparse_backends.budget import budget
from nl_tasks.sparse_backends.hashing import hashed
from nl_tasks.sparse_backends.pages import page_floor, page_plan
from nl_tasks.sparse_backends.registry import register


@register
@dataclass(frozen=True, kw_only=True)
class Random(Backend):
    """Blocks of `block` tokens, per query head: the first, the query's own and the one before it, the rest drawn.

    A block's score is `hashed(seed, layer, head, row, column)`: in the prefill row and column number query blocks (from
    the first row of the call) and key blocks; in decode row is the number of keys, column the page. As many are kept as
    by `block_sparse` (prefill) or `quest` (decode) for the same `tokens` a query, or the same `sparsity`.
    """

    name = "random"
    phase: Literal["prefill", "decode"] = "prefill"  # type: ignore[misc] # a parameter of this method
    unit = "block"
    estimator = "none"
    allocation = "uniform"
    citation = "a control of this package"

    block: int = 16
    seed: int = 0
    tokens: int | None = budget(1024)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("phase", self.phase in ("prefill", "decode"), "prefill or decode")
        self.require("block", self.block in (16, 32, 64, 128), "one of 16, 32, 64, 128")
        self.require("tokens", self.tokens is None or self.tokens >= 3 * self.block, "tokens >= 3 blocks")

    def plan(
        self, q: Tensor, k: Tensor, *, scale: float, layer: int = 0, prompt: int | None = None
    ) -> BlockPlan | PagePlan:
        """Rank blocks by their hashes."""
        if self.phase == "decode":
            keys = k.shape[2]
            heads = torch.arange(q.shape[1], device=q.device)[:, None]
            pages = torch.arange(-(-keys // self.block), device=q.device)
            scores = hashed(self.seed, layer, heads, keys, pages).double().expand(q.shape[0], -1, -1)
            return page_plan(scores, self.keep(self.tokens, prompt, keys), self.block, keys, edges=True)
        grid = BlockGrid(q.shape[2], k.shape[2], self.block)
        counts = torch.full_like(grid.rows, (self.tokens or 0) // self.block)
        if self.sparsity is not None:
            counts = grid.solve(self.target(grid.queries, grid.keys))

        def scores_of(b: int, h: int, start: int, stop: int) -> Tensor:
            rows = torch.arange(start, stop, device=q.device)[:, None]
            return hashed(self.seed, layer, h, rows, torch.arange(grid.columns, device=q.device)).double()

        one = top_blocks(grid, counts, scores_of, 1, q.shape[1], q.device)  # every row of a batch draws the same
        indices, kept = one.indices.repeat(q.shape[0], 1, 1, 1), one.counts.repeat(q.shape[0], 1, 1)
        return replace(one, indices=indices, counts=kept)

    def floor(self, queries: int, keys: int) -> int:
        """The first block, the query's own and the one before it."""
        if self.phase == "decode":
            return page_floor(keys, self.block, edges=True)
        return least_entries(BlockGrid(queries, keys, self.block))
