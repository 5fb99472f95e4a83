# mypy: disallow-untyped-defs=False
"""Bands as runs and single keys in Triton: one launch sums lengths up, one each lists.

A band of a frame whose blocks differ leaves single keys before its runs and behind them. Those behind may reach into
the next band's, which begin later then; so they ascend, and none is listed twice.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from nl_tasks.kernels.band_runs import RUN
from nl_tasks.kernels.triton_expand import expand_upto

STEP = 1024  # bands that are summed up at a time


def band_runs_triton(
    starts: Tensor,
    ends: Tensor,
    counts: Tensor | None,
    keys: int,
    frame: int,
    grown: int,
    runs_width: int,
    rest_width: int,
) -> tuple[Tensor, Tensor]:
    """`band_runs` for GPUs."""
    starts, ends = starts.contiguous(), ends.contiguous()
    *shape, longest = starts.shape
    runs, runs_upto = torch.empty(2, *shape, longest, dtype=torch.int32, device=starts.device)
    rest, rest_upto = torch.empty(2, *shape, 2 * longest if grown else longest, dtype=torch.int32, device=starts.device)
    _sum_up[(starts.shape[:-1].numel(),)](
        starts, ends, starts if counts is None else counts.contiguous(), runs, runs_upto, rest, rest_upto,
        longest, shape[-1], keys, frame, grown,
        COUNTED=counts is not None, GROWN=grown > 0, RUN=RUN, STEP=STEP, num_warps=4,
    )  # fmt: skip
    return expand_upto(runs, runs_upto, runs_width, RUN), expand_upto(rest, rest_upto, rest_width, 1)


@triton.jit(do_not_specialize=["longest", "phases", "keys", "frame", "grown"])
def _sum_up(
    starts, ends, counts, runs, runs_upto, rest, rest_upto, longest, phases, keys, frame, grown,
    COUNTED: tl.constexpr, GROWN: tl.constexpr, RUN: tl.constexpr, STEP: tl.constexpr,
):  # fmt: skip
    """Begin of each band's runs and single keys, and running sums of both, of one row."""
    which = tl.program_id(0).to(tl.int64)
    real = longest
    if COUNTED:
        real = tl.load(counts + which // phases)
    runs_before, rest_before = tl.full([], 0, tl.int32), tl.full([], 0, tl.int32)
    for first in range(0, longest, STEP):
        place = first + tl.arange(0, STEP)
        inside, valid = place < longest, place < tl.minimum(longest, real)
        at = which * longest + place
        start = tl.load(starts + at, mask=inside, other=0)
        end = tl.load(ends + at, mask=inside, other=0)
        begin = start + grown
        length = tl.where(valid, tl.maximum(end - begin, 0), 0)
        count = length // RUN
        behind = begin + count * RUN
        tl.store(runs + at, begin, mask=inside)
        tl.store(runs_upto + at, runs_before + tl.cumsum(count, 0), mask=inside)
        runs_before += tl.sum(count, 0)
        if GROWN:
            taken = tl.load(ends + at - 1, mask=inside & (place > 0), other=-1073741824) + grown
            before = _within(tl.maximum(start, taken), keys, frame)
            behind_from = _within(behind, keys, frame)
            front = tl.where(valid, _within(begin, keys, frame) - before, 0)
            back = tl.where(valid, _within(end + grown, keys, frame) - behind_from, 0)
            upto = rest_before + tl.cumsum(front + back, 0)
            at += at
            tl.store(rest + at, before, mask=inside)
            tl.store(rest + at + 1, behind_from, mask=inside)
            tl.store(rest_upto + at, upto - back, mask=inside)
            tl.store(rest_upto + at + 1, upto, mask=inside)
            rest_before += tl.sum(front + back, 0)
        else:
            left = length % RUN
            tl.store(rest + at, behind, mask=inside)
            tl.store(rest_upto + at, rest_before + tl.cumsum(left, 0), mask=inside)
            rest_before += tl.sum(left, 0)


@triton.jit
def _within(place, keys, frame):
    return tl.minimum(tl.maximum(place, -keys), frame)
