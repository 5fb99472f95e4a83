# mypy: disallow-untyped-defs=False
"""The indices of the largest scores of each row, ascending, in one launch and without a sort.

Floats are compared as integers of the same order, and the smallest score that is still taken is found by narrowing an
interval: each pass over the row counts the scores above three thresholds at once. What remains is to write the
places of the scores above it, and of as many equal to it as are wanted, from the left.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

ONE_TILE = 16384  # scores that one program holds in registers
_STEP = 4096  # scores a step of longer rows
_PARTS = (1024, 2048, 4096, 8192)  # lengths into which rows may be cut
_LAUNCH = 1024  # what a launch costs, in scores held by a program


def top_indices(scores: Tensor, count: int) -> Tensor:
    """Return the indices of the `count` largest of `scores` `[..., n]` float32, ascending, `[..., count]` int32.

    Of equal scores the lower index wins. Rows must not hold nan.
    """
    size = scores.shape[-1]
    rows = scores.reshape(-1, size)
    out = torch.empty(len(rows), count, dtype=torch.int32, device=scores.device)
    if among := best_of_parts(rows, count):
        select(rows, count, out, among[0].shape[1], among=among[0])
    elif size > ONE_TILE:
        select_long(rows, count, out)
    elif count:
        select(rows, count, out, size)
    return out.view(*scores.shape[:-1], count)


def best_of_parts(rows: Tensor, count: int) -> tuple[Tensor] | tuple[()]:
    """The `count` best of each part of `rows` `[N, n]`, where cutting rows pays: their indices, and -1 for none.

    The best of a row are among them, and many programs find them at once.
    """
    size = rows.shape[1]
    best, part = (size if size <= ONE_TILE else 2 * ONE_TILE), 0
    for length in _PARTS:
        chunks = triton.cdiv(size, length)
        if chunks > 1 and 0 < chunks * count <= ONE_TILE and length + chunks * count + _LAUNCH < best:
            best, part = length + chunks * count + _LAUNCH, length
    if not part:
        return ()
    chunks = triton.cdiv(size, part)
    among = torch.empty(len(rows), chunks * count, dtype=torch.int32, device=rows.device)
    select(rows, count, among, triton.cdiv(size, chunks), chunks)
    return (among,)


def select_long(rows: Tensor, count: int, out: Tensor) -> None:
    """As `top_indices`, of `rows` `[N, n]` of any length into the first `count` columns of `out` `[N, count or more]`.

    torch finds the smallest score that is taken, with all the GPU; then parts count what they hold, and write it.
    """
    least = rows.topk(count, sorted=False).values.amin(1)
    parts = triton.cdiv(rows.shape[1], _STEP)
    tally = torch.empty(len(rows), parts, 2, dtype=torch.int32, device=rows.device)
    for write in (False, True):
        _write_part[(parts, len(rows))](
            rows, least, tally, out, rows.stride(0), out.stride(0), rows.shape[1], count, parts,
            WRITE=write, TILE=_STEP, PARTS=triton.next_power_of_2(parts), num_warps=8,
        )  # fmt: skip


def select(rows: Tensor, count: int, out: Tensor, size: int, chunks: int = 1, among: Tensor | None = None) -> None:
    """Write to `out` `[N, chunks * count]` the `count` best of each of `chunks` parts of `rows` `[N, n]`.

    Parts are `size` long, or the indices `among` `[N, size]`; a part with fewer entries than `count` is filled with -1.
    """
    whole = size <= ONE_TILE
    tile = max(16, triton.next_power_of_2(size)) if whole else _STEP
    _select[(chunks, len(rows))](
        rows, rows if among is None else among, out, rows.stride(0), size, rows.shape[1], count,
        TILE=tile, WHOLE=whole, AMONG=among is not None,
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
def level(low, step, which: tl.constexpr):
    """One of the three levels between `low` and the interval's end, `step` apart."""
    return tl.minimum(low + which * step, 0x7FFFFFFF)


@triton.jit
def counts_from(key, real, low, step):
    """How many of the real keys reach each of the three levels: 20 bits each, so that one sum does."""
    first = real & (key >= level(low, step, 1).to(tl.int32))
    second = real & (key >= level(low, step, 2).to(tl.int32))
    third = real & (key >= level(low, step, 3).to(tl.int32))
    return tl.sum(first.to(tl.int64) + (second.to(tl.int64) << 20) + (third.to(tl.int64) << 40), 0)


@triton.jit
def narrow(low, high, step, counts, wanted):
    """The part of the interval in which the count passes `wanted`; one step if a level counts just that."""
    first, second, third = counts & 0xFFFFF, (counts >> 20) & 0xFFFFF, counts >> 40
    one, two, three = level(low, step, 1), level(low, step, 2), level(low, step, 3)
    high = tl.where(third < wanted, three, high)
    high = tl.where(second < wanted, two, high)
    high = tl.where(first < wanted, one, high)
    low = tl.where(first >= wanted, one, low)
    low = tl.where(second >= wanted, two, low)
    low = tl.where(third >= wanted, three, low)
    exact = (first == wanted) | (second == wanted) | (third == wanted)
    return low, tl.where(exact, low + 1, high)


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
    TILE: tl.constexpr, WHOLE: tl.constexpr, AMONG: tl.constexpr,
):  # fmt: skip
    """Write the indices of the `count` largest of the candidates from `start` to `stop` of a row (WHOLE: one tile)."""
    low = tl.full([], 0x7FFFFFFF, tl.int64)
    high = tl.full([], -0x80000000, tl.int64)
    if WHOLE:
        key, index, real = keys_of(scores, among, start, stop, TILE, AMONG)
        low = tl.min(tl.where(real, key, 0x7FFFFFFF)).to(tl.int64)
        high = tl.max(tl.where(real, key, -0x7FFFFFFF)).to(tl.int64) + 1
        high = tl.where(count >= stop - start, low + 1, high)
        while high - low > 1:
            step = (high - low + 3) // 4
            low, high = narrow(low, high, step, counts_from(key, real, low, step), count)
        room = count - tl.sum((real & (key > low)).to(tl.int32))
        write_chosen(key, index, real, low, room, out, 0)
    else:
        for at in range(start, stop, TILE):
            key, index, real = keys_of(scores, among, at, stop, TILE, AMONG)
            low = tl.minimum(low, tl.min(tl.where(real, key, 0x7FFFFFFF)).to(tl.int64))
            high = tl.maximum(high, tl.max(tl.where(real, key, -0x7FFFFFFF)).to(tl.int64))
        high = tl.where(count >= stop - start, low + 1, high + 1)
        while high - low > 1:
            step = (high - low + 3) // 4
            counts = tl.full([], 0, tl.int64)
            for at in range(start, stop, TILE):
                key, index, real = keys_of(scores, among, at, stop, TILE, AMONG)
                counts += counts_from(key, real, low, step)
            low, high = narrow(low, high, step, counts, count)
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
    TILE: tl.constexpr, WHOLE: tl.constexpr, AMONG: tl.constexpr,
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
        choose(scores + row * score_row, among + row * size, out, start, stop, wanted, TILE, WHOLE, AMONG)
    for at in range(wanted, count, TILE):
        place = at + tl.arange(0, TILE)
        tl.store(out + place, -1, mask=place < count)


@triton.jit(do_not_specialize=["score_row", "out_row", "length", "count", "parts"])
def _write_part(
    scores, least, tally, out, score_row, out_row, length, count, parts,
    WRITE: tl.constexpr, TILE: tl.constexpr, PARTS: tl.constexpr,
):  # fmt: skip
    """One part of a row: count what is above the smallest score taken, and what equals it; or write what is taken."""
    row, part = tl.program_id(1).to(tl.int64), tl.program_id(0)
    key, index, real = keys_of(scores + row * score_row, scores, part * TILE, length, TILE, False)
    low = ordered(tl.load(least + row))
    at = tl.arange(0, PARTS)
    tally += row * parts * 2
    if WRITE:
        over = tl.load(tally + at * 2, mask=at < parts, other=0)
        equal = tl.load(tally + at * 2 + 1, mask=at < parts, other=0)
        room = count - tl.sum(over)  # for those that equal it, the earlier first
        equal_before = tl.minimum(tl.sum(tl.where(at < part, equal, 0)), room)
        written = tl.sum(tl.where(at < part, over, 0)) + equal_before
        write_chosen(key, index, real, low, room - equal_before, out + row * out_row, written)
    else:
        tl.store(tally + part * 2, tl.sum((real & (key > low)).to(tl.int32)))
        tl.store(tally + part * 2 + 1, tl.sum((real & (key == low)).to(tl.int32)))
