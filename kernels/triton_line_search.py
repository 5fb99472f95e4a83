# mypy: disallow-untyped-defs=False
"""The nearest number of columns and diagonals in Triton: a launch a round, each finds its range from those before it.

A round counts the plans of 16 sizes, the ends of its range among them. Counts are integers, so that adding them up in
any order gives the same.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from nl_tasks.kernels.triton_line_entries import ROWS, STEP, WIDTH, residue_entries

SIZES = 16  # that are tried a round: the range is split into one part fewer


def nearest_size_triton(
    band_rank: Tensor, column_rank: Tensor, target: int, low: int, high: int, slashes: int
) -> Tensor:
    """`nearest_size` where queries and keys are as many."""
    batch, heads, keys = column_rank.shape
    rounds = rounds_of(high - low)
    found = torch.zeros(rounds, batch, SIZES, dtype=torch.int64, device=column_rank.device)
    sizes = torch.empty(batch, dtype=torch.int32, device=column_rank.device)
    band_rank, column_rank = band_rank.contiguous(), column_rank.contiguous()
    for done in range(rounds):
        _round[(ROWS // WIDTH, SIZES, batch * heads)](
            band_rank, column_rank, found, done, target, low, high, slashes, keys, heads, batch,
            ROWS=ROWS, STEP=STEP, WIDTH=WIDTH, SIZES=SIZES, num_warps=4,
        )  # fmt: skip
    _pick[(batch,)](found, sizes, rounds, target, low, high, SIZES=SIZES, num_warps=1)
    return sizes


def rounds_of(length: int) -> int:
    """Rounds after which the ends of a range of this length are neighbours."""
    rounds = 1
    while length > SIZES - 1:
        rounds, length = rounds + 1, -(-length // (SIZES - 1))
    return rounds


@triton.jit
def _narrowed(found, done, target, low, high, batch, row, SIZES: tl.constexpr):
    """The range of a row after `done` rounds, and the entries of the plans at its ends.

    It goes from the last size that fits to the first that does not; those at the ends of the round's range are not
    asked.
    """
    below, above = tl.full([], 0, tl.int64), tl.full([], 0, tl.int64)
    first, last = below + low, above + high
    place = tl.arange(0, SIZES)
    inner = (place > 0) & (place < SIZES - 1)
    for step in range(0, done):
        entries = tl.load(found + (step * batch + row) * SIZES + place)
        fits = tl.sum((inner & (entries <= target)).to(tl.int32), 0)
        below = tl.sum(tl.where(place == fits, entries, 0), 0)
        above = tl.sum(tl.where(place == fits + 1, entries, 0), 0)
        length = last - first
        last = first + length * (fits + 1) // (SIZES - 1)
        first = first + length * fits // (SIZES - 1)
    return first, last, below, above


@triton.jit
def size_to_try(found, done, target, low, high, batch, row, tried, SIZES: tl.constexpr):
    """The size that comes `tried`-th in the round after `done` rounds."""
    first, last, _, _ = _narrowed(found, done, target, low, high, batch, row, SIZES)
    return first + (last - first) * tried // (SIZES - 1)


@triton.jit
def nearest_tried(found, rounds, target, low, high, batch, row, SIZES: tl.constexpr):
    """The nearest size, once all rounds are done."""
    first, last, below, above = _narrowed(found, rounds, target, low, high, batch, row, SIZES)
    return tl.where(tl.abs(below - target) <= tl.abs(above - target), first, last)


@triton.jit(do_not_specialize=["done", "target", "low", "high", "slashes", "heads", "batch"])
def _round(
    band_rank, column_rank, found, done, target, low, high, slashes, keys, heads, batch,
    ROWS: tl.constexpr, STEP: tl.constexpr, WIDTH: tl.constexpr, SIZES: tl.constexpr,
):  # fmt: skip
    """Count what one head's plan of one size computes in WIDTH residues."""
    tried, which = tl.program_id(1), tl.program_id(2).to(tl.int64)
    row = which // heads
    size = size_to_try(found, done, target, low, high, batch, row, tried, SIZES).to(tl.int32)
    entries = residue_entries(band_rank, column_rank, size, tl.maximum(size, slashes), which, keys, ROWS, STEP, WIDTH)
    tl.atomic_add(found + (done * batch + row) * SIZES + tried, entries)


@triton.jit(do_not_specialize=["rounds", "target", "low", "high"])
def _pick(found, sizes, rounds, target, low, high, SIZES: tl.constexpr):
    row = tl.program_id(0)
    nearest = nearest_tried(found, rounds, target, low, high, tl.num_programs(0), row, SIZES)
    tl.store(sizes + row, nearest.to(tl.int32))
