"""How many score entries vertical-slash plans of many sizes would compute, without making the plans."""

import torch
from torch import Tensor
from torch.nn.functional import pad

ROWS = 64  # rows that share a diagonal's block


def line_entries(band_rank: Tensor, column_rank: Tensor, verticals: Tensor, slashes: Tensor, queries: int) -> Tensor:
    """Count the causal entries of plans that keep lines of a rank below a limit, `[n, B, H]` int64.

    `band_rank` `[B, H, S + 64]` int32: at how many diagonals the place i - S relative to a block's first position joins
    the bands; `column_rank` `[B, H, S]` int32 likewise. `verticals`, `slashes` `[n, B, H]` int32 are the limits of the
    n plans. Rows come in blocks of 64; each pair is counted once, as in `VerticalSlashPlan.computed`. One plan at a
    time; on a GPU the searches count for themselves (`triton_line_entries`).
    """
    keys = column_rank.shape[-1]
    row = torch.arange(keys, device=band_rank.device) - (keys - queries)  # row at which a key stands
    blocks = -(-queries // ROWS)
    short = queries - (blocks - 1) * ROWS  # rows of the last block
    place = torch.arange(keys + ROWS, device=band_rank.device) - keys
    begin = -(-(-place - (keys - queries)).clamp(min=0) // ROWS)  # first block whose place is a key
    weight = (queries - begin * ROWS).clamp(min=0)
    ahead = (blocks - 1) * (ROWS - place).clamp(min=0) + (short - place).clamp(min=0)
    weight = torch.where(place > 0, ahead, weight)

    first = -(-row.clamp(min=0) // ROWS)  # first block that sees a column in all its rows
    here, last = row - first * ROWS + keys, row - (blocks - 1) * ROWS + keys
    partial = (row > 0) & (row % ROWS > 0)  # the block before sees it in its later rows
    seen = (queries - (first - 1) * ROWS).clamp(max=ROWS) - (row - (first - 1) * ROWS)
    visible = queries - row.clamp(min=0)
    found = []
    for vertical, slash in zip(verticals, slashes):
        covered = band_rank < slash[..., None]
        strided = pad(covered, (ROWS, -(keys + ROWS) % ROWS)).unflatten(-1, (-1, ROWS)).int().cumsum(-2).flatten(-2)
        # Entry i + 64 of `strided` counts covered places i, i - 64, ...; a place before 0 reads as none.
        upto, upto_last, at_last = strided[..., here + ROWS], strided[..., last + ROWS], covered[..., last]
        in_bands = torch.where(first < blocks, (upto - upto_last) * ROWS + at_last * short, 0)
        in_bands = in_bands + torch.where(partial, covered[..., (here + ROWS).clamp(max=keys + ROWS - 1)] * seen, 0)
        alone = torch.where(column_rank < vertical[..., None], visible - in_bands, 0)
        found.append(torch.where(covered, weight, 0).sum(-1) + alone.sum(-1))
    return torch.stack(found)
