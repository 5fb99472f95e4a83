"""What a tiled kernel needs to walk a vertical-slash plan: flat lists of keys, and where each tile's part begins.

All of it is made on the plan's device with tensor operations; nothing waits for it.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from nl_tasks.kernels.compact import compact
from nl_tasks.kernels.plan import VerticalSlashPlan


@dataclass(frozen=True)
class BandIndex:
    """Keys of frames: a frame is a block of the plan's rows, or as many blocks as a tile of rows holds.

    `inner` lists the keys that every row of a frame sees through bands (causality aside), relative to the frame's first
    position, ascending; `edge` those that only some of its rows see (None if a frame is one block). Their `upto`
    tables `[B, H, S + frame + 1]` count the listed keys below i - S; `columns_upto` `[B, H, S + 1]` the kept columns
    below i. `bands` is the plan's band table as bytes.
    """

    frame: int
    inner: Tensor
    inner_upto: Tensor
    edge: Tensor | None
    edge_upto: Tensor | None
    columns_upto: Tensor
    bands: Tensor

    @classmethod
    def of(cls, plan: VerticalSlashPlan, rows: int) -> "BandIndex":
        """Index `plan` for tiles of `rows` query rows; rows and the plan's block must divide one another."""
        table = plan.band_table()
        inner, edge, frame = table, None, plan.query_block
        if rows > plan.query_block:
            widened = rows - plan.query_block
            outer = replace(plan, query_block=rows, ends=plan.ends + widened).band_table()
            starts = plan.starts + widened
            narrow = replace(plan, query_block=rows, starts=starts, ends=plan.ends.maximum(starts))
            inner, frame = narrow.band_table(), rows
            edge = outer & ~inner
        some = (None, None) if edge is None else _keys(edge, plan.keys)
        columns_upto = pad(plan.column_table().cumsum(-1, dtype=torch.int32), (1, 0))
        return cls(frame, *_keys(inner, plan.keys), *some, columns_upto, table.to(torch.uint8))


def _keys(kept: Tensor, zero: int) -> tuple[Tensor, Tensor]:
    listed, upto = compact(kept, kept.shape[-1], zero)
    return listed.contiguous(), upto
