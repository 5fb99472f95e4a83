"""Turning masks into lists on the device that they lie on, without waiting for it."""

import torch
from torch import Tensor
from torch.nn.functional import pad


def compact(kept: Tensor, width: int, zero: int = 0) -> tuple[Tensor, Tensor]:
    """List where `kept` `[..., n]` is True, less `zero`, ascending and padded with 0, `[..., width]` int32.

    Also counts the listed below each place, `[..., n + 1]` int32. At most `width` may be True.
    """
    size = kept.shape[-1]
    upto = pad(kept.cumsum(-1, dtype=torch.int32), (1, 0))
    listed = torch.zeros(*kept.shape[:-1], width + 1, dtype=torch.int32, device=kept.device)
    place = torch.arange(-zero, size - zero, dtype=torch.int32, device=kept.device).expand(kept.shape)
    listed.scatter_(-1, torch.where(kept, upto[..., :-1], width).long(), place)
    listed[..., width] = 0
    return listed[..., :width], upto
