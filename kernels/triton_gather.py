# mypy: disallow-untyped-defs=False
"""Copies of chosen keys or values side by side, in Triton."""

import torch
import triton
import triton.language as tl
from torch import Tensor

STEP = 64


def gather_rows(x: Tensor, rows: Tensor, counts: Tensor, heads: int) -> Tensor:
    """Rows `rows` `[B, H, M]` int32 of `x` `[B, Hkv, S, D]` for each of `heads` query heads, `[B, heads, M, D]`.

    `counts` `[B, H]` of a list are real; what comes after is left as memory was.
    """
    batch, lists, longest = rows.shape
    out = torch.empty(batch, heads, longest, x.shape[3], dtype=x.dtype, device=x.device)
    _gather[(triton.cdiv(longest, STEP), heads, batch)](
        x, rows, counts, out, *x.stride()[:3], lists, longest, heads // lists, heads // x.shape[1],
        STEP=STEP, DIM=x.shape[3], WIDE=triton.next_power_of_2(x.shape[3]), num_warps=4,
    )  # fmt: skip
    return out


@triton.jit(do_not_specialize=["x_batch", "lists", "longest", "per", "group"])
def _gather(
    x, rows, counts, out, x_batch, x_head, x_row, lists, longest, per, group,
    STEP: tl.constexpr, DIM: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    at, head, batch = tl.program_id(0) * STEP, tl.program_id(1), tl.program_id(2).to(tl.int64)
    which = batch * lists + head // per
    count = tl.load(counts + which)
    if at < count:
        place, dims = at + tl.arange(0, STEP), tl.arange(0, WIDE)
        row = tl.load(rows + which * longest + place, mask=place < count, other=0).to(tl.int64)
        inside = (place < count)[:, None] & (dims < DIM)[None, :]
        from_at = x + batch * x_batch + (head // group).to(tl.int64) * x_head + row[:, None] * x_row + dims[None, :]
        to = ((batch * tl.num_programs(1) + head) * longest + place).to(tl.int64)[:, None] * DIM + dims[None, :]
        tl.store(out + to, tl.load(from_at, mask=inside, other=0.0), mask=inside)
