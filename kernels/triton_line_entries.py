# mypy: disallow-untyped-defs=False
"""Counting the entries of vertical-slash plans in Triton, for prefill from position 0."""

import torch
import triton
import triton.language as tl
from torch import Tensor

ROWS, STEP, WIDTH = 64, 64, 16  # rows of a block; blocks and residues that a program takes at a time


def line_entries_triton(band_rank: Tensor, column_rank: Tensor, verticals: Tensor, slashes: Tensor) -> Tensor:
    """`line_entries` where queries and keys are as many."""
    plans, batch, heads = verticals.shape
    keys = column_rank.shape[-1]
    parts = torch.empty(ROWS // WIDTH, plans, batch * heads, dtype=torch.int64, device=band_rank.device)
    _count[(ROWS // WIDTH, plans, batch * heads)](
        band_rank.contiguous(), column_rank.contiguous(), verticals.int().contiguous(), slashes.int().contiguous(),
        parts, keys, ROWS=ROWS, STEP=STEP, WIDTH=WIDTH, num_warps=4,
    )  # fmt: skip
    return parts.sum(0).view(plans, batch, heads)


@triton.jit
def residue_entries(
    band_rank, column_rank, vertical, slash, which, keys, ROWS: tl.constexpr, STEP: tl.constexpr, WIDTH: tl.constexpr
):
    """Entries of head `which` in the columns and relative places of the program's WIDTH residues modulo ROWS.

    A block m before a column's last block sees it at the place residue - ROWS * m: with the blocks that see it, a
    column's pairs in bands are a running sum over m.
    """
    residue = tl.program_id(0) * WIDTH + tl.arange(0, WIDTH)[None, :]
    band_rank += which * (keys + ROWS)
    column_rank += which * keys
    blocks = tl.cdiv(keys, ROWS)
    short = keys - (blocks - 1) * ROWS
    nearest = (tl.load(band_rank + keys + residue) < slash).to(tl.int32)  # [1, WIDTH]
    before = tl.zeros([1, WIDTH], tl.int32)
    entries = tl.zeros([1, WIDTH], tl.int64)
    for start in range(0, blocks, STEP):
        m = start + tl.arange(0, STEP)[:, None]
        inside = m < blocks
        covered = (tl.load(band_rank + keys + residue - ROWS * m, mask=inside, other=2147483647) < slash).to(tl.int32)
        upto = before + tl.cumsum(covered, 0) - covered  # of blocks nearer than m
        rows = tl.where(
            (m == 0) & (residue > 0),
            (blocks - 1) * (ROWS - residue) + tl.maximum(short - residue, 0),
            keys - ROWS * m,
        )
        column = ROWS * (blocks - 1 - m) + residue
        kept = inside & (column < keys)
        kept = kept & (tl.load(column_rank + column, mask=kept, other=2147483647) < vertical)
        in_bands = tl.where(m == 0, (short - residue) * nearest, upto * ROWS - residue * nearest + short * covered)
        alone = tl.where(kept, keys - column - in_bands, 0)
        entries += tl.sum((covered * rows + alone).to(tl.int64), 0)[None, :]
        before += tl.sum(covered, 0)[None, :]
    return tl.sum(tl.sum(entries, 1), 0)


@triton.jit
def _count(
    band_rank, column_rank, verticals, slashes, parts, keys,
    ROWS: tl.constexpr, STEP: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    plan, which = tl.program_id(1), tl.program_id(2).to(tl.int64)
    limit_at = plan * tl.num_programs(2) + which
    vertical, slash = tl.load(verticals + limit_at), tl.load(slashes + limit_at)
    total = residue_entries(band_rank, column_rank, vertical, slash, which, keys, ROWS, STEP, WIDTH)
    tl.store(parts + (tl.program_id(0) * tl.num_programs(1) + plan) * tl.num_programs(2) + which, total)
