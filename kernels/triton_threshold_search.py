# mypy: disallow-untyped-defs=False
"""The threshold whose blocks are nearest to a number of entries in Triton: rounds as in `triton_line_search`.

Every program looks its rows up for the threshold it tries, so that nothing but counts is kept between rounds.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from nl_tasks.kernels.triton_line_search import SIZES, nearest_tried, rounds_of, size_to_try
from nl_tasks.kernels.triton_search import entries_below

ROWS = 128  # of a program


def covering_blocks_triton(before: Tensor, available: Tensor, area: Tensor, target: int, steps: int) -> Tensor:
    """`covering_blocks` for GPUs, of `steps` thresholds."""
    batch, heads, rows, columns = before.shape
    rounds, parts = rounds_of(steps), triton.cdiv(heads * rows, ROWS)
    found = torch.zeros(rounds, batch, SIZES, dtype=torch.int64, device=before.device)
    kept = torch.empty(batch, heads, rows, dtype=torch.int32, device=before.device)
    given = before.contiguous(), available.contiguous(), area.contiguous(), found
    sizes = target, heads * rows, rows, columns, columns.bit_length()
    for done in range(rounds):
        _round[(parts, SIZES, batch)](*given, done, *sizes, STEPS=steps, ROWS=ROWS, SIZES=SIZES, num_warps=4)
    _count[(parts, batch)](*given, kept, rounds, *sizes, STEPS=steps, ROWS=ROWS, SIZES=SIZES, num_warps=4)
    return kept


@triton.jit
def _reached(before, available, step, at, inside, rows, columns, halvings, STEPS: tl.constexpr):
    """Blocks that the rows `at` keep at a step."""
    threshold = (step.to(tl.float64) / STEPS).to(tl.float32)
    below = entries_below(before + at.to(tl.int64) * columns, columns, threshold, inside, halvings)
    most = tl.load(available + at % rows, mask=inside, other=0).to(tl.int32)
    return tl.where(threshold >= 1, most, tl.minimum(below, most))


@triton.jit(do_not_specialize=["done", "target", "lists", "rows", "columns", "halvings"])
def _round(
    before, available, area, found, done, target, lists, rows, columns, halvings,
    STEPS: tl.constexpr, ROWS: tl.constexpr, SIZES: tl.constexpr,
):  # fmt: skip
    """Entries of the blocks that ROWS rows of one sequence keep at one step."""
    tried, batch, of = tl.program_id(1), tl.num_programs(2), tl.program_id(2)
    at = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    inside = at < lists
    before += of.to(tl.int64) * lists * columns
    step = size_to_try(found, done, target, 0, STEPS, batch, of, tried, SIZES)
    kept = _reached(before, available, step, at, inside, rows, columns, halvings, STEPS)
    entries = kept.to(tl.int64) * tl.load(area + at % rows, mask=inside, other=0)
    tl.atomic_add(found + (done * batch + of) * SIZES + tried, tl.sum(entries, 0))


@triton.jit(do_not_specialize=["rounds", "target", "lists", "rows", "columns", "halvings"])
def _count(
    before, available, area, found, kept, rounds, target, lists, rows, columns, halvings,
    STEPS: tl.constexpr, ROWS: tl.constexpr, SIZES: tl.constexpr,
):  # fmt: skip
    """Blocks that ROWS rows of one sequence keep at the step that was found."""
    batch, of = tl.num_programs(1), tl.program_id(1)
    at = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    inside = at < lists
    before += of.to(tl.int64) * lists * columns
    step = nearest_tried(found, rounds, target, 0, STEPS, batch, of, SIZES)
    step = tl.where(tl.load(found + of * SIZES + SIZES - 1) <= target, STEPS, step)  # the first round tries all
    counts = _reached(before, available, step, at, inside, rows, columns, halvings, STEPS)
    tl.store(kept + of.to(tl.int64) * lists + at, counts, mask=inside)
