# mypy: disallow-untyped-defs=False
"""Counting the entries of vertical-slash plans in Triton, for kernels that search: `line_entries` where T = S."""

import triton
import triton.language as tl

ROWS, STEP, WIDTH = 64, 64, 16  # rows of a block; blocks and residues that a program takes at a time


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
