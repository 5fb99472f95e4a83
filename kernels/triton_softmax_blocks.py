# mypy: disallow-untyped-defs=False
"""Softmax over rows, summed over square blocks, in Triton: two reads of the scores and no weights in memory."""

import triton
import triton.language as tl
from torch import Tensor

from nl_tasks.kernels.triton_support import LOG2E

STEP = 1024  # columns a program reads at a time, about


def softmax_blocks_triton(scores: Tensor, upto: Tensor, out: Tensor, per: int, scale: float) -> None:
    """`softmax_blocks` for GPUs, into `out` `[n / per, m / per]`, whose rows may be apart."""
    rows, columns = scores.shape
    blocks = min(triton.next_power_of_2(columns // per), max(1, STEP // triton.next_power_of_2(per)))
    _softmax[(rows // per,)](
        scores, upto, out, columns, scores.stride(0), out.stride(0), scale * LOG2E,
        PER=per, WIDE=triton.next_power_of_2(per), BLOCKS=blocks, num_warps=8,
    )  # fmt: skip


@triton.jit
def _softmax(
    scores, upto, out, columns, scores_row, out_row, scale, PER: tl.constexpr, WIDE: tl.constexpr, BLOCKS: tl.constexpr
):  # fmt: skip
    """PER rows, of which each has its own last column."""
    at = tl.program_id(0).to(tl.int64)
    row = tl.arange(0, WIDE)
    final = tl.load(upto + at * PER + row, mask=row < PER, other=-1)
    scores += (at * PER + row)[:, None] * scores_row
    stop = tl.max(final, 0) + 1
    high = tl.full([WIDE], float("-inf"), tl.float32)
    total = tl.zeros([WIDE], tl.float32)
    block, inside = tl.arange(0, BLOCKS * WIDE) // WIDE, tl.arange(0, BLOCKS * WIDE) % WIDE
    for start in range(0, stop, BLOCKS * PER):
        column = start + block * PER + inside
        allowed = (column[None, :] <= final[:, None]) & (inside < PER)[None, :]
        part = tl.where(allowed, tl.load(scores + column[None, :], mask=allowed, other=0.0) * scale, float("-inf"))
        new = tl.maximum(high, tl.max(part, 1))
        finite = tl.where(new == float("-inf"), 0.0, new)
        total = total * tl.math.exp2(high - finite) + tl.sum(tl.math.exp2(part - finite[:, None]), 1)
        high = new
    high = tl.where(total > 0, high, 0.0)
    share = tl.where(total > 0, 1 / tl.where(total > 0, total, 1.0), 0.0)
    for start in range(0, columns, BLOCKS * PER):
        column = start + block * PER + inside
        allowed = (column[None, :] <= final[:, None]) & (inside < PER)[None, :]
        part = tl.load(scores + column[None, :], mask=allowed, other=0.0) * scale
        weights = tl.where(allowed, tl.math.exp2(part - high[:, None]) * share[:, None], 0.0)
        sums = tl.sum(tl.reshape(tl.sum(weights, 0), (BLOCKS, WIDE)), 1)
        place = start // PER + tl.arange(0, BLOCKS)
        tl.store(out + at * out_row + place, sums, mask=place * PER < columns)
