"""Blocks of a plan's columns for tiles of its rows: those that every row sees whole, and those that need a mask."""

from dataclasses import dataclass

import torch
from torch import Tensor

from nl_tasks.kernels.compact import compact_torch
from nl_tasks.kernels.devices import runs_triton
from nl_tasks.kernels.plan import VerticalSlashPlan

WIDTH = 128  # columns of a block
LEAST_ROWS = 128


@dataclass(frozen=True)
class ColumnBlocks:
    """Lists of blocks of `WIDTH` columns, in the order of the plan's lists, for tiles of `rows` rows.

    `whole` `[B, H, tiles, n]` lists blocks of which every row sees every column, and none in its bands; `cut` the
    others of which some row sees some column outside its bands. Both ascend; `whole_counts` and `cut_counts`
    `[B, H, tiles]` of them are real, and what follows is undefined. All are int32.
    """

    rows: int
    whole: Tensor
    whole_counts: Tensor
    cut: Tensor
    cut_counts: Tensor


def column_blocks(plan: VerticalSlashPlan) -> ColumnBlocks:
    """List the column blocks of `plan`, whose blocks of rows are 64 or more, for two of those blocks or one."""
    if runs_triton(plan.columns):
        from nl_tasks.kernels.triton_column_blocks import column_blocks_triton

        return column_blocks_triton(plan)
    return column_blocks_torch(plan)


def column_blocks_torch(plan: VerticalSlashPlan) -> ColumnBlocks:
    """`column_blocks` in plain torch."""
    rows, step, (_, _, longest) = max(LEAST_ROWS, plan.query_block), plan.query_block, plan.columns.shape
    blocks = -(-longest // WIDTH)
    place = torch.arange(blocks * WIDTH, device=plan.device)
    columns = plan.columns[..., place.clamp(max=longest - 1)].long()[:, :, None]
    valid = (place < plan.column_counts[..., None])[:, :, None]
    bands = plan.band_table()[:, :, None]
    whole, some = valid, torch.zeros_like(valid)
    for first in range(0, rows, step):
        start = torch.arange(first, first + plan.queries, rows, device=plan.device)[:, None]  # first row of each block
        there = start < plan.queries
        last = plan.offset + (start + step).clamp(max=plan.queries) - 1
        start = start + plan.offset
        at = (columns - start + plan.keys).clamp(0, bands.shape[-1] - 1)
        alone = ~bands.expand(-1, -1, len(start), -1).gather(-1, at) & valid
        whole = whole & (~there | (alone & (columns <= start)))
        some = some | (there & alone & (columns <= last))
    whole, some = whole.unflatten(-1, (-1, WIDTH)).all(-1), some.unflatten(-1, (-1, WIDTH)).any(-1)
    return ColumnBlocks(rows, *compact_torch(whole, blocks, 0), *compact_torch(some & ~whole, blocks, 0))
