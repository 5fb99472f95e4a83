"""What a tiled kernel needs to walk a vertical-slash plan: lists of keys, and where each tile's part begins and ends.

All of it is made on the plan's device with tensor operations; nothing waits for it.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nl_tasks.kernels.compact import BEYOND, compact, count_below, expand, interval_table
from nl_tasks.kernels.plan import VerticalSlashPlan

RUN = 64  # keys that are read as one piece


@dataclass(frozen=True)
class BandIndex:
    """Keys of frames: a frame is a block of the plan's rows, or as many blocks as a tile of rows holds.

    Places are relative to a frame's first position. `runs` lists where 64 keys in a row begin that every row of a frame
    sees through bands (causality aside), `rest` the other keys of its bands, one by one; both ascend and differ with
    the `phases` frames that take turns, `[B, H, phases, n]`. `spans` `[B, H, tiles, 8]`: of a tile's lists, the first
    run at or after key 0, the first that not all its rows see, the first that none sees; the same three of the rest;
    the first column that not all rows see, the first that none sees. `bands` is the plan's band table as bytes.
    """

    frame: int
    runs: Tensor
    rest: Tensor
    spans: Tensor
    bands: Tensor

    @classmethod
    def of(cls, plan: VerticalSlashPlan, rows: int, intervals: tuple[Tensor, Tensor] | None = None) -> "BandIndex":
        """Index `plan` for tiles of `rows` query rows; rows and the plan's block must divide one another.

        `intervals`, starts and ends `[B, H, phases, N]`, stand for the plan's bands where others take a part of them.
        """
        table, frame = plan.band_table(), max(rows, plan.query_block)
        if intervals is None:
            valid = torch.arange(plan.starts.shape[2], device=plan.device) < plan.bands[..., None]
            starts, ends = plan.starts + (frame - plan.query_block), torch.where(valid, plan.ends, -BEYOND)
            starts, ends = starts[:, :, None], ends[:, :, None]
        else:
            starts, ends = intervals
        length = (ends - starts).clamp(min=0)
        count = length // RUN
        runs = expand(starts, count, -(-(plan.keys + frame) // RUN) + 1, RUN)
        size = plan.keys + frame
        if frame == plan.query_block:
            rest = expand(starts + count * RUN, length % RUN, min(size, (RUN - 1) * starts.shape[-1]))
        else:  # some rows of a frame see what others do not
            seen = replace(plan, query_block=frame, ends=plan.ends + (frame - plan.query_block)).band_table()
            first = starts[:, :, 0] + plan.keys
            listed, _ = compact(seen & ~interval_table(first, first + count[:, :, 0] * RUN, size), size, padding=BEYOND)
            rest = torch.where(listed < BEYOND, listed - plan.keys, BEYOND)[:, :, None]
        return cls(frame, runs, rest, _spans(plan, rows, frame, runs, rest), table.to(torch.uint8).contiguous())


def _spans(plan: VerticalSlashPlan, rows: int, frame: int, runs: Tensor, rest: Tensor) -> Tensor:
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
        count_below(columns, start + lead + 1),
        count_below(columns, start + lead + rows),
    ]
    return torch.stack(found, -1).transpose(2, 3).flatten(2, 3).contiguous()
