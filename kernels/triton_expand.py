# mypy: disallow-untyped-defs=False
"""Turning intervals into lists in Triton: each place of a list searches for its interval."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from nl_tasks.kernels.compact import BEYOND
from nl_tasks.kernels.triton_search import entries_below

PIECE = 512  # places of a program


def expand_triton(starts: Tensor, lengths: Tensor, width: int, step: int) -> Tensor:
    """`expand` for GPUs."""
    return expand_upto(starts.contiguous(), lengths.cumsum(-1, dtype=torch.int32), width, step)


def expand_upto(starts: Tensor, upto: Tensor, width: int, step: int) -> Tensor:
    """`expand` from the running sum of the lengths; `starts`, `upto` `[..., N]` int32, contiguous."""
    longest, shape = starts.shape[-1], starts.shape[:-1]
    listed = torch.empty(*shape, width, dtype=torch.int32, device=starts.device)
    _expand[(triton.cdiv(width, PIECE), shape.numel())](
        starts, upto, listed, longest, width, step, longest.bit_length(), BEYOND=BEYOND, PIECE=PIECE, num_warps=4
    )
    return listed


@triton.jit(do_not_specialize=["longest", "width", "step", "rounds"])
def _expand(
    starts, upto, listed, longest, width, step, rounds, BEYOND: tl.constexpr, PIECE: tl.constexpr
):  # fmt: skip
    which = tl.program_id(1).to(tl.int64)
    starts += which * longest
    upto += which * longest
    place = tl.program_id(0) * PIECE + tl.arange(0, PIECE)
    value = tl.full([PIECE], BEYOND, tl.int32)
    total = tl.load(upto + longest - 1)
    if tl.program_id(0) * PIECE < total:  # most lists are mostly padding
        real = place < total
        interval = entries_below(upto, longest, place + 1, real, rounds)
        start = tl.load(starts + interval, mask=real, other=0)
        before = tl.load(upto + interval - 1, mask=real & (interval > 0), other=0)
        value = tl.where(real, start + step * (place - before), value)
    tl.store(listed + which * width + place, value, mask=place < width)
