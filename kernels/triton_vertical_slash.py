# mypy: disallow-untyped-defs=False
"""Attention over columns and bands of diagonals in Triton: all heads in one launch, each pair computed once.

A tile of rows reads runs of keys out of its bands, then one by one what is left of the bands, then blocks of columns:
those that all its rows see outside their bands need no mask.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from nl_tasks.kernels.band_index import BandIndex
from nl_tasks.kernels.band_runs import RUN
from nl_tasks.kernels.column_blocks import WIDTH, ColumnBlocks, column_blocks
from nl_tasks.kernels.devices import narrow
from nl_tasks.kernels.plan import VerticalSlashPlan
from nl_tasks.kernels.provider import kernel
from nl_tasks.kernels.triton_block_sparse import describable, described
from nl_tasks.kernels.triton_gather import gather_rows
from nl_tasks.kernels.triton_support import (
    LN2,
    LOG2E,
    Tile,
    can_run,
    empty_outputs,
    is_power_of_two,
    masked_softmax_step,
    positive_scale,
    product,
    rows_contiguous,
    softmax_step,
    store_rows,
)


def usable(q: Tensor, plan: VerticalSlashPlan) -> bool:
    """Power-of-two row blocks, head dimensions up to 256."""
    return can_run(q) and q.shape[-1] <= 256 and is_power_of_two(plan.query_block)


@kernel(VerticalSlashPlan, "triton", usable)
def vertical_slash_triton(
    q: Tensor, k: Tensor, v: Tensor, plan: VerticalSlashPlan, *, scale: float, tile: Tile | None = None
) -> tuple[Tensor, Tensor]:
    """Attention over the plan's columns and bands; shapes as in `AttentionKernel`. `tile` overrides the choice."""
    tile = tile or choose_tile(q)
    blocks = column_blocks(plan) if plan.query_block % tile.rows == 0 else None
    return walk(q, k, v, plan, BandIndex.of(plan, tile.rows), blocks, tile, scale)


def choose_tile(q: Tensor) -> Tile:
    """Pick the tile for q's head dimension and dtype."""
    if narrow(q):
        return Tile(32, 16, 4, 2, descriptors=True)
    wide = q.shape[-1] > 128 or q.dtype == torch.float32
    return Tile(64, 32 if wide else 64, 4, 2 if wide else 3, descriptors=True)


def walk(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    plan: VerticalSlashPlan,
    index: BandIndex,
    blocks: ColumnBlocks | None,
    tile: Tile,
    scale: float,
    begun: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Attention over the keys of `index`, of `plan`, and the plan's columns.

    Columns go by `blocks`; one by one where that is None, as it must be if the rows of a tile are not all of one block
    of the plan. `begun`, output `[B, Hq, T, D]` and log-sum-exp, is attention over other keys of the same rows: it goes
    on from it.
    """
    q, scale = positive_scale(q, scale)
    q, k, v = (rows_contiguous(x) for x in (q, k, v))
    batch, heads, queries, dim = q.shape
    wide = max(16, triton.next_power_of_2(dim))
    columns, counts = plan.columns.contiguous(), plan.column_counts.contiguous()
    descriptors = tile.descriptors and all(describable(x) for x in (k, v))
    k_tiles, v_tiles = (described(x, tile.keys, wide) if descriptors else x for x in (k, v))
    k_kept, v_kept = k_tiles, v_tiles
    if descriptors and blocks:  # each head's columns side by side: every tile of its rows reads them
        k_kept, v_kept = (described(gather_rows(x, columns, counts, heads), tile.keys, wide) for x in (k, v))
    whole_lists, cut_lists = (blocks.whole, blocks.cut) if blocks else (columns, columns)
    whole_counts, cut_counts = (blocks.whole_counts, blocks.cut_counts) if blocks else (counts, counts)
    out, lse = empty_outputs(q)
    first_out, first_lse = (rows_contiguous(begun[0]), begun[1].contiguous()) if begun else (out, lse)
    grid = (triton.cdiv(queries, tile.rows), heads, batch)
    _attend[grid](
        q, k, v, k_tiles, v_tiles, k_kept, v_kept, out, lse, first_out, first_lse,
        index.runs, index.rest, index.spans, columns, index.bands, whole_lists, whole_counts, cut_lists, cut_counts,
        *q.stride()[:3], *k.stride()[:3], *v.stride()[:3], *first_out.stride()[:3],
        heads, queries, plan.keys, columns.shape[1], columns.shape[2], index.runs.shape[3], index.rest.shape[3],
        index.spans.shape[2], whole_counts.shape[-1], whole_lists.shape[-1],
        heads // k.shape[1], heads // columns.shape[1], scale * LOG2E, LN2,
        ROWS=tile.rows, KEYS=tile.keys, RUN=RUN, BLOCK=plan.query_block, PHASES=index.runs.shape[2],
        PAIR=blocks.rows if blocks else 0, WIDTH=WIDTH, BEGUN=begun is not None, DIM=dim, WIDE=wide,
        EXACT=q.dtype == torch.float32, TMA=descriptors,
        FAR=(plan.keys + 1) * max(k.stride(2), v.stride(2)) >= 2**31,
        num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip
    return out, lse


_ANY = ["heads", "queries", "keys", "lists", "longest", "runs_size", "rest_size", "tiles", "pairs", "blocks", "group"]


@triton.jit(do_not_specialize=[*_ANY, "per"])  # one build for all lengths; strides tell how rows are aligned
def _attend(
    q, k, v, k_tiles, v_tiles, k_kept, v_kept, out, lse, first_out, first_lse,
    runs, rest, spans, columns, bands, whole_lists, whole_counts, cut_lists, cut_counts,
    q_batch, q_head, q_row, k_batch, k_head, k_row, v_batch, v_head, v_row,
    first_batch, first_head, first_row,
    heads, queries, keys, lists, longest, runs_size, rest_size, tiles, pairs, blocks, group, per, scale, ln2,
    ROWS: tl.constexpr, KEYS: tl.constexpr, RUN: tl.constexpr, BLOCK: tl.constexpr, PHASES: tl.constexpr,
    PAIR: tl.constexpr, WIDTH: tl.constexpr, BEGUN: tl.constexpr, DIM: tl.constexpr,
    WIDE: tl.constexpr, EXACT: tl.constexpr, TMA: tl.constexpr, FAR: tl.constexpr,
):  # fmt: skip
    """One tile: ROWS rows of one head."""
    FRAME: tl.constexpr = BLOCK if BLOCK > ROWS else ROWS
    tile = tl.num_programs(0) - 1 - tl.program_id(0)  # long rows first
    head = tl.program_id(1)
    batch = tl.program_id(2)
    row = tile * ROWS + tl.arange(0, ROWS)
    dims = tl.arange(0, WIDE)
    real_dims = (dims < DIM)[None, :]
    inside = (row < queries)[:, None] & real_dims
    q += batch.to(tl.int64) * q_batch + head.to(tl.int64) * q_head
    q_tile = tl.load(q + row[:, None].to(tl.int64) * q_row + dims[None, :], mask=inside, other=0.0)
    k += batch.to(tl.int64) * k_batch + (head // group).to(tl.int64) * k_head
    v += batch.to(tl.int64) * v_batch + (head // group).to(tl.int64) * v_head
    offset = keys - queries
    position = row + offset
    frame = tile * ROWS // FRAME * FRAME + offset  # position of the frame's first row
    base = frame + (position - frame) // BLOCK * BLOCK  # first position of each row's own block

    list_at = batch.to(tl.int64) * lists + head // per
    runs += (list_at * PHASES + tile % PHASES) * runs_size
    rest += (list_at * PHASES + tile % PHASES) * rest_size
    columns += list_at * longest
    bands += list_at * (keys + BLOCK)
    spans += (list_at * tiles + tile) * 7
    begin, whole, end = tl.load(spans), tl.load(spans + 1), tl.load(spans + 2)
    whole = tl.maximum(begin, whole)

    high = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    acc = tl.zeros([ROWS, WIDE], tl.float32)
    place = (batch.to(tl.int64) * heads + head) * queries + row
    if BEGUN:
        high = tl.load(first_lse + place, mask=row < queries, other=float("-inf")) / ln2
        total = tl.where(high == float("-inf"), 0.0, 1.0)
        first_out += batch.to(tl.int64) * first_batch + head.to(tl.int64) * first_head
        acc = tl.load(first_out + row[:, None].to(tl.int64) * first_row + dims[None, :], mask=inside, other=0.0)
        acc = tl.where((total > 0)[:, None], acc.to(tl.float32), 0.0)
    step = tl.arange(0, KEYS)
    PIECES: tl.constexpr = RUN // KEYS
    for piece in range(begin * PIECES, whole * PIECES):
        first = frame + tl.load(runs + piece // PIECES) + piece % PIECES * KEYS
        if TMA:
            k_tile = k_tiles.load([batch, head // group, first, 0]).reshape(KEYS, WIDE)
            v_tile = v_tiles.load([batch, head // group, first, 0]).reshape(KEYS, WIDE)
        else:
            k_at = k + first.to(tl.int64) * k_row + (step[:, None] * k_row + dims[None, :])
            v_at = v + first.to(tl.int64) * v_row + (step[:, None] * v_row + dims[None, :])
            if DIM == WIDE:
                k_tile, v_tile = tl.load(k_at), tl.load(v_at)
            else:
                k_tile = tl.load(k_at, mask=real_dims, other=0.0)
                v_tile = tl.load(v_at, mask=real_dims, other=0.0)
        scores = product(q_tile, tl.trans(k_tile), EXACT)
        high, total, acc = softmax_step(scores, v_tile, high, total, acc, scale, EXACT)
    # Runs that key 0 or causality cuts: at most one before the whole ones, and those after.
    before = ((begin > 0) & (tl.load(runs + tl.maximum(begin - 1, 0)) + RUN > -frame)).to(tl.int32)
    for piece in range(0, (before + end - whole) * PIECES):
        which = piece // PIECES
        which = tl.where(which < before, begin - 1, whole + which - before)
        key = (frame + tl.load(runs + which) + piece % PIECES * KEYS + step).to(tl.int64)
        real = (key >= 0) & (key < keys)
        k_tile = tl.load(k + key[:, None] * k_row + dims[None, :], mask=real[:, None] & real_dims, other=0.0)
        v_tile = tl.load(v + key[:, None] * v_row + dims[None, :], mask=real[:, None] & real_dims, other=0.0)
        scores = product(q_tile, tl.trans(k_tile), EXACT)
        allowed = real[None, :] & (key[None, :] <= position[:, None])
        high, total, acc = masked_softmax_step(scores, allowed, v_tile, high, total, acc, scale, EXACT)
    # Single keys, what is left of the bands: first whole steps that all rows see, whose keys are looked up while the
    # step before computes.
    begin, seen, end = tl.load(spans + 3), tl.load(spans + 4), tl.load(spans + 5)
    end_columns = tl.load(spans + 6)
    whole = tl.maximum(seen - begin, 0) // KEYS * KEYS if FRAME == BLOCK else 0
    rest += begin
    near = tl.load(rest + step, mask=step < whole, other=0)
    for start in range(0, whole, KEYS):
        key = frame + near
        k_tile = tl.load(k + _rows_at(key, k_row, FAR) + dims[None, :], mask=real_dims, other=0.0)
        v_tile = tl.load(v + _rows_at(key, v_row, FAR) + dims[None, :], mask=real_dims, other=0.0)
        near = tl.load(rest + start + KEYS + step, mask=start + KEYS + step < whole, other=0)
        scores = product(q_tile, tl.trans(k_tile), EXACT)
        high, total, acc = softmax_step(scores, v_tile, high, total, acc, scale, EXACT)
    rest += whole
    # Then the remainder, and columns that do not go by blocks.
    singles = end - begin - whole
    count = singles + (end_columns if PAIR == 0 else 0)
    for start in range(0, count, KEYS):
        at = start + step
        in_bands = at < singles
        near = tl.load(rest + at, mask=in_bands, other=0)
        far = tl.load(columns + at - singles, mask=(at >= singles) & (at < count), other=0)
        key = tl.where(in_bands, frame + near, far)
        real = (at < count) & (key < keys)
        loaded = real[:, None] & real_dims
        k_tile = tl.load(k + _rows_at(key, k_row, FAR) + dims[None, :], mask=loaded, other=0.0)
        v_tile = tl.load(v + _rows_at(key, v_row, FAR) + dims[None, :], mask=loaded, other=0.0)
        allowed = real[None, :] & (key[None, :] <= position[:, None])
        if FRAME == BLOCK:  # one block: its bands are at the same keys for all rows
            there = (tl.load(bands + key - frame + keys, mask=real, other=0) != 0)[None, :]
        else:
            entry = key[None, :] - base[:, None] + keys
            there = tl.load(bands + entry, mask=allowed & (entry >= 0), other=0) != 0
        allowed = allowed & (there == in_bands[None, :])
        scores = product(q_tile, tl.trans(k_tile), EXACT)
        high, total, acc = masked_softmax_step(scores, allowed, v_tile, high, total, acc, scale, EXACT)
    if PAIR > 0:
        PER: tl.constexpr = WIDTH // KEYS
        at = list_at * pairs + tile * ROWS // PAIR
        whole_lists += at * blocks
        for piece in range(0, tl.load(whole_counts + at) * PER):
            start = tl.load(whole_lists + piece // PER) * WIDTH + piece % PER * KEYS
            if TMA:
                k_tile = k_kept.load([batch, head, start, 0]).reshape(KEYS, WIDE)
                v_tile = v_kept.load([batch, head, start, 0]).reshape(KEYS, WIDE)
            else:
                key = tl.load(columns + start + step)
                k_tile = tl.load(k + _rows_at(key, k_row, FAR) + dims[None, :], mask=real_dims, other=0.0)
                v_tile = tl.load(v + _rows_at(key, v_row, FAR) + dims[None, :], mask=real_dims, other=0.0)
            scores = product(q_tile, tl.trans(k_tile), EXACT)
            high, total, acc = softmax_step(scores, v_tile, high, total, acc, scale, EXACT)
        cut_lists += at * blocks
        bands_here = bands + keys - frame
        for piece in range(0, tl.load(cut_counts + at) * PER):
            start = tl.load(cut_lists + piece // PER) * WIDTH + piece % PER * KEYS
            real = start + step < end_columns
            key = tl.load(columns + start + step, mask=real, other=0)
            if TMA:
                k_tile = k_kept.load([batch, head, start, 0]).reshape(KEYS, WIDE)
                v_tile = v_kept.load([batch, head, start, 0]).reshape(KEYS, WIDE)
            else:
                k_tile = tl.load(k + _rows_at(key, k_row, FAR) + dims[None, :], mask=real_dims, other=0.0)
                v_tile = tl.load(v + _rows_at(key, v_row, FAR) + dims[None, :], mask=real_dims, other=0.0)
            alone = real & (tl.load(bands_here + key, mask=real, other=1) == 0)
            allowed = alone[None, :] & (key[None, :] <= position[:, None])
            scores = product(q_tile, tl.trans(k_tile), EXACT)
            high, total, acc = masked_softmax_step(scores, allowed, v_tile, high, total, acc, scale, EXACT)
    store_rows(out, lse, place, row, queries, dims, high, total, acc, ln2, DIM)


@triton.jit
def _rows_at(key, row, FAR: tl.constexpr):
    """Offsets `[n, 1]` of the rows `key` `[n]`, `row` elements apart; in 64 bits if FAR."""
    if FAR:
        return key.to(tl.int64)[:, None] * row
    return key[:, None] * row
