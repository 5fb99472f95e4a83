# mypy: disallow-untyped-defs=False
"""Spans of tiles in Triton: a program searches one kind of list for the bounds of a block of tiles."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from nl_tasks.kernels.band_runs import RUN
from nl_tasks.kernels.plan import VerticalSlashPlan
from nl_tasks.kernels.triton_search import entries_below

TILES = 64  # of a program


def band_spans_triton(plan: VerticalSlashPlan, rows: int, frame: int, runs: Tensor, rest: Tensor) -> Tensor:
    """`band_spans` for GPUs."""
    batch, heads, phases = runs.shape[:3]
    tiles = triton.cdiv(triton.cdiv(plan.queries, rows), phases) * phases
    spans = torch.empty(batch, heads, tiles, 7, dtype=torch.int32, device=runs.device)
    sizes = runs.shape[3], rest.shape[3], plan.columns.shape[2]
    _spans[(triton.cdiv(tiles, TILES), 3, batch * heads)](
        runs, rest, plan.columns.contiguous(), plan.column_counts.contiguous(), spans, *sizes,
        rows, frame, plan.offset, phases, tiles, max(sizes).bit_length(), RUN=RUN, TILES=TILES, num_warps=4,
    )  # fmt: skip
    return spans


_ANY = ["runs_size", "rest_size", "longest", "rows", "frame", "offset", "phases", "tiles", "rounds"]


@triton.jit(do_not_specialize=_ANY)
def _spans(
    runs, rest, columns, counts, spans, runs_size, rest_size, longest, rows, frame, offset, phases, tiles, rounds,
    RUN: tl.constexpr, TILES: tl.constexpr,
):  # fmt: skip
    kind, which = tl.program_id(1), tl.program_id(2).to(tl.int64)
    tile = tl.program_id(0) * TILES + tl.arange(0, TILES)[:, None]
    bound = tl.arange(0, 4)[None, :]  # three of runs, three of the rest, one of columns
    lead = tile * rows % frame
    start = tile * rows - lead + offset
    inside = (tile < tiles) & (bound < 3)
    at = spans + (which * tiles + tile) * 7 + bound
    phase = which * phases + tile % phases
    if kind == 0:
        limit = tl.where(bound == 0, -start, lead + tl.where(bound == 1, 2 - RUN, rows))
        tl.store(at, entries_below(runs + phase * runs_size, runs_size, limit, inside, rounds), mask=inside)
    elif kind == 1:
        limit = tl.where(bound == 0, -start, lead + tl.where(bound == 1, 1, rows))
        tl.store(at + 3, entries_below(rest + phase * rest_size, rest_size, limit, inside, rounds), mask=inside)
    else:
        inside = inside & (bound == 0)
        limit = tl.where(inside, start + lead + rows, 0)
        found = entries_below(columns + which * longest, tl.load(counts + which), limit, inside, rounds)
        tl.store(at + 6, found, mask=inside)
