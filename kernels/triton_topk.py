# mypy: disallow-untyped-defs=False
"""The indices of the largest scores of each row, ascending, in one launch and without a sort.

Floats are compared as integers of the same order, and the smallest score that is still taken is found by narrowing an
interval: each pass over the row counts the scores above several thresholds at once. What remains is to write the
places of the scores above it, and of as many equal to it as are wanted, from the left.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

ONE_TILE = 16384  # scores that one program holds in registers
_STEP = 4096  # scores a step of longer rows


def top_indices(scores: Tensor, count: int) -> Tensor:
    """Return the indices of the `count` largest of `scores` `[..., n]` float32, ascending, `[..., count]` int32.

    Of equal scores the lower index wins. Rows must not hold nan.
    """
    size = scores.shape[-1]
    rows = scores.reshape(-1, size)
    out = torch.empty(len(rows), count, dtype=torch.int32, device=scores.device)
    chunks = triton.cdiv(size, ONE_TILE // 2)
    if size > ONE_TILE and chunks * count <= ONE_TILE:
        # The best of long rows are among the best of their parts, which fill the GPU better.
        among = torch.empty(len(rows), chunks * count, dtype=torch.int32, device=rows.device)
        select(rows, count, among, triton.cdiv(size, chunks), chunks)
        select(rows, count, out, chunks * count, among=among)
    elif count:
        select(rows, count, out, size)
    return out.view(*scores.shape[:-1], count)


def select(rows: Tensor, count: int, out: Tensor, size: int, chunks: int = 1, among: Tensor | None = None) -> None:
    """Write to `out` `[N, chunks * count]` the `count` best of each of `chunks` parts of `rows` `[N, n]`.

    Parts are `size` long, or the indices `among` `[N, size]`; a part with fewer entries than `count` is filled with -1.
    """
    whole = size <= ONE_TILE
    tile = max(16, triton.next_power_of_2(size)) if whole else _STEP
    _select[(chunks, len(rows))](
        rows, rows if among is None else among, out, rows.stride(0), size, rows.shape[1], count,
        TILE=tile, WHOLE=whole, AMONG=among is not None, WAYS=8,
        num_warps=4 if tile <= 1024 else 8 if tile <= 4096 else 16,
    )  # fmt: skip


@triton.jit
def ordered(x):
    """Integers in the order of the float32 `x`."""
    bits = tl.where(x == 0, 0.0, x).to(tl.int32, bitcast=True)  # -0 equals 0
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


@triton.jit
def keys_of(scores, among, start, stop, TILE: tl.constexpr, AMONG: tl.constexpr):
    """Integer scores of the candidates `start` and on, below `stop`, their indices, and which of them are real."""
    at = start + tl.arange(0, TILE)
    real = at < stop
    index = at
    if AMONG:
        index = tl.load(among + at, mask=real, other=0)
        real = real & (index >= 0)
    score = tl.load(scores + index, mask=real, other=float("-inf"))
    return ordered(score), index, real


@triton.jit
def count_from(key, real, levels):
    """How many of the real keys reach each of `levels`, int32."""
    return tl.sum(((key[:, None] >= levels[None, :]) & real[:, None]).to(tl.int32), 0)


@triton.jit
def narrow(low, high, levels, counts, wanted):
    """The part of the interval in which the count passes `wanted`; one step if a level counts just that."""
    enough = counts >= wanted
    low = tl.maximum(low, tl.max(tl.where(enough, levels, -0x80000000)))
    high = tl.minimum(high, tl.min(tl.where(enough, 0x80000000, levels.to(tl.int64))))
    exact = tl.max(tl.where(counts == wanted, levels, -0x80000000))
    found = tl.sum((counts == wanted).to(tl.int32)) > 0
    low = tl.where(found, exact.to(tl.int64), low)
    high = tl.where(found, exact.to(tl.int64) + 1, high)
    return low, high


@triton.jit
def spaced(low, high, WAYS: tl.constexpr):
    """Levels that cut the interval into WAYS + 1 parts, int32."""
    step = (high - low + WAYS) // (WAYS + 1)
    levels = low + (tl.arange(0, WAYS) + 1) * step
    return tl.minimum(levels, 0x7FFFFFFF).to(tl.int32)


@triton.jit
def write_chosen(key, index, real, low, room, out, written):
    """Write the indices of keys over `low`, and of those equal to it as far as `room` goes; return both left over."""
    over = real & (key > low)
    equal = real & (key == low)
    # Both counts in one scan: they stay below 2**15.
    upto = tl.cumsum(over.to(tl.int32) * 65536 + equal.to(tl.int32), 0)
    equal_before = (upto & 65535) - equal.to(tl.int32)
    over_before = (upto >> 16) - over.to(tl.int32)
    chosen = over | (equal & (equal_before < room))
    place = written + over_before + tl.minimum(equal_before, room)
    tl.store(out + place, index, mask=chosen)
    equals = tl.minimum(tl.sum(equal.to(tl.int32)), room)
    return written + tl.sum(over.to(tl.int32)) + equals, room - equals


@triton.jit
def choose(
    scores, among, out, start, stop, count,
    TILE: tl.constexpr, WHOLE: tl.constexpr, AMONG: tl.constexpr, WAYS: tl.constexpr,
):  # fmt: skip
    """Write the indices of the `count` largest of the candidates from `start` to `stop` of a row (WHOLE: one tile)."""
    low = tl.full([], 0x7FFFFFFF, tl.int64)
    high = tl.full([], -0x80000000, tl.int64)
    if WHOLE:
        key, index, real = keys_of(scores, among, start, stop, TILE, AMONG)
        low = tl.min(tl.where(real, key, 0x7FFFFFFF)).to(tl.int64)
        high = tl.max(tl.where(real, key, -0x7FFFFFFF)).to(tl.int64) + 1
        while high - low > 1:
            levels = spaced(low, high, WAYS)
            low, high = narrow(low, high, levels, count_from(key, real, levels), count)
        room = count - tl.sum((real & (key > low)).to(tl.int32))
        write_chosen(key, index, real, low, room, out, 0)
    else:
        for at in range(start, stop, TILE):
            key, index, real = keys_of(scores, among, at, stop, TILE, AMONG)
            low = tl.minimum(low, tl.min(tl.where(real, key, 0x7FFFFFFF)).to(tl.int64))
            high = tl.maximum(high, tl.max(tl.where(real, key, -0x7FFFFFFF)).to(tl.int64))
        high += 1
        while high - low > 1:
            levels = spaced(low, high, WAYS)
            counts = tl.zeros([WAYS], tl.int32)
            for at in range(start, stop, TILE):
                key, index, real = keys_of(scores, among, at, stop, TILE, AMONG)
                counts += count_from(key, real, levels)
            low, high = narrow(low, high, levels, counts, count)
        over = tl.full([], 0, tl.int32)
        for at in range(start, stop, TILE):
            key, index, real = keys_of(scores, among, at, stop, TILE, AMONG)
            over += tl.sum((real & (key > low)).to(tl.int32))
        room = count - over
        written = tl.full([], 0, tl.int32)
        for at in range(start, stop, TILE):
            key, index, real = keys_of(scores, among, at, stop, TILE, AMONG)
            written, room = write_chosen(key, index, real, low, room, out, written)


@triton.jit(do_not_specialize=["score_row", "size", "length", "count"])
def _select(
    scores, among, out, score_row, size, length, count,
    TILE: tl.constexpr, WHOLE: tl.constexpr, AMONG: tl.constexpr, WAYS: tl.constexpr,
):  # fmt: skip
    """One part of one row: its `count` best, or all and then -1 if it has fewer."""
    row, part = tl.program_id(1).to(tl.int64), tl.program_id(0)
    start = part * size
    stop = size
    if not AMONG:
        stop = tl.minimum(start + size, length)
    wanted = tl.maximum(0, tl.minimum(count, stop - start))
    out += (row * tl.num_programs(0) + part) * count
    if wanted > 0:
        choose(scores + row * score_row, among + row * size, out, start, stop, wanted, TILE, WHOLE, AMONG, WAYS)
    for at in range(wanted, count, TILE):
        place = at + tl.arange(0, TILE)
        tl.store(out + place, -1, mask=place < count)
