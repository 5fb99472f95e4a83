"""Vertical-slash attention as its reference schedules it, one head after the other, against all heads at once."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from nl_tasks.bench_inputs import layer_inputs
from nl_tasks.bench_timing import median_ms
from nl_tasks.kernels.attention import attention
from nl_tasks.kernels.band_index import BandIndex
from nl_tasks.kernels.line_sums import line_sums_torch
from nl_tasks.kernels.triton_support import Tile
from nl_tasks.kernels.triton_vertical_slash import walk
from nl_tasks.sparse_backends import VerticalSlash
from nl_tasks.sparse_backends.lines import LineScores

AS_REFERENCE = Tile(64, 64, 4, 2)  # rows, keys, warps, stages; no TMA


def head_by_head(backend: VerticalSlash, q: Tensor, k: Tensor, v: Tensor, size: int, tile: Tile | None) -> Tensor:
    """Attention of `q` `[1, Hq, T, D]`, each head on its own, its weights `[window, T]` in memory.

    Estimates with plain torch and keeps `size` columns and diagonals. With `tile` one kernel a head takes bands and
    columns together, each column at its own place in memory, as the reference does (arXiv 2407.02490; 64 x 64 tiles);
    without it the fastest kernels of this package that run without FlashAttention-4.
    """
    out, group, scale = torch.empty_like(q), q.shape[1] // k.shape[1], q.shape[3] ** -0.5
    rows = min(backend.window, q.shape[2])
    for head in range(q.shape[1]):
        own = slice(head, head + 1), slice(head // group, head // group + 1)
        mine, keys, values = q[:, own[0]], k[:, own[1]], v[:, own[1]]
        lines = LineScores.ranked(q.shape[2], *line_sums_torch(mine[:, :, -rows:], keys, scale=scale))
        plan = lines.plan(size, size)
        if tile is None:
            out[:, own[0]] = attention(mine, keys, values, plan, scale=scale, provider="triton")[0]
        else:
            index = BandIndex.of(plan, tile.rows)
            out[:, own[0]] = walk(mine, keys, values, plan, index, None, tile, scale)[0]
    return out


def measure_head_by_head(length: int, sparsity: float) -> dict[str, Any]:
    """Milliseconds of both ways of `head_by_head`, and of all heads at once with as many columns and diagonals."""
    (q, k, v), *_ = layer_inputs(length)
    scale = q.shape[3] ** -0.5
    solved = VerticalSlash(sparsity=sparsity).plan(q, k, scale=scale)
    size = max(64, int(solved.column_counts[0, 0]))
    backend = VerticalSlash(verticals=size, slashes=size)

    def together() -> Tensor:
        return attention(q, k, v, backend.plan(q, k, scale=scale), scale=scale)[0]

    once = median_ms(together)
    as_reference, own = (
        median_ms(partial(head_by_head, backend, q, k, v, size, tile)) for tile in (AS_REFERENCE, None)
    )
    return {
        "length": length, "columns_and_diagonals": size, "sparsity": 1 - float(solved.density().mean()),
        "all_heads_ms": once, "reference_ms": as_reference, "own_kernels_ms": own,
    }  # fmt: skip


def apart_line(found: dict[str, Any]) -> str:
    """What `measure_head_by_head` found, as a line."""
    once, reference, own = (found[key] for key in ("all_heads_ms", "reference_ms", "own_kernels_ms"))
    return (
        f"vertical_slash at {found['length']}, sparsity {found['sparsity']:.3f}: all heads at once {once:.1f} ms; head "
        f"by head with one kernel each, as the reference runs it, {reference:.1f} ms, {reference / once:.2f} times as "
        f"long; head by head with our kernels {own:.1f} ms, {own / once:.2f} times as long"
    )
