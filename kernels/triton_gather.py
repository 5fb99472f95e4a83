# mypy: disallow-untyped-defs=False
"""Copies of chosen keys or values side by side, in Triton."""

import torch
import triton
import triton.language as tl
from torch import Tensor

STEP = 64
WHOLE = 128  # lists are filled up with zeros to a multiple of this, so that tiles of keys may reach past their end


def gather_rows(x: Tensor, rows: Tensor, counts: Tensor, heads: int) -> Tensor:
    """Rows `rows` `[B, H, M]` int32 of `x` `[B, Hkv, S, D]` for each of `heads` query heads, `[B, heads, M', D]`.

    `counts` `[B, H]` of a list are real; zeros follow up to a multiple of 128, then memory as it was. M' is M, rounded
    up to such a multiple.
    """
    batch, lists, longest = rows.shape
    wide = triton.cdiv(longest, WHOLE) * WHOLE
    out = torch.empty(batch, heads, wide, x.shape[3], dtype=x.dtype, device=x.device)
    _gather[(wide // STEP, heads, batch)](
        x, rows, counts, out, *x.stride()[:3], lists, longest, wide, heads // lists, heads // x.shape[1],
        STEP=STEP, WHOLE=WHOLE, DIM=x.shape[3], WIDE=triton.next_power_of_2(x.shape[3]), num_warps=4,
    )  # fmt: skip
    return out


@triton.jit(do_not_specialize=["lists", "longest", "wide", "per", "group"])
def _gather(
    x, rows, counts, out, x_batch, x_head, x_row, lists, longest, wide, per, group,
    STEP: tl.constexpr, WHOLE: tl.constexpr, DIM: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    at, head, batch = tl.program_id(0) * STEP, tl.program_id(1), tl.program_id(2).to(tl.int64)
    which = batch * lists + head // per
    count = tl.load(counts + which)
    if at < tl.cdiv(count, WHOLE) * WHOLE:
        place, dims = at + tl.arange(0, STEP), tl.arange(0, WIDE)
        row = tl.load(rows + which * longest + place, mask=place < count, other=0).to(tl.int64)
        inside = (place < count)[:, None] & (dims < DIM)[None, :]
        from_at = x + batch * x_batch + (head // group).to(tl.int64) * x_head + row[:, None] * x_row + dims[None, :]
        to = ((batch * tl.num_programs(1) + head) * wide + place).to(tl.int64)[:, None] * DIM + dims[None, :]
        tl.store(out + to, tl.load(from_at, mask=inside, other=0.0), mask=(dims < DIM)[None, :])
