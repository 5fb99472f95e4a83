"""What a tiled kernel needs to walk a vertical-slash plan: lists of keys, and where each tile's part begins and ends.

All of it is made on the plan's device; nothing waits for it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from nl_tasks.kernels.band_runs import band_runs
from nl_tasks.kernels.band_spans import band_spans
from nl_tasks.kernels.plan import VerticalSlashPlan


@dataclass(frozen=True)
class BandIndex:
    """Keys of frames: a frame is a block of the plan's rows, or as many blocks as a tile of rows holds.

    Places are relative to a frame's first position. `runs` lists where 64 keys in a row begin that every row of a frame
    sees through bands (causality aside), `rest` the other keys of its bands, one by one; both ascend and differ with
    the `phases` frames that take turns, `[B, H, phases, n]`. `spans` `[B, H, tiles, 7]`: of a tile's lists, the first
    run at or after key 0, the first that not all its rows see, the first that none sees; the same three of the rest;
    the first column that none sees. `bands` is the plan's band table as bytes.
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
        frame = max(rows, plan.query_block)
        starts, ends = intervals or (plan.starts[:, :, None], plan.ends[:, :, None])
        counts = None if intervals else plan.bands
        runs, rest = band_runs(starts, ends, counts, plan.keys, frame, frame - plan.query_block)
        bands = plan.band_table().contiguous().view(torch.uint8)
        return cls(frame, runs, rest, band_spans(plan, rows, frame, runs, rest), bands)
