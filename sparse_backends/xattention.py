"""Blocks chosen by their antidiagonal sums, as many for each query block as hold a share of its attention."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from nl_tasks.kernels.antidiagonals import block_mass
from nl_tasks.kernels.compact import compact
from nl_tasks.kernels.devices import runs_triton
from nl_tasks.kernels.masked import scratch_bytes
from nl_tasks.kernels.plan import BlockPlan
from nl_tasks.kernels.threshold_search import covering_blocks, reached
from nl_tasks.sparse_backends.base import Backend
from nl_tasks.sparse_backends.blocks import WIDEST, BlockGrid, least_entries
from nl_tasks.sparse_backends.budget import budget
from nl_tasks.sparse_backends.pays import Cost, block_cost
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
    With `sparsity`: the threshold, common to the heads of a row in a layer, whose entries are nearest to what is asked.
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
        mass = block_mass(q, k, scale=scale, block=self.block, stride=self.stride)  # [B, Hq, R, C]
        shape = _Shape.of(grid, q.device)
        before = _held_before(mass, shape)
        if self.sparsity is None:
            threshold = torch.full((len(q), 1), self.threshold or 0.0, device=q.device)
            counts = reached(before, shape.available, threshold)[..., 0].int()
        else:
            base = self.floor(q.shape[2], k.shape[2])
            target = (self.target(q.shape[2], k.shape[2]) - base) * q.shape[1]
            counts = covering_blocks(before, shape.available, shape.area, target)
        del before  # as large as `mass`
        return BlockPlan(q.shape[2], k.shape[2], self.block, self.block, *_listed(mass, counts, shape))

    def cost(self) -> Cost | None:
        """Sums of antidiagonals, and blocks."""
        return block_cost(8_600, self.block)

    def expected_density(self, queries: int, keys: int) -> float:
        """A threshold of 1 keeps all; what others keep is not known beforehand."""
        return 1.0 if self.threshold == 1 else super().expected_density(queries, keys)

    def floor(self, queries: int, keys: int) -> int:
        """The first block and the diagonal."""
        return least_entries(BlockGrid(queries, keys, self.block), near=0)

    def estimation(self, queries: int, keys: int) -> int:
        """One product of `stride` vectors at once for each pair of groups that causality allows."""
        return int((queries * keys - queries * (queries - 1) // 2) / self.stride)


def _held_before(mass: Tensor, shape: "_Shape") -> Tensor:
    """The share of a row's `mass` `[B, H, R, C]` that is held before each block is kept, in the order of keeping.

    Some heads at a time, so that what sorting takes beside it stays small. What is forced is kept first.
    """
    before = torch.empty_like(mass)
    heads, parts = mass.flatten(0, 1), before.flatten(0, 1)
    forced, hidden = _masks(shape)
    step = max(1, 4 * scratch_bytes(mass.device) // (heads[0].nbytes))
    for first in range(0, len(heads), step):
        some = heads[first : first + step]
        ranked = some.masked_fill(hidden, 0).sort(dim=-1, descending=True).values.cumsum(-1)
        sure = (some * forced).sum(-1, keepdim=True)
        torch.div(pad(ranked, (1, -1)).add_(sure), some.sum(-1, keepdim=True), out=parts[first : first + step])
    return before


def _listed(mass: Tensor, counts: Tensor, shape: "_Shape") -> tuple[Tensor, Tensor]:
    """Lists of the forced blocks and the `counts` `[B, H, R]` others of most `mass`, and how many those are in all."""
    columns = mass.shape[3]
    if runs_triton(mass) and columns <= WIDEST:
        from nl_tasks.kernels.triton_pick_blocks import pick_blocks_triton

        counts = counts + shape.always
        rows = counts.flatten(0, 1), shape.own, shape.last
        return pick_blocks_triton(mass.flatten(0, 1), *rows, columns, near=0).unflatten(0, counts.shape[:2]), counts
    forced, hidden = _masks(shape)
    order = mass.masked_fill(hidden, -1).sort(dim=-1, descending=True, stable=True).indices
    chosen = torch.arange(columns, device=mass.device) < counts[..., None]
    return compact(forced.expand_as(chosen).scatter(3, order, chosen) | forced, columns)


@dataclass(frozen=True, eq=False)
class _Shape:
    """What of each query block does not depend on the inputs, `[R]` int32; layers, and rows of a batch, ask again."""

    columns: int
    always: Tensor  # forced blocks of each row
    available: Tensor  # blocks that each row may choose
    area: Tensor  # entries of a whole block of each row
    own: Tensor
    last: Tensor

    @classmethod
    @lru_cache(maxsize=256)  # copying makes the host wait
    def of(cls, grid: BlockGrid, device: torch.device) -> "_Shape":
        always = grid.kept(torch.ones_like(grid.own), near=0)
        numbers = always, grid.last + 1 - always, grid.rows * grid.block, grid.own, grid.last
        return cls(grid.columns, *(x.int().to(device) for x in numbers))


@lru_cache(maxsize=4)  # as large as a head's mass, a quarter each
def _masks(shape: _Shape) -> tuple[Tensor, Tensor]:
    """Blocks that are forced, and those that are not chosen by mass: forced, or seen by no row. `[R, C]` bool."""
    column = torch.arange(shape.columns, dtype=torch.int32, device=shape.own.device)
    seen = column <= shape.last[:, None]
    forced = seen & ((column == 0) | (column >= shape.own[:, None]))
    return forced, ~seen | forced
