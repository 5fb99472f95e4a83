# mypy: disallow-untyped-defs=False
"""Block-sparse attention in Triton: any GPU, blocks of 16 to 256, each tile of queries reads only the listed blocks.

Where the query heads of a group share their lists, several heads' rows are stacked into one tile, so that a block of
keys is loaded once for all of them; that also fills the matrix units when query blocks are small.
"""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from nl_tasks.kernels.plan import BlockPlan
from nl_tasks.kernels.provider import kernel
from nl_tasks.kernels.triton_support import (
    LN2,
    LOG2E,
    can_run,
    empty_outputs,
    is_power_of_two,
    masked_softmax_step,
    positive_scale,
    product,
    rows_contiguous,
    softmax_step,
)


@dataclass(frozen=True)
class Tile:
    """How a program runs: rows of queries (of all stacked heads), keys a step, warps, loads in flight."""

    rows: int
    keys: int
    warps: int
    stages: int


def usable(q: Tensor, plan: BlockPlan) -> bool:
    """Power-of-two blocks of at least 16, head dimensions up to 256."""
    blocks = (plan.query_block, plan.key_block)
    return can_run(q) and q.shape[-1] <= 256 and all(is_power_of_two(block) and block >= 16 for block in blocks)


@kernel(BlockPlan, "triton", usable)
def block_sparse_triton(
    q: Tensor, k: Tensor, v: Tensor, plan: BlockPlan, *, scale: float, tile: Tile | None = None
) -> tuple[Tensor, Tensor]:
    """Attention over the listed blocks; shapes as in `AttentionKernel`. `tile` overrides what is chosen for the GPU."""
    q, scale = positive_scale(q, scale)
    q, k, v = (rows_contiguous(x) for x in (q, k, v))
    batch, heads, queries, dim = q.shape
    group, per = heads // k.shape[1], heads // plan.indices.shape[1]
    tile = tile or choose_tile(q, plan, per)
    part = min(plan.query_block, tile.rows)  # rows of one head in a tile
    stacked = max(1, min(per, tile.rows // part))
    while per % stacked:
        stacked -= 1
    stacked = 1 << (stacked.bit_length() - 1)  # a power of two that divides `per`
    while per % stacked:
        stacked //= 2
    out, lse = empty_outputs(q)
    indices, counts = plan.indices.contiguous(), plan.counts.contiguous()
    tiles = triton.cdiv(queries, plan.query_block) * (plan.query_block // part)
    grid = (tiles * (group // stacked), k.shape[1], batch)
    _attend[grid](
        q, k, v, out, lse, indices, counts,
        *q.stride()[:3], *k.stride()[:3], *v.stride()[:3],
        heads, queries, plan.keys, indices.shape[1], indices.shape[2], indices.shape[3], group, per, scale * LOG2E, LN2,
        PART=part, STACKED=stacked, KEYS=tile.keys, QUERY_BLOCK=plan.query_block, KEY_BLOCK=plan.key_block,
        NEAR=triton.next_power_of_2(triton.cdiv(plan.query_block, plan.key_block) + 1),
        DIM=dim, WIDE=max(16, triton.next_power_of_2(dim)), EXACT=q.dtype == torch.float32,
        num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip
    return out, lse


def choose_tile(q: Tensor, plan: BlockPlan, per: int) -> Tile:
    """Pick the tile for q's head dimension and dtype, and a plan whose lists serve `per` query heads each."""
    rows = min(128, max(plan.query_block, 16) * (per if plan.query_block < 128 else 1))
    rows = 1 << (rows.bit_length() - 1)
    wide = q.shape[-1] > 128 or q.dtype == torch.float32
    if wide:
        rows = min(rows, 64)
    keys = min(max(plan.key_block, 64), 32 if wide else 64)
    return Tile(rows, keys, 4, 2)


@triton.jit
def _attend(
    q, k, v, out, lse, indices, counts,
    q_batch, q_head, q_row, k_batch, k_head, k_row, v_batch, v_head, v_row,
    heads, queries, keys, lists, list_rows, longest, group, per, scale, ln2,
    PART: tl.constexpr, STACKED: tl.constexpr, KEYS: tl.constexpr, QUERY_BLOCK: tl.constexpr, KEY_BLOCK: tl.constexpr,
    NEAR: tl.constexpr, DIM: tl.constexpr, WIDE: tl.constexpr, EXACT: tl.constexpr,
):  # fmt: skip
    """One tile: PART rows of STACKED heads of one KV head."""
    ways = group // STACKED
    # The last rows, which may have the longest lists, come first; heads of a group run side by side, sharing the cache.
    tile = tl.num_programs(0) // ways - 1 - tl.program_id(0) // ways
    kv = tl.program_id(1)
    batch = tl.program_id(2).to(tl.int64)
    head = kv * group + tl.program_id(0) % ways * STACKED
    inner = tl.arange(0, STACKED * PART)
    row = tile * PART + inner % PART  # of the queries
    of = head + inner // PART
    dims = tl.arange(0, WIDE)
    inside = (row < queries)[:, None] & (dims < DIM)[None, :]
    q_tile = tl.load(
        q + batch * q_batch + of[:, None].to(tl.int64) * q_head + row[:, None].to(tl.int64) * q_row + dims[None, :],
        mask=inside, other=0.0,
    )  # fmt: skip
    position = row + keys - queries
    first = tile * PART + keys - queries

    at = (batch * lists + head // per) * list_rows + tile * PART // QUERY_BLOCK
    count = tl.load(counts + at)
    listed = indices + at * longest
    # Lists ascend, so only their last entries can reach past the first row's position.
    near = count - 1 - tl.arange(0, NEAR)
    last = tl.load(listed + near, mask=near >= 0, other=0)
    cut = tl.sum(((near >= 0) & ((last + 1) * KEY_BLOCK > first + 1)).to(tl.int32), 0)
    whole = (count - cut) * KEY_BLOCK // KEYS * KEYS

    k += batch * k_batch + kv.to(tl.int64) * k_head
    v += batch * v_batch + kv.to(tl.int64) * v_head
    high = tl.full([STACKED * PART], float("-inf"), tl.float32)
    total = tl.zeros([STACKED * PART], tl.float32)
    acc = tl.zeros([STACKED * PART, WIDE], tl.float32)
    step = tl.arange(0, KEYS)
    for start in range(0, whole, KEYS):
        if KEYS <= KEY_BLOCK:
            base = tl.load(listed + start // KEY_BLOCK).to(tl.int64) * KEY_BLOCK + start % KEY_BLOCK
            k_at = k + base * k_row + (step[:, None] * k_row + dims[None, :])
            v_at = v + base * v_row + (step[:, None] * v_row + dims[None, :])
        else:
            block = tl.load(listed + (start + step) // KEY_BLOCK).to(tl.int64)
            key = block * KEY_BLOCK + step % KEY_BLOCK
            k_at = k + key[:, None] * k_row + dims[None, :]
            v_at = v + key[:, None] * v_row + dims[None, :]
        if DIM == WIDE:
            k_tile, v_tile = tl.load(k_at), tl.load(v_at)
        else:
            k_tile = tl.load(k_at, mask=(dims < DIM)[None, :], other=0.0)
            v_tile = tl.load(v_at, mask=(dims < DIM)[None, :], other=0.0)
        scores = product(q_tile, tl.trans(k_tile), EXACT)
        high, total, acc = softmax_step(scores, v_tile, high, total, acc, scale, EXACT)
    for start in range(whole, count * KEY_BLOCK, KEYS):
        place = start + step
        real = place < count * KEY_BLOCK
        key = tl.load(listed + place // KEY_BLOCK, mask=real, other=0).to(tl.int64) * KEY_BLOCK + place % KEY_BLOCK
        real = real & (key < keys)
        loaded = real[:, None] & (dims < DIM)[None, :]
        k_tile = tl.load(k + key[:, None] * k_row + dims[None, :], mask=loaded, other=0.0)
        v_tile = tl.load(v + key[:, None] * v_row + dims[None, :], mask=loaded, other=0.0)
        scores = product(q_tile, tl.trans(k_tile), EXACT)
        allowed = real[None, :] & (key[None, :] <= position[:, None])
        high, total, acc = masked_softmax_step(scores, allowed, v_tile, high, total, acc, scale, EXACT)

    some = total > 0
    acc = acc / tl.where(some, total, 1.0)[:, None]
    found = tl.where(some, (high + tl.math.log2(tl.where(some, total, 1.0))) * ln2, float("-inf"))
    place = (batch * heads + of) * queries + row
    tl.store(lse + place, found, mask=row < queries)
    tl.store(out + place[:, None] * DIM + dims[None, :], acc.to(out.dtype.element_ty), mask=inside)
