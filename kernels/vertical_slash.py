"""Attention over columns and bands of diagonals in plain torch: gathers both for a few tiles of rows at a time."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from nl_tasks.kernels.masked import attend, scratch_bytes
from nl_tasks.kernels.plan import VerticalSlashPlan
from nl_tasks.kernels.provider import kernel


@kernel(VerticalSlashPlan, "torch")
def vertical_slash_attention(
    q: Tensor, k: Tensor, v: Tensor, plan: VerticalSlashPlan, *, scale: float
) -> tuple[Tensor, Tensor]:
    """Attention over the plan's columns and bands; shapes as in `AttentionKernel`, scores in float32."""
    batch, heads, queries, dim = q.shape
    fine = plan.query_block
    tile = fine * max(1, 64 // fine)  # several of the plan's row blocks run as one tile, masked where they differ
    shared, tiles = heads // plan.columns.shape[1], -(-queries // tile)
    coarse = replace(plan, query_block=tile, ends=plan.ends + (tile - fine))
    bands, wide = plan.band_table(), coarse.band_table()  # the keys that some row of a tile sees
    q = pad(q, (0, 0, 0, tiles * tile - queries)).unflatten(2, (tiles, tile))
    out, lse = torch.empty_like(q), q.new_empty(batch, heads, tiles, tile, dtype=torch.float32)
    for b in range(batch):
        for h in range(heads):
            s = h // shared
            columns = plan.columns[b, s, : int(plan.column_counts[b, s])].long()
            relative = wide[b, s].nonzero()[:, 0] - plan.keys
            kv = h // (heads // k.shape[1])
            step = max(
                1, scratch_bytes(q.device) // ((len(relative) * (2 * dim + 4 * tile) + len(columns) * 4 * tile + 1) * 4)
            )
            for start in range(0, tiles, step):
                found = _tiles(q[b, h], k[b, kv], v[b, kv], bands[b, s], columns, relative, plan, start, step, scale)
                out[b, h, start : start + step], lse[b, h, start : start + step] = found
    return out.flatten(2, 3)[:, :, :queries], lse.flatten(2, 3)[:, :, :queries]


def _tiles(
    q: Tensor,  # [tiles, tile, D]
    k: Tensor,  # [S, D]
    v: Tensor,
    bands: Tensor,  # [S + query_block]
    columns: Tensor,  # [M]
    relative: Tensor,  # [N], keys a tile sees through bands, relative to its first row
    plan: VerticalSlashPlan,
    start: int,
    step: int,
    scale: float,
) -> tuple[Tensor, Tensor]:
    q = q[start : start + step]
    tile = q.shape[1]
    first = (torch.arange(len(q), device=q.device) + start) * tile + plan.offset  # [r]
    position = first[:, None] + torch.arange(tile, device=q.device)  # [r, tile]
    base = position - torch.arange(tile, device=q.device) % plan.query_block  # first row of each row's own block
    last = min((start + len(q)) * tile, plan.queries) - 1 + plan.offset
    relative, columns = relative[relative >= -int(last)], columns[columns <= last]
    key = first[:, None] + relative  # [r, N]
    allowed = (key[:, None] <= position[..., None]) & (key >= 0)[:, None]
    if plan.query_block != tile:
        allowed &= bands[(key[:, None] - base[..., None] + plan.keys).clamp(0, len(bands) - 1)]
    place = (columns - base[..., None] + plan.keys).clamp(0, len(bands) - 1)
    alone = (columns <= position[..., None]) & ~bands[place]
    key = key.clamp(0, plan.keys - 1)
    in_band, in_column = q @ k[key].mT, q @ k[columns].T
    scores = torch.cat([in_band, in_column], -1).float().mul_(scale)
    out, lse = attend(scores, torch.cat([allowed, alone], -1), _joined(v, key, columns))
    return out, lse


def _joined(v: Tensor, key: Tensor, columns: Tensor) -> Tensor:
    """Values of the band keys `[r, N]` and of the columns `[M]`, `[r, N + M, D]`."""
    return v[torch.cat([key, columns.expand(len(key), -1)], 1)]
