"""Turning masks and intervals into lists on the device that they lie on, without waiting for it."""

import torch
from torch import Tensor

from nl_tasks.kernels.devices import runs_triton

BEYOND = 2**30  # pads lists that are searched


def compact(kept: Tensor, width: int, *, padding: int = 0) -> tuple[Tensor, Tensor]:
    """List where `kept` `[..., n]` is True, ascending and padded, `[..., width]` int32, and how many, `[...]` int32.

    At most `width` may be True.
    """
    if runs_triton(kept):
        from nl_tasks.kernels.triton_compact import compact_triton

        return compact_triton(kept, width, padding)
    return compact_torch(kept, width, padding)


def compact_torch(kept: Tensor, width: int, padding: int) -> tuple[Tensor, Tensor]:
    """`compact` in plain torch."""
    upto = kept.cumsum(-1, dtype=torch.int32)
    listed = torch.full((*kept.shape[:-1], width + 1), padding, dtype=torch.int32, device=kept.device)
    place = torch.arange(kept.shape[-1], dtype=torch.int32, device=kept.device).expand(kept.shape)
    listed.scatter_(-1, torch.where(kept, upto - 1, width).long(), place)
    return listed[..., :width].contiguous(), upto[..., -1].contiguous()


def expand(starts: Tensor, lengths: Tensor, width: int, step: int = 1) -> Tensor:
    """List `starts[i]`, `starts[i] + step`, ... (`lengths[i]` of them) for each i in turn, `[..., width]` int32.

    `starts`, `lengths` `[..., N]` int32. Entries past the end are `BEYOND`; what does not fit is left out.
    """
    if runs_triton(starts):
        from nl_tasks.kernels.triton_expand import expand_triton

        return expand_triton(starts, lengths, width, step)
    return expand_torch(starts, lengths, width, step)


def expand_torch(starts: Tensor, lengths: Tensor, width: int, step: int) -> Tensor:
    """`expand` in plain torch."""
    end = lengths.cumsum(-1, dtype=torch.int32)
    place = torch.arange(width, dtype=torch.int32, device=starts.device).expand(*starts.shape[:-1], width)
    which = torch.searchsorted(end, place.contiguous(), right=True).clamp(max=starts.shape[-1] - 1)
    first = (starts - step * (end - lengths)).gather(-1, which)
    return torch.where(place < end[..., -1:], first + step * place, BEYOND).int()


def interval_table(starts: Tensor, ends: Tensor, size: int) -> Tensor:
    """Which of 0..size - 1 lie in some `[starts[i], ends[i])`, `[..., size]` bool; what is outside is cut off."""
    edge = torch.zeros(*starts.shape[:-1], size + 1, dtype=torch.int32, device=starts.device)
    one = (ends > starts).int()
    edge.scatter_add_(-1, starts.long().clamp(0, size), one)
    edge.scatter_add_(-1, ends.long().clamp(0, size), -one)
    return edge.cumsum(-1)[..., :size] > 0


def count_below(listed: Tensor, bounds: Tensor) -> Tensor:
    """Count the entries of `listed` `[..., n]`, ascending, below each of `bounds` `[..., m]`; `[..., m]` int32."""
    return torch.searchsorted(listed, bounds.expand(*listed.shape[:-1], -1).contiguous(), out_int32=True)
