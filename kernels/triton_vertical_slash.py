# mypy: disallow-untyped-defs=False
"""Attention over columns and bands of diagonals in Triton: all heads in one launch, each pair computed once.

A tile of rows walks flat lists of keys: those of its bands, relative to its first row, without gaps between bands, then
the columns outside its bands. Narrow bands so cost no more than wide ones.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from nl_tasks.kernels.band_index import BandIndex
from nl_tasks.kernels.plan import VerticalSlashPlan
from nl_tasks.kernels.provider import kernel
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
    q, scale = positive_scale(q, scale)
    q, k, v = (rows_contiguous(x) for x in (q, k, v))
    batch, heads, queries, dim = q.shape
    tile = tile or choose_tile(q)
    index = BandIndex.of(plan, tile.rows)
    edge, edge_upto = (index.inner, index.inner_upto) if index.edge is None else (index.edge, index.edge_upto)
    columns = plan.columns.contiguous()
    out, lse = empty_outputs(q)
    grid = (triton.cdiv(queries, tile.rows), heads, batch)
    _attend[grid](
        q, k, v, out, lse,
        index.inner, index.inner_upto, edge, edge_upto, columns, index.columns_upto, index.bands,
        *q.stride()[:3], *k.stride()[:3], *v.stride()[:3],
        heads, queries, plan.keys, columns.shape[1], columns.shape[2], heads // k.shape[1], heads // columns.shape[1],
        scale * LOG2E, LN2,
        ROWS=tile.rows, KEYS=tile.keys, BLOCK=plan.query_block, EDGES=index.edge is not None,
        DIM=dim, WIDE=max(16, triton.next_power_of_2(dim)), EXACT=q.dtype == torch.float32,
        num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip
    return out, lse


def choose_tile(q: Tensor) -> Tile:
    """Pick the tile for q's head dimension and dtype."""
    wide = q.shape[-1] > 128 or q.dtype == torch.float32
    return Tile(64, 32 if wide else 64, 4, 2 if wide else 3)


@triton.jit
def _attend(
    q, k, v, out, lse, inner, inner_upto, edge, edge_upto, columns, columns_upto, bands,
    q_batch, q_head, q_row, k_batch, k_head, k_row, v_batch, v_head, v_row,
    heads, queries, keys, lists, longest, group, per, scale, ln2,
    ROWS: tl.constexpr, KEYS: tl.constexpr, BLOCK: tl.constexpr, EDGES: tl.constexpr,
    DIM: tl.constexpr, WIDE: tl.constexpr, EXACT: tl.constexpr,
):  # fmt: skip
    """One tile: ROWS rows of one head."""
    FRAME: tl.constexpr = BLOCK if BLOCK > ROWS else ROWS
    tile = tl.num_programs(0) - 1 - tl.program_id(0)  # long rows first
    head = tl.program_id(1).to(tl.int64)
    batch = tl.program_id(2).to(tl.int64)
    row = tile * ROWS + tl.arange(0, ROWS)
    dims = tl.arange(0, WIDE)
    inside = (row < queries)[:, None] & (dims < DIM)[None, :]
    q += batch * q_batch + head * q_head
    q_tile = tl.load(q + row[:, None].to(tl.int64) * q_row + dims[None, :], mask=inside, other=0.0)
    k += batch * k_batch + head // group * k_head
    v += batch * v_batch + head // group * v_head
    offset = keys - queries
    position = row + offset
    frame = tile * ROWS // FRAME * FRAME + offset  # position of the frame's first row
    lead = tile * ROWS + offset - frame  # rows of the frame before this tile
    base = frame + (position - frame) // BLOCK * BLOCK  # first position of each row's own block

    list_at = batch * lists + head // per
    size = keys + FRAME
    inner += list_at * size
    inner_upto += list_at * (size + 1)
    bands += list_at * (keys + BLOCK)
    begin = tl.load(inner_upto + keys - frame)  # keys before position 0 come first
    seen = tl.load(inner_upto + keys + lead + 1)  # the tile's first row, and so every row, sees keys up to here
    end = tl.load(inner_upto + keys + lead + ROWS)
    whole = begin + (seen - begin) // KEYS * KEYS

    high = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    acc = tl.zeros([ROWS, WIDE], tl.float32)
    step = tl.arange(0, KEYS)
    real_dims = (dims < DIM)[None, :]
    for start in range(begin, whole, KEYS):
        key = (frame + tl.load(inner + start + step)).to(tl.int64)
        if DIM == WIDE:
            k_tile = tl.load(k + key[:, None] * k_row + dims[None, :])
            v_tile = tl.load(v + key[:, None] * v_row + dims[None, :])
        else:
            k_tile = tl.load(k + key[:, None] * k_row + dims[None, :], mask=real_dims, other=0.0)
            v_tile = tl.load(v + key[:, None] * v_row + dims[None, :], mask=real_dims, other=0.0)
        scores = product(q_tile, tl.trans(k_tile), EXACT)
        high, total, acc = softmax_step(scores, v_tile, high, total, acc, scale, EXACT)
    for start in range(whole, end, KEYS):
        real = start + step < end
        key = (frame + tl.load(inner + start + step, mask=real, other=0)).to(tl.int64)
        real = real & (key < keys)
        k_tile = tl.load(k + key[:, None] * k_row + dims[None, :], mask=real[:, None] & real_dims, other=0.0)
        v_tile = tl.load(v + key[:, None] * v_row + dims[None, :], mask=real[:, None] & real_dims, other=0.0)
        scores = product(q_tile, tl.trans(k_tile), EXACT)
        allowed = real[None, :] & (key[None, :] <= position[:, None])
        high, total, acc = masked_softmax_step(scores, allowed, v_tile, high, total, acc, scale, EXACT)
    if EDGES:
        edge += list_at * size
        edge_upto += list_at * (size + 1)
        end = tl.load(edge_upto + keys + ROWS)
        for start in range(tl.load(edge_upto + keys - frame), end, KEYS):
            real = start + step < end
            key = (frame + tl.load(edge + start + step, mask=real, other=0)).to(tl.int64)
            real = real & (key < keys)
            k_tile = tl.load(k + key[:, None] * k_row + dims[None, :], mask=real[:, None] & real_dims, other=0.0)
            v_tile = tl.load(v + key[:, None] * v_row + dims[None, :], mask=real[:, None] & real_dims, other=0.0)
            scores = product(q_tile, tl.trans(k_tile), EXACT)
            allowed = real[None, :] & (key[None, :] <= position[:, None])
            place = key[None, :] - base[:, None] + keys
            allowed = allowed & (tl.load(bands + place, mask=allowed & (place >= 0), other=0) != 0)
            high, total, acc = masked_softmax_step(scores, allowed, v_tile, high, total, acc, scale, EXACT)
    columns += list_at * longest
    last = tl.minimum(tile * ROWS + offset + ROWS, keys)
    end = tl.load(columns_upto + list_at * (keys + 1) + last)
    for start in range(0, end, KEYS):
        real = start + step < end
        key = tl.load(columns + start + step, mask=real, other=0).to(tl.int64)
        k_tile = tl.load(k + key[:, None] * k_row + dims[None, :], mask=real[:, None] & real_dims, other=0.0)
        v_tile = tl.load(v + key[:, None] * v_row + dims[None, :], mask=real[:, None] & real_dims, other=0.0)
        if EDGES:
            allowed = real[None, :] & (key[None, :] <= position[:, None])
            place = key[None, :] - base[:, None] + keys
            allowed = allowed & (tl.load(bands + place, mask=allowed, other=0) == 0)
        else:
            alone = real & (tl.load(bands + key - frame + keys, mask=real, other=0) == 0)
            allowed = alone[None, :] & (key[None, :] <= position[:, None])
        scores = product(q_tile, tl.trans(k_tile), EXACT)
        high, total, acc = masked_softmax_step(scores, allowed, v_tile, high, total, acc, scale, EXACT)
    place = (batch * heads + head) * queries + row
    store_rows(out, lse, place, row, queries, dims, high, total, acc, ln2, DIM)
