# mypy: disallow-untyped-defs=False
"""Block-sparse attention in Triton: any GPU, blocks of 16 to 256, each tile of queries reads only the listed blocks.

Where the query heads of a group share their lists, several heads' rows are stacked into one tile, so that a block of
keys is loaded once for all of them; that also fills the matrix units when query blocks are small.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from nl_tasks.kernels.devices import narrow
from nl_tasks.kernels.plan import BlockPlan
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
    stacked = 1
    while stacked * 2 * part <= tile.rows and per % (stacked * 2) == 0:
        stacked *= 2
    keys = min(tile.keys, plan.key_block) if tile.descriptors else tile.keys
    wide = max(16, triton.next_power_of_2(dim))
    descriptors = tile.descriptors and all(describable(x) for x in (k, v))
    k_tiles, v_tiles = (described(x, keys, wide) if descriptors else x for x in (k, v))
    out, lse = empty_outputs(q)
    indices, counts = plan.indices.contiguous(), plan.counts.contiguous()
    tiles = triton.cdiv(queries, plan.query_block) * (plan.query_block // part)
    grid = (tiles * (group // stacked), k.shape[1], batch)
    _attend[grid](
        q, k, v, k_tiles, v_tiles, out, lse, indices, counts,
        *q.stride()[:3], *k.stride()[:3], *v.stride()[:3],
        heads, queries, plan.keys, indices.shape[1], indices.shape[2], indices.shape[3], group, per, scale * LOG2E, LN2,
        PART=part, STACKED=stacked, KEYS=keys, QUERY_BLOCK=plan.query_block, KEY_BLOCK=plan.key_block,
        NEAR=triton.next_power_of_2(triton.cdiv(plan.query_block, plan.key_block) + 1),
        DIM=dim, WIDE=wide, EXACT=q.dtype == torch.float32, TMA=descriptors,
        num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip
    return out, lse


def describable(x: Tensor) -> bool:
    """Whether the tensor memory accelerator can read x: base and strides in steps of 16 bytes, no broadcast."""
    steps = [stride * x.element_size() for stride in x.stride()[:-1]]
    return x.data_ptr() % 16 == 0 and all(step % 16 == 0 and step > 0 for step in steps)


def described(x: Tensor, rows: int, wide: int) -> TensorDescriptor:
    """Describe `[B, H, S, D]` x for loads of `rows` x `wide` tiles; what lies beyond S or D reads as zero."""
    return TensorDescriptor(x, list(x.shape), list(x.stride()), [1, 1, rows, wide])


def choose_tile(q: Tensor, plan: BlockPlan, per: int) -> Tile:
    """Pick the tile for q's head dimension and dtype, and a plan whose lists serve `per` query heads each."""
    rows = min(128, max(plan.query_block, 16) * (per if plan.query_block < 128 else 1))
    rows = 1 << (rows.bit_length() - 1)
    if narrow(q):
        return Tile(min(rows, 32), 16, 4, 2, descriptors=True)
    if q.shape[-1] > 128 or q.dtype == torch.float32:  # tiles of twice the size
        return Tile(min(rows, 64), 32, 4, 2, descriptors=plan.key_block >= 32)
    if rows == 128 and plan.key_block >= 128:
        return Tile(128, 128, 8, 2, descriptors=True)
    return Tile(rows, 64, 8 if rows == 128 else 4, 3, descriptors=plan.key_block >= 64)


@triton.jit(do_not_specialize=["heads", "queries", "keys", "lists", "list_rows", "longest", "group", "per"])
def _attend(
    q, k, v, k_tiles, v_tiles, out, lse, indices, counts,
    q_batch, q_head, q_row, k_batch, k_head, k_row, v_batch, v_head, v_row,
    heads, queries, keys, lists, list_rows, longest, group, per, scale, ln2,
    PART: tl.constexpr, STACKED: tl.constexpr, KEYS: tl.constexpr, QUERY_BLOCK: tl.constexpr, KEY_BLOCK: tl.constexpr,
    NEAR: tl.constexpr, DIM: tl.constexpr, WIDE: tl.constexpr, EXACT: tl.constexpr, TMA: tl.constexpr,
):  # fmt: skip
    """One tile: PART rows of STACKED heads of one KV head."""
    ways = group // STACKED
    # The last rows, which may have the longest lists, come first; heads of a group run side by side, sharing the cache.
    tile = tl.num_programs(0) // ways - 1 - tl.program_id(0) // ways
    kv = tl.program_id(1)
    batch = tl.program_id(2)
    head = kv * group + tl.program_id(0) % ways * STACKED
    inner = tl.arange(0, STACKED * PART)
    row = tile * PART + inner % PART  # of the queries
    of = (head + inner // PART).to(tl.int64)
    dims = tl.arange(0, WIDE)
    q += batch.to(tl.int64) * q_batch
    inside = (row < queries)[:, None] & (dims < DIM)[None, :]
    q_at = q + of[:, None] * q_head + row[:, None].to(tl.int64) * q_row + dims[None, :]
    q_tile = tl.load(q_at, mask=inside, other=0.0)
    position = row + keys - queries
    first = tile * PART + keys - queries

    at = (batch.to(tl.int64) * lists + head // per) * list_rows + tile * PART // QUERY_BLOCK
    count = tl.where(tile * PART < queries, tl.load(counts + at), 0)  # else none of the tile's rows is real
    listed = indices + at * longest
    # Lists ascend, so only their last entries can reach past the first row's position.
    near = count - 1 - tl.arange(0, NEAR)
    last = tl.load(listed + near, mask=near >= 0, other=0)
    cut = tl.sum(((near >= 0) & ((last + 1) * KEY_BLOCK > first + 1)).to(tl.int32), 0)
    whole = (count - cut) * KEY_BLOCK // KEYS * KEYS

    k += batch.to(tl.int64) * k_batch + kv.to(tl.int64) * k_head
    v += batch.to(tl.int64) * v_batch + kv.to(tl.int64) * v_head
    high = tl.full([STACKED * PART], float("-inf"), tl.float32)
    total = tl.zeros([STACKED * PART], tl.float32)
    acc = tl.zeros([STACKED * PART, WIDE], tl.float32)
    step = tl.arange(0, KEYS)
    for start in range(0, whole, KEYS):
        if KEYS <= KEY_BLOCK:
            base = tl.load(listed + start // KEY_BLOCK) * KEY_BLOCK + start % KEY_BLOCK
            if TMA:
                k_tile = k_tiles.load([batch, kv, base, 0]).reshape(KEYS, WIDE)
                v_tile = v_tiles.load([batch, kv, base, 0]).reshape(KEYS, WIDE)
            else:
                k_at = k + base.to(tl.int64) * k_row + (step[:, None] * k_row + dims[None, :])
                v_at = v + base.to(tl.int64) * v_row + (step[:, None] * v_row + dims[None, :])
        else:
            block = tl.load(listed + (start + step) // KEY_BLOCK).to(tl.int64)
            key = block * KEY_BLOCK + step % KEY_BLOCK
            k_at = k + key[:, None] * k_row + dims[None, :]
            v_at = v + key[:, None] * v_row + dims[None, :]
        if not TMA:
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
    place = (batch.to(tl.int64) * heads + of) * queries + row
    store_rows(out, lse, place, row, queries, dims, high, total, acc, ln2, DIM)
