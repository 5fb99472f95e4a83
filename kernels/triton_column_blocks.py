# mypy: disallow-untyped-defs=False
"""Blocks of a plan's columns for tiles of its rows in Triton: a program sorts the blocks of one tile."""

import torch
import triton
import triton.language as tl

from nl_tasks.kernels.column_blocks import LEAST_ROWS, WIDTH, ColumnBlocks
from nl_tasks.kernels.plan import VerticalSlashPlan

STEP = 8  # blocks that are looked at at a time


def column_blocks_triton(plan: VerticalSlashPlan) -> ColumnBlocks:
    """`column_blocks` for GPUs."""
    batch, heads, longest = plan.columns.shape
    rows = max(LEAST_ROWS, plan.query_block)
    tiles, blocks = triton.cdiv(plan.queries, rows), triton.cdiv(longest, WIDTH)
    whole, cut = torch.empty(2, batch, heads, tiles, blocks, dtype=torch.int32, device=plan.device)
    whole_counts, cut_counts = torch.empty(2, batch, heads, tiles, dtype=torch.int32, device=plan.device)
    _sort[(tiles, batch * heads)](
        plan.columns.contiguous(), plan.column_counts.contiguous(), plan.band_table().contiguous().view(torch.uint8),
        whole, whole_counts, cut, cut_counts, longest, plan.keys, plan.queries, blocks,
        ROWS=rows, BLOCK=plan.query_block, WIDTH=WIDTH, STEP=STEP, num_warps=4,
    )  # fmt: skip
    return ColumnBlocks(rows, whole, whole_counts, cut, cut_counts)


@triton.jit(do_not_specialize=["longest", "keys", "queries", "blocks"])
def _sort(
    columns, counts, bands, whole, whole_counts, cut, cut_counts, longest, keys, queries, blocks,
    ROWS: tl.constexpr, BLOCK: tl.constexpr, WIDTH: tl.constexpr, STEP: tl.constexpr,
):  # fmt: skip
    tile, which = tl.program_id(0), tl.program_id(1).to(tl.int64)
    columns += which * longest
    bands += which * (keys + BLOCK)
    count = tl.load(counts + which)
    offset = keys - queries
    final = tl.minimum((tile + 1) * ROWS, queries) - 1 + offset  # position of the tile's last row
    at = which * tl.num_programs(0) + tile
    whole += at * blocks
    cut += at * blocks
    inside = tl.arange(0, WIDTH)[None, :]
    wholes, cuts, start = tl.full([], 0, tl.int32), tl.full([], 0, tl.int32), tl.full([], 0, tl.int32)
    going = count > 0
    while going:
        block = start + tl.arange(0, STEP)
        place = block[:, None] * WIDTH + inside
        key = tl.load(columns + place, mask=place < count, other=2147483647)
        clear = place < count  # that all rows see, and none in its bands
        seen = tl.zeros([STEP, WIDTH], tl.int1)  # that some row sees so
        for first in tl.static_range(0, ROWS, BLOCK):
            begin = tile * ROWS + first + offset
            if begin < keys:  # the last tile may hold fewer blocks of rows
                visible = key <= tl.minimum(begin + BLOCK - 1, final)
                alone = visible & (tl.load(bands + (key - begin + keys), mask=visible, other=1) == 0)
                clear = clear & alone & (key <= begin)
                seen = seen | alone
        all_clear = tl.min(clear.to(tl.int32), 1)
        some_seen = tl.max(seen.to(tl.int32), 1) * (1 - all_clear)
        tl.store(whole + wholes + tl.cumsum(all_clear, 0) - 1, block, mask=all_clear > 0)
        tl.store(cut + cuts + tl.cumsum(some_seen, 0) - 1, block, mask=some_seen > 0)
        wholes += tl.sum(all_clear, 0)
        cuts += tl.sum(some_seen, 0)
        start += STEP
        # Columns ascend: behind one that no row sees there is none.
        going = (start * WIDTH < count) & (tl.max(tl.where(place < count, key, 0)) <= final)
    tl.store(whole_counts + at, wholes)
    tl.store(cut_counts + at, cuts)
