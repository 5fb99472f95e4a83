"""The lists of a vertical-slash plan: kept columns, and bands of kept diagonals, from ranks and limits."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from nl_tasks.kernels.compact import compact_torch
from nl_tasks.kernels.devices import runs_triton
from nl_tasks.kernels.line_entries import ROWS


@dataclass(frozen=True)
class LineLists:
    """Lists of a `VerticalSlashPlan`, ascending and padded with 0, and its band table.

    `columns` `[B, H, width]`, `starts`, `ends` `[B, H, S // 64 + 2]`, `column_counts`, `bands` `[B, H]`, all int32;
    `covered` `[B, H, S + 64]` bool.
    """

    columns: Tensor
    column_counts: Tensor
    starts: Tensor
    ends: Tensor
    bands: Tensor
    covered: Tensor


def line_lists(band_rank: Tensor, column_rank: Tensor, verticals: Tensor, slashes: Tensor, width: int) -> LineLists:
    """List the columns, at most `width`, and the bands whose ranks are below `verticals` and `slashes` `[B, H]` int32.

    `band_rank` `[B, H, S + 64]` and `column_rank` `[B, H, S]` are as in `line_entries`. Nothing waits for the device.
    """
    if runs_triton(band_rank):
        from nl_tasks.kernels.triton_line_lists import line_lists_triton

        return LineLists(*line_lists_triton(band_rank, column_rank, verticals, slashes, width))
    return line_lists_torch(band_rank, column_rank, verticals, slashes, width)


def line_lists_torch(
    band_rank: Tensor, column_rank: Tensor, verticals: Tensor, slashes: Tensor, width: int
) -> LineLists:
    """`line_lists` in plain torch."""
    keys = column_rank.shape[-1]
    longest = keys // ROWS + 2
    columns, column_counts = compact_torch(column_rank < verticals[..., None], width, 0)
    covered = pad(band_rank < slashes[..., None], (1, 1))
    starts, bands = compact_torch(covered[..., 1:] & ~covered[..., :-1], longest, 0)
    ends, _ = compact_torch(covered[..., :-1] & ~covered[..., 1:], longest, 0)
    real = torch.arange(longest, device=starts.device) < bands[..., None]
    starts, ends = (torch.where(real, place - keys, 0) for place in (starts, ends))
    return LineLists(columns, column_counts, starts, ends, bands, covered[..., 1:-1])
