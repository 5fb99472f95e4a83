"""How many blocks of each row hold the same share of its attention, the share found by the entries of them all."""

import torch
from torch import Tensor

from nl_tasks.kernels.devices import runs_triton
from nl_tasks.kernels.line_search import nearest_step

STEPS = 2**32  # shares that are told apart


def covering_blocks(before: Tensor, available: Tensor, area: Tensor, target: int) -> Tensor:
    """Return how many of its blocks each row keeps, `[B, H, R]` int32, so that they come nearest to `target` entries.

    They are as many as reach a threshold (see `reached`) that all rows and heads of a sequence have in common; of tied
    thresholds the lower, but 1, which takes all, if that is not too much. A block of row r has `area[r]` entries, and
    they are summed over rows and heads. `before` and `available` as in `reached`. Nothing waits for a GPU.
    """
    if runs_triton(before):
        from nl_tasks.kernels.triton_threshold_search import covering_blocks_triton

        return covering_blocks_triton(before, available, area, target, STEPS)
    return covering_blocks_torch(before, available, area, target)


def covering_blocks_torch(before: Tensor, available: Tensor, area: Tensor, target: int) -> Tensor:
    """`covering_blocks` in plain torch."""

    def entries(step: Tensor) -> Tensor:  # [n, B] to [n, B]
        kept = reached(before, available, (step.double() / STEPS).mT)
        return (kept * area[:, None]).sum((1, 2)).mT

    step = nearest_step(entries, target, 0, STEPS, len(before), before.device)
    top = torch.full_like(step, STEPS)
    step = torch.where(entries(top[None])[0] <= target, top, step)
    return reached(before, available, (step.double() / STEPS)[:, None])[..., 0].int()


def reached(before: Tensor, available: Tensor, threshold: Tensor) -> Tensor:
    """Count the blocks of each row that it takes to hold each `threshold` `[B, n]` of its attention, `[B, H, R, n]`.

    `before` `[B, H, R, C]` float32 is the share that is held before each block in the order in which a row keeps them;
    row r has `available[r]` of them, and the rest ascends too. A threshold of 1 takes all.
    """
    asked = threshold.float()[:, None, None]
    below = torch.searchsorted(before, asked.expand(*before.shape[:-1], -1).contiguous())
    return torch.where(asked >= 1, available[:, None], below.minimum(available[:, None]))
