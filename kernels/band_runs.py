"""Bands of keys as runs, which are read as one piece, and single keys."""

import torch
from torch import Tensor

from nl_tasks.kernels.compact import BEYOND, compact_torch, expand_torch, interval_table
from nl_tasks.kernels.devices import runs_triton

RUN = 64  # keys that are read as one piece


def band_runs(
    starts: Tensor, ends: Tensor, counts: Tensor | None, keys: int, frame: int, grown: int
) -> tuple[Tensor, Tensor]:
    """List where 64 keys in a row begin that every row of a frame sees, `[B, H, phases, n]` int32, and all other keys.

    `starts`, `ends` `[B, H, phases, N]` int32 are bands of a frame's first block, of which the first `counts` `[B, H]`
    are real (all without it); those of its last block lie `grown` keys further. Lists are padded as `expand` does.
    Where the blocks' bands differ, other keys are cut off below `-keys` and from `frame` on.
    """
    runs_width = -(-(keys + frame) // RUN) + 1
    rest_width = keys + frame if grown else min(keys + frame, (RUN - 1) * starts.shape[-1])
    if runs_triton(starts):
        from nl_tasks.kernels.triton_band_runs import band_runs_triton

        return band_runs_triton(starts, ends, counts, keys, frame, grown, runs_width, rest_width)
    return band_runs_torch(starts, ends, counts, keys, frame, grown, runs_width, rest_width)


def band_runs_torch(
    starts: Tensor,
    ends: Tensor,
    counts: Tensor | None,
    keys: int,
    frame: int,
    grown: int,
    runs_width: int,
    rest_width: int,
) -> tuple[Tensor, Tensor]:
    """`band_runs` in plain torch."""
    if counts is not None:
        real = torch.arange(starts.shape[-1], device=starts.device) < counts[..., None, None]
        ends = torch.where(real, ends, -BEYOND)
    first = starts + grown
    length = (ends - first).clamp(min=0)
    count = length // RUN
    runs = expand_torch(first, count, runs_width, RUN)
    if not grown:
        return runs, expand_torch(first + count * RUN, length % RUN, rest_width, 1)
    seen = interval_table(starts + keys, ends + grown + keys, rest_width)
    whole = interval_table(first + keys, first + keys + count * RUN, rest_width)
    rest, _ = compact_torch(seen & ~whole, rest_width, BEYOND)
    return runs, torch.where(rest < BEYOND, rest - keys, BEYOND)
