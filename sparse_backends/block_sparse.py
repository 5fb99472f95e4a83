"""Key blocks chosen by the similarity of block means, as many for every query block."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from nl_tasks.kernels.block_means import block_means
from nl_tasks.kernels.devices import runs_triton
from nl_tasks.kernels.plan import BlockPlan, causal_entries
from nl_tasks.sparse_backends.base import Backend
from nl_tasks.sparse_backends.blocks import (
    WIDEST,
    BlockGrid,
    Rows,
    kept_entries,
    least_entries,
    seen_blocks,
    top_blocks,
    top_blocks_of_means,
)
from nl_tasks.sparse_backends.budget import budget
from nl_tasks.sparse_backends.pays import Cost, block_cost
from nl_tasks.sparse_backends.registry import register


@register
@dataclass(frozen=True, kw_only=True)
class BlockSparse(Backend):
    """Each query block of `block` rows sees its `top_blocks` best key blocks.

    A block's score, per query head, is the product of the mean query and the mean key (unscaled; a short last block's
    mean is over its own rows). Block 0, the blocks that hold the rows' own positions and the one before them are kept
    first and count; of equal scores the earlier block wins. With `sparsity` query block r keeps
    floor(m (r + 1)) - floor(m r) blocks, with the real number m whose entries are nearest to what is asked.
    """

    name = "block_sparse"
    phase = "prefill"
    unit = "block"
    estimator = "block means"
    allocation = "uniform"
    citation = "Jiang et al. 2024 (MInference), arXiv 2407.02490; as in Nawrot et al. 2025, arXiv 2504.17768, A.1"

    block: int = 16
    top_blocks: int | None = budget(64)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("block", self.block in (16, 32, 64, 128), "one of 16, 32, 64, 128")
        self.require("top_blocks", self.top_blocks is None or self.top_blocks >= 3, "top_blocks >= 3")

    def plan(self, q: Tensor, k: Tensor, *, scale: float, layer: int = 0, prompt: int | None = None) -> BlockPlan:
        """Rank key blocks by the product of means."""
        grid = BlockGrid(q.shape[2], k.shape[2], self.block)
        target = None if self.sparsity is None else self.target(grid.queries, grid.keys)
        queries, keys = block_means(q, self.block), block_means(k, self.block)
        if runs_triton(q) and grid.columns <= WIDEST:
            return top_blocks_of_means(grid, _rows(grid, self.top_blocks, target, q.device), queries, keys)
        group, counts = q.shape[1] // k.shape[1], _counts(grid, self.top_blocks, target)

        def scores(b: int, h: int, start: int, stop: int) -> Tensor:
            return queries[b, h, start:stop] @ keys[b, h // group].T

        return top_blocks(grid, counts, scores, q.shape[0], q.shape[1], q.device)

    def cost(self) -> Cost | None:
        """Means of blocks, and blocks."""
        return block_cost(7_300, self.block)

    def expected_density(self, queries: int, keys: int) -> float:
        """With a number of blocks given, that of as many in each row."""
        if self.sparsity is not None:
            return super().expected_density(queries, keys)
        return kept_entries(BlockGrid(queries, keys, self.block), self.top_blocks or 0) / causal_entries(queries, keys)

    def floor(self, queries: int, keys: int) -> int:
        """The first block, the diagonal and the block before it."""
        return least_entries(BlockGrid(queries, keys, self.block))

    def estimation(self, queries: int, keys: int) -> int:
        """One product for each pair of a query block and a key block before it."""
        return seen_blocks(BlockGrid(queries, keys, self.block))


@lru_cache(maxsize=256)
def _counts(grid: BlockGrid, top: int | None, target: int | None) -> Tensor:
    """Blocks that each query block is to keep, `[R]`; the layers of a model ask for the same."""
    return torch.full_like(grid.rows, top or 1) if target is None else grid.solve(target)


@lru_cache(maxsize=256)
def _rows(grid: BlockGrid, top: int | None, target: int | None, device: torch.device) -> Rows:
    return Rows.of(grid, _counts(grid, top, target), device)
