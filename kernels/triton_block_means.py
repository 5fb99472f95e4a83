# mypy: disallow-untyped-defs=False
"""Block means in Triton: one read of x, no copy in float32."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from nl_tasks.kernels.triton_support import rows_contiguous


def block_means_triton(x: Tensor, block: int) -> Tensor:
    """`block_means` for GPUs."""
    x = rows_contiguous(x)
    batch, heads, rows, dim = x.shape
    blocks = triton.cdiv(rows, block)
    means = torch.empty(batch, heads, blocks, dim, dtype=torch.float32, device=x.device)
    _mean[(blocks, heads, batch)](
        x, means, *x.stride()[:3], rows, block, STEP=min(64, triton.next_power_of_2(block)),
        DIM=dim, WIDE=triton.next_power_of_2(dim), num_warps=4,
    )  # fmt: skip
    return means


@triton.jit
def _mean(
    x, means, x_batch, x_head, x_row, rows, block, STEP: tl.constexpr, DIM: tl.constexpr, WIDE: tl.constexpr
):  # fmt: skip
    at, head, batch = tl.program_id(0), tl.program_id(1).to(tl.int64), tl.program_id(2).to(tl.int64)
    x += batch * x_batch + head * x_head
    dims = tl.arange(0, WIDE)
    end = tl.minimum((at + 1) * block, rows)
    total = tl.zeros([STEP, WIDE], tl.float32)
    for start in range(at * block, end, STEP):
        row = start + tl.arange(0, STEP)
        inside = (row < end)[:, None] & (dims < DIM)[None, :]
        total += tl.load(x + row[:, None].to(tl.int64) * x_row + dims[None, :], mask=inside, other=0.0).to(tl.float32)
    mean = tl.sum(total, 0) / (end - at * block)
    place = ((batch * tl.num_programs(1) + head) * tl.num_programs(0) + at) * DIM
    tl.store(means + place + dims, mean, mask=dims < DIM)
