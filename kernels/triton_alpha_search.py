# mypy: disallow-untyped-defs=False
"""The share of attention nearest to a number of entries in Triton: rounds as in `triton_line_search`, one launch each.

Every program finds its head's sizes for the share it tries, so that nothing but counts is kept between rounds.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from nl_tasks.kernels.triton_line_entries import ROWS, STEP, WIDTH, residue_entries
from nl_tasks.kernels.triton_line_search import SIZES, nearest_tried, rounds_of, size_to_try


def covering_sizes_triton(
    band_rank: Tensor, column_rank: Tensor, mass: Tensor, target: int, low: int, least: int, slashes: int, steps: int
) -> Tensor:
    """`covering_sizes` where queries and keys are as many, for the steps from `low` to `steps`."""
    batch, heads, keys = column_rank.shape
    rounds = rounds_of(steps - low)
    found = torch.zeros(rounds, batch, SIZES, dtype=torch.int64, device=column_rank.device)
    sizes = torch.empty(2, batch, heads, dtype=torch.int32, device=column_rank.device)
    band_rank, column_rank, mass = band_rank.contiguous(), column_rank.contiguous(), mass.contiguous()
    for done in range(rounds):
        _round[(ROWS // WIDTH, SIZES, batch * heads)](
            band_rank, column_rank, mass, found, done, target, low, least, slashes, keys, heads, batch,
            STEPS=steps, ROWS=ROWS, STEP=STEP, WIDTH=WIDTH, SIZES=SIZES, num_warps=4,
        )  # fmt: skip
    _pick[(batch * heads,)](
        mass, found, sizes, rounds, target, low, least, slashes, keys, heads, batch,
        STEPS=steps, SIZES=SIZES, num_warps=1,
    )  # fmt: skip
    return sizes


@triton.jit
def _needed(mass, step, keys, STEPS: tl.constexpr):
    """How many of a head's lines reach step / STEPS of their cumulative mass; halves as torch.searchsorted does."""
    reached = tl.load(mass + keys - 1) * (step.to(tl.float64) / STEPS)
    low = tl.full([], 0, tl.int32)
    high = low + keys
    while low < high:
        middle = (low + high) // 2
        enough = tl.load(mass + middle) >= reached
        low = tl.where(enough, low, middle + 1)
        high = tl.where(enough, middle, high)
    return tl.where(step >= STEPS, keys, tl.minimum(low + 1, keys))


@triton.jit
def _sizes(mass, step, least, slashes, which, lists, keys, STEPS: tl.constexpr):
    """Columns and diagonals that head `which` of `lists` keeps at a step."""
    fewest = (least + tl.minimum(step, 0)).to(tl.int32)
    vertical = _needed(mass + which * keys, step, keys, STEPS)
    slash = _needed(mass + (lists + which) * keys, step, keys, STEPS)
    return tl.maximum(vertical, fewest), tl.maximum(slash, tl.maximum(fewest, slashes))


@triton.jit(do_not_specialize=["done", "target", "low", "least", "slashes", "heads", "batch"])
def _round(
    band_rank, column_rank, mass, found, done, target, low, least, slashes, keys, heads, batch,
    STEPS: tl.constexpr, ROWS: tl.constexpr, STEP: tl.constexpr, WIDTH: tl.constexpr, SIZES: tl.constexpr,
):  # fmt: skip
    """Count what one head's plan of one step computes in WIDTH residues."""
    tried, which = tl.program_id(1), tl.program_id(2).to(tl.int64)
    row = which // heads
    step = size_to_try(found, done, target, low, STEPS, batch, row, tried, SIZES)
    vertical, slash = _sizes(mass, step, least, slashes, which, tl.num_programs(2), keys, STEPS)
    entries = residue_entries(band_rank, column_rank, vertical, slash, which, keys, ROWS, STEP, WIDTH)
    tl.atomic_add(found + (done * batch + row) * SIZES + tried, entries)


@triton.jit(do_not_specialize=["rounds", "target", "low", "least", "slashes", "keys", "heads", "batch"])
def _pick(
    mass, found, sizes, rounds, target, low, least, slashes, keys, heads, batch,
    STEPS: tl.constexpr, SIZES: tl.constexpr,
):  # fmt: skip
    which, lists = tl.program_id(0).to(tl.int64), tl.num_programs(0)
    row = which // heads
    step = nearest_tried(found, rounds, target, low, STEPS, batch, row, SIZES)
    step = tl.where(tl.load(found + row * SIZES + SIZES - 1) <= target, STEPS, step)  # the first round tries all
    vertical, slash = _sizes(mass, step, least, slashes, which, lists, keys, STEPS)
    tl.store(sizes + which, vertical)
    tl.store(sizes + lists + which, slash)
