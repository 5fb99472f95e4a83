"""Means of queries or keys over blocks of positions."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from nl_tasks.kernels.devices import runs_triton


def block_means(x: Tensor, block: int) -> Tensor:
    """Means of `x` `[B, H, T, D]` over blocks of `block` rows, the last over what it has.

    Returns `[B, H, blocks, D]` float32.
    """
    if runs_triton(x):
        from nl_tasks.kernels.triton_block_means import block_means_triton

        return block_means_triton(x, block)
    return block_means_torch(x, block)


def block_means_torch(x: Tensor, block: int) -> Tensor:
    """`block_means` in plain torch."""
    rows = x.shape[2]
    sums = pad(x.float(), (0, 0, 0, -rows % block)).unflatten(2, (-1, block)).sum(3)
    sizes = (rows - torch.arange(0, rows, block, device=x.device)).clamp(max=block)
    return sums / sizes[:, None]
