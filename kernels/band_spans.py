"""Where each tile's part of a band index's lists begins and ends."""

import torch
from torch import Tensor

from nl_tasks.kernels.band_runs import RUN
from nl_tasks.kernels.compact import BEYOND, count_below
from nl_tasks.kernels.devices import runs_triton
from nl_tasks.kernels.plan import VerticalSlashPlan


def band_spans(plan: VerticalSlashPlan, rows: int, frame: int, runs: Tensor, rest: Tensor) -> Tensor:
    """Return the `spans` of `BandIndex`, `[B, H, tiles, 7]` int32: tiles of `rows` rows, a multiple of the phases.

    `runs`, `rest` `[B, H, phases, n]` ascend.
    """
    if runs_triton(runs):
        from nl_tasks.kernels.triton_band_spans import band_spans_triton

        return band_spans_triton(plan, rows, frame, runs, rest)
    return band_spans_torch(plan, rows, frame, runs, rest)


def band_spans_torch(plan: VerticalSlashPlan, rows: int, frame: int, runs: Tensor, rest: Tensor) -> Tensor:
    """`band_spans` in plain torch."""
    phases = runs.shape[2]
    tiles = -(-plan.queries // rows)
    first = torch.arange(-(-tiles // phases) * phases, device=plan.device, dtype=torch.int32) * rows  # row of each tile
    start = first // frame * frame
    lead, start = (x.view(-1, phases).T for x in (first - start, start + plan.offset))  # [phases, tiles / phases]
    valid = torch.arange(plan.columns.shape[2], device=plan.device) < plan.column_counts[..., None]
    columns = torch.where(valid, plan.columns, BEYOND)[:, :, None].expand(-1, -1, phases, -1).contiguous()
    found = [
        count_below(runs, -start),
        count_below(runs, lead - (RUN - 2)),
        count_below(runs, lead + rows),
        count_below(rest, -start),
        count_below(rest, lead + 1),
        count_below(rest, lead + rows),
        count_below(columns, start + lead + rows),
    ]
    return torch.stack(found, -1).transpose(2, 3).flatten(2, 3).contiguous()
