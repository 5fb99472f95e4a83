"""Bands of pairs of row blocks, cut into key blocks that FlashAttention-4 takes and what is left."""

import torch
from torch import Tensor

from nl_tasks.kernels.devices import runs_triton

BLOCK, HALF = 128, 64  # of FlashAttention-4, and of the plan


def band_split(starts: Tensor, ends: Tensor, bands: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Split bands into blocks of 128 keys that all of 128 rows see, and what is left for either half of the rows.

    `starts`, `ends` `[B, H, N]` int32 are the bands of 64 rows, of which the first `bands` `[B, H]` are real. Returns
    the blocks, counted back from the rows' own, as starts and lengths of intervals `[B, H, N]`, ascending; and starts
    and ends `[B, H, 2, 2 N]` of the rest, relative to the first row of the 64 of either half. All are int32.
    """
    if runs_triton(starts):
        from nl_tasks.kernels.triton_band_split import band_split_triton

        return band_split_triton(starts, ends, bands)
    return band_split_torch(starts, ends, bands)


def band_split_torch(starts: Tensor, ends: Tensor, bands: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`band_split` in plain torch."""
    valid = torch.arange(starts.shape[2], device=starts.device) < bands[..., None]
    ends = torch.where(valid, ends, starts)
    # The later half's bands lie 64 further: both halves see what is left of a band without its first 64 keys.
    low = -(-(starts + HALF) // BLOCK)
    high = (ends // BLOCK).clamp(max=0)
    count = (high - low).clamp(min=0)
    some = (count > 0)[:, :, None]
    shift = torch.arange(0, BLOCK, HALF, device=starts.device, dtype=torch.int32)[:, None]
    starts, ends = starts[:, :, None], ends[:, :, None]
    first_end = torch.where(some, (low * BLOCK)[:, :, None] - shift, ends)
    second_start = torch.where(some, (high * BLOCK)[:, :, None] - shift, ends)
    starts = torch.stack(torch.broadcast_tensors(starts, second_start), -1).flatten(3)
    ends = torch.stack(torch.broadcast_tensors(first_end, ends), -1).flatten(3)
    return (1 - high).flip(-1), count.flip(-1), starts, ends
