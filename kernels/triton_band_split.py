# mypy: disallow-untyped-defs=False
"""Splitting bands between two kernels in Triton, all in one launch."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from nl_tasks.kernels.band_split import BLOCK, HALF

STEP = 256  # bands of a program


def band_split_triton(starts: Tensor, ends: Tensor, bands: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`band_split` for GPUs."""
    batch, heads, longest = starts.shape
    back, lengths = torch.empty(2, batch, heads, longest, dtype=torch.int32, device=starts.device)
    rest_starts, rest_ends = torch.empty(2, batch, heads, 2, 2 * longest, dtype=torch.int32, device=starts.device)
    _split[(triton.cdiv(longest, STEP), batch * heads)](
        starts.contiguous(), ends.contiguous(), bands.contiguous(), back, lengths, rest_starts, rest_ends, longest,
        BLOCK=BLOCK, HALF=HALF, BITS=BLOCK.bit_length() - 1, STEP=STEP, num_warps=4,
    )  # fmt: skip
    return back, lengths, rest_starts, rest_ends


@triton.jit(do_not_specialize=["longest"])
def _split(
    starts, ends, bands, back, lengths, rest_starts, rest_ends, longest,
    BLOCK: tl.constexpr, HALF: tl.constexpr, BITS: tl.constexpr, STEP: tl.constexpr,
):  # fmt: skip
    which = tl.program_id(1).to(tl.int64)
    place = tl.program_id(0) * STEP + tl.arange(0, STEP)
    inside = place < longest
    at = which * longest + place
    start = tl.load(starts + at, mask=inside, other=0)
    real = inside & (place < tl.load(bands + which))
    end = tl.where(real, tl.load(ends + at, mask=real, other=0), start)
    # Shifts round down, as division of what is negative does not.
    low = (start + (HALF + BLOCK - 1)) >> BITS
    high = tl.minimum(end >> BITS, 0)
    count = tl.maximum(high - low, 0)
    turned = which * longest + longest - 1 - place
    tl.store(back + turned, 1 - high, mask=inside)
    tl.store(lengths + turned, count, mask=inside)
    for half in tl.static_range(0, BLOCK // HALF):
        to = (which * 2 + half) * 2 * longest + 2 * place
        tl.store(rest_starts + to, start, mask=inside)
        tl.store(rest_starts + to + 1, tl.where(count > 0, high * BLOCK - half * HALF, end), mask=inside)
        tl.store(rest_ends + to, tl.where(count > 0, low * BLOCK - half * HALF, end), mask=inside)
        tl.store(rest_ends + to + 1, end, mask=inside)
