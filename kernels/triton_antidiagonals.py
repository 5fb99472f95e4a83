# mypy: disallow-untyped-defs=False
"""Estimated attention between blocks in Triton: matrix products whose scores never reach memory.

One launch takes the softmax of each tile of group scores by itself and keeps its sums over key blocks and its
log-sum-exp; a second weighs the tiles of a row against each other. Sums have a fixed order: results repeat to the bit.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from nl_tasks.kernels.masked import scratch_bytes
from nl_tasks.kernels.triton_block_sparse import describable
from nl_tasks.kernels.triton_support import LOG2E, Tile, positive_scale, rows_contiguous

BYTES = 128  # of each row that a step of the product reads
NEAR = 16  # row tiles that walk the keys side by side, so that both stay in the cache
HELD = 4096  # numbers that a program of the second launch holds


def block_mass_triton(
    q: Tensor, k: Tensor, *, scale: float, block: int, stride: int, tile: Tile | None = None, walk: int = 1
) -> Tensor:
    """`block_mass` for GPUs. `tile` overrides the choice: its rows and keys are groups; `walk` tiles to a program."""
    q, scale = positive_scale(q, scale)
    q, k = rows_contiguous(q), rows_contiguous(k)
    tile = tile or choose_tile(q)
    batch, heads, queries, dim = q.shape
    keys, per, group = k.shape[2], block // stride, heads // k.shape[1]
    rows, columns = triton.cdiv(queries, block) * per, triton.cdiv(keys, block)
    span = max(tile.keys, per)  # key groups of a tile: whole blocks
    tiles = triton.cdiv(columns * per, span)
    depth = min(max(16, triton.next_power_of_2(dim)), BYTES // q.element_size())
    descriptors = tile.descriptors and min(queries, keys) >= stride and describable(q) and describable(k)
    q_groups, k_groups = (
        grouped(x, stride, side, depth) if descriptors else x for x, side in ((q, tile.rows), (k, span))
    )
    unit = max(tile.rows, per)
    step = min(triton.cdiv(rows, unit), max(1, scratch_bytes(q.device) // (4 * batch * heads * columns * unit))) * unit
    shares = torch.empty(batch, heads, step, tiles * span // per, dtype=torch.float32, device=q.device)
    lses = torch.empty(batch, heads, step, tiles, dtype=torch.float32, device=q.device)
    mass = torch.empty(batch, heads, rows // per, columns, dtype=torch.float32, device=q.device)
    near = max(1, NEAR // group)
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        seen = (min(stop * stride, queries) - 1 + keys - queries) // stride + 1  # key groups
        walks = triton.cdiv(seen, span * walk)
        bands = triton.cdiv(stop - start, tile.rows * near)
        _tiles[(bands * walks * near * group, k.shape[1], batch)](
            q, k, q_groups, k_groups, shares, lses, *q.stride()[:3], *k.stride()[:3],
            queries, keys, start, step, walks, near, group, tiles, scale / stride * LOG2E,
            ROWS=tile.rows, KEYS=span, PER=per, STRIDE=stride, DIM=dim, DEPTH=depth, WALK=walk,
            EXACT=q.dtype == torch.float32, TMA=descriptors, num_warps=tile.warps, num_stages=tile.stages,
        )  # fmt: skip
        _weigh[((stop - start) // per, heads, batch)](
            shares, lses, mass, queries, keys, start, step, tiles, rows // per, columns,
            PER=per, KEYS=span, STRIDE=stride, STEP=min(triton.next_power_of_2(columns), HELD // per), num_warps=4,
        )  # fmt: skip
    return mass


def choose_tile(q: Tensor) -> Tile:
    """Pick the tile for q's dtype."""
    if q.dtype == torch.float32:
        return Tile(64, 64, 4, 2)
    return Tile(128, 256, 8, 3, descriptors=True)


def grouped(x: Tensor, stride: int, side: int, depth: int) -> TensorDescriptor:
    """Describe `[B, H, T, D]` x for loads of `depth` of one row of `side` groups; only whole groups are in it."""
    shape, strides = list(x.shape), list(x.stride())
    shape[2:3], strides[2:3] = [stride, shape[2] // stride], [strides[2], strides[2] * stride]
    return TensorDescriptor(x, shape, strides, [1, 1, 1, side, depth])


@triton.jit
def _last_seen(row, queries, keys, STRIDE: tl.constexpr):
    """The last key group that each group of queries sees, -1 where there are no queries."""
    last = tl.minimum((row + 1) * STRIDE + keys - queries, keys) - 1
    return tl.where(row * STRIDE < queries, last // STRIDE, -1)


@triton.jit
def _walk(
    q, k, q_groups, k_groups, shares, lses, q_row, k_row, batch, head, kv, queries, keys, first, begin, end, scale,
    ROWS: tl.constexpr, KEYS: tl.constexpr, PER: tl.constexpr, STRIDE: tl.constexpr, DIM: tl.constexpr,
    DEPTH: tl.constexpr, WALK: tl.constexpr, EXACT: tl.constexpr, TMA: tl.constexpr,
):  # fmt: skip
    """Softmax of the tiles `begin` to `end` - 1, each by itself: sums over key blocks, and log-sum-exp (base 2)."""
    SPAN: tl.constexpr = KEYS // PER
    PIECES: tl.constexpr = (DIM + DEPTH - 1) // DEPTH
    row = first + tl.arange(0, ROWS)
    last = _last_seen(row, queries, keys, STRIDE)
    least = tl.min(last, 0)
    dims = tl.arange(0, DEPTH)
    q_at = q + (row * STRIDE).to(tl.int64)[:, None] * q_row + dims[None, :]
    for tile in tl.range(begin, end, flatten=WALK > 1):
        key = tile * KEYS + tl.arange(0, KEYS)
        k_at = k + (key * STRIDE).to(tl.int64)[:, None] * k_row + dims[None, :]
        scores = tl.zeros([ROWS, KEYS], tl.float32)
        for step in range(0, STRIDE * PIECES):
            ahead, piece = step // PIECES, step % PIECES * DEPTH
            behind = STRIDE - 1 - ahead
            if TMA:
                q_tile = q_groups.load([batch, head, ahead, first, piece]).reshape(ROWS, DEPTH)
                k_tile = k_groups.load([batch, kv, behind, tile * KEYS, piece]).reshape(KEYS, DEPTH)
            else:
                q_real, k_real = (row * STRIDE + ahead < queries)[:, None], (key * STRIDE + behind < keys)[:, None]
                if DIM % DEPTH != 0:
                    real_dims = (dims < DIM - piece)[None, :]
                    q_real, k_real = q_real & real_dims, k_real & real_dims
                q_tile = tl.load(q_at + (ahead * q_row + piece), mask=q_real, other=0.0)
                k_tile = tl.load(k_at + (behind * k_row + piece), mask=k_real, other=0.0)
            scores = tl.dot(q_tile, tl.trans(k_tile), scores, input_precision="ieee" if EXACT else "tf32")
        if tile * KEYS + KEYS - 1 > least:
            scores = tl.where(key[None, :] <= last[:, None], scores, float("-inf"))
        high = tl.max(scores, 1) * scale
        high = tl.where(high == float("-inf"), 0.0, high)  # -inf less -inf would be nan
        sums = tl.sum(tl.reshape(tl.math.exp2(scores * scale - high[:, None]), (ROWS, SPAN, PER)), 2)
        total = tl.sum(sums, 1)
        some = tl.where(total > 0, total, 1.0)
        tl.store(lses + tile, tl.where(total > 0, high + tl.math.log2(some), float("-inf")))
        tl.store(shares[:, None] + (tile * SPAN + tl.arange(0, SPAN))[None, :], sums * (1 / some)[:, None])


_ANY = ["queries", "keys", "first", "step", "walks", "near", "group", "tiles"]


@triton.jit(do_not_specialize=_ANY)  # one build for all lengths
def _tiles(
    q, k, q_groups, k_groups, shares, lses, q_batch, q_head, q_row, k_batch, k_head, k_row,
    queries, keys, first, step, walks, near, group, tiles, scale,
    ROWS: tl.constexpr, KEYS: tl.constexpr, PER: tl.constexpr, STRIDE: tl.constexpr, DIM: tl.constexpr,
    DEPTH: tl.constexpr, WALK: tl.constexpr, EXACT: tl.constexpr, TMA: tl.constexpr,
):  # fmt: skip
    """ROWS query groups of one head, of the `step` from `first` on, and WALK tiles of key groups."""
    at, kv, batch = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    head = kv * group + at % group
    at = at // group
    place = (at // (near * walks) * near + at % near) * ROWS
    begin = at // near % walks * WALK
    first += place
    final = tl.minimum(first + ROWS, tl.cdiv(queries, STRIDE)) - 1  # row
    end = tl.minimum(begin + WALK, _last_seen(final, queries, keys, STRIDE) // KEYS + 1)
    if (place >= step) | (first > final) | (begin >= end):
        return
    q += batch.to(tl.int64) * q_batch + head.to(tl.int64) * q_head
    k += batch.to(tl.int64) * k_batch + kv.to(tl.int64) * k_head
    stored = (batch.to(tl.int64) * tl.num_programs(1) * group + head) * step + place + tl.arange(0, ROWS)
    lses += stored * tiles
    shares += stored * tiles * (KEYS // PER)
    # Of a group cut short, TMA would read beyond the end.
    whole = (queries % STRIDE == 0) | ((first + ROWS) * STRIDE <= queries)
    whole = whole & ((keys % STRIDE == 0) | (end * KEYS * STRIDE <= keys))
    if TMA and whole:
        _walk(
            q, k, q_groups, k_groups, shares, lses, q_row, k_row, batch, head, kv, queries, keys, first,
            begin, end, scale, ROWS, KEYS, PER, STRIDE, DIM, DEPTH, WALK, EXACT, True,
        )  # fmt: skip
    else:
        _walk(
            q, k, q_groups, k_groups, shares, lses, q_row, k_row, batch, head, kv, queries, keys, first,
            begin, end, scale, ROWS, KEYS, PER, STRIDE, DIM, DEPTH, WALK, EXACT, False,
        )  # fmt: skip


@triton.jit(do_not_specialize=["queries", "keys", "first", "step", "tiles", "blocks", "columns"])
def _weigh(
    shares, lses, mass, queries, keys, first, step, tiles, blocks, columns,
    PER: tl.constexpr, KEYS: tl.constexpr, STRIDE: tl.constexpr, STEP: tl.constexpr,
):  # fmt: skip
    """One query block: its rows' log-sum-exp over all tiles, then the sums of their shares."""
    at, head, batch = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    head = batch * tl.num_programs(1) + head
    place = at * PER + tl.arange(0, PER)
    last = _last_seen(first + place, queries, keys, STRIDE)[:, None]
    lses += ((head * step + place) * tiles)[:, None]
    shares += ((head * step + place) * tiles * (KEYS // PER))[:, None]
    high = tl.full([PER], float("-inf"), tl.float32)
    total = tl.zeros([PER], tl.float32)
    AHEAD: tl.constexpr = 64 if STEP > 64 else STEP
    for start in range(0, tl.cdiv(tl.max(last) + 1, KEYS), AHEAD):
        tile = start + tl.arange(0, AHEAD)[None, :]
        part = tl.load(lses + tile, mask=tile * KEYS <= last, other=float("-inf"))
        new = tl.maximum(high, tl.max(part, 1))
        finite = tl.where(new == float("-inf"), 0.0, new)
        total = total * tl.math.exp2(high - finite) + tl.sum(tl.math.exp2(part - finite[:, None]), 1)
        high = new
    lse = tl.where(total > 0, high + tl.math.log2(tl.where(total > 0, total, 1.0)), 0.0)
    mass += (head * blocks + first // PER + at) * columns
    for start in range(0, columns, STEP):
        column = start + tl.arange(0, STEP)
        seen = column[None, :] * PER <= last
        part = tl.load(lses + column[None, :] * PER // KEYS, mask=seen, other=float("-inf"))
        share = tl.load(shares + column[None, :], mask=seen, other=0.0)
        tl.store(mass + column, tl.sum(tl.math.exp2(part - lse[:, None]) * share, 0), mask=column < columns)
