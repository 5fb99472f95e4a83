"""Vertical-slash attention in two steps: FlashAttention-4 over the blocks that bands fill, Triton over all else."""

import torch
from torch import Tensor

from nl_tasks.kernels.band_index import BandIndex
from nl_tasks.kernels.band_split import BLOCK, HALF, band_split
from nl_tasks.kernels.column_blocks import column_blocks
from nl_tasks.kernels.compact import count_below, expand
from nl_tasks.kernels.devices import runs_triton
from nl_tasks.kernels.fa4 import flash_attention, runs_fa4
from nl_tasks.kernels.plan import VerticalSlashPlan
from nl_tasks.kernels.provider import kernel

_SHORTEST = 256  # tokens: for fewer a second kernel is not worth its start, and a call of one came out wrong


def usable(q: Tensor, plan: VerticalSlashPlan) -> bool:
    """Row blocks of 64 that pair up to 128 at whole multiples of 128, head dimensions up to 128, no short calls."""
    aligned = plan.query_block == HALF and plan.offset % BLOCK == 0 and plan.queries >= _SHORTEST
    return aligned and q.shape[-1] <= 128 and runs_fa4(q) and runs_triton(q)


@kernel(VerticalSlashPlan, "fa4", usable, pays_from=lambda plan: 24 * 1024)
def vertical_slash_fa4(
    q: Tensor, k: Tensor, v: Tensor, plan: VerticalSlashPlan, *, scale: float
) -> tuple[Tensor, Tensor]:
    """Attention over the plan's columns and bands; shapes as in `AttentionKernel`.

    The Triton kernel goes on from FlashAttention-4's output and log-sum-exp, so that nothing has to be merged.
    """
    from flash_attn.cute.block_sparsity import BlockSparseTensorsTorch

    from nl_tasks.kernels.triton_vertical_slash import choose_tile, walk

    counts, lists, intervals = split_bands(plan)
    shared = q.shape[1] // counts.shape[1]
    counts, lists = (x.repeat_interleave(shared, 1) if shared > 1 else x for x in (counts, lists))
    none = torch.zeros_like(counts)
    blocks = BlockSparseTensorsTorch(none, none[..., None], counts, lists, block_size=(BLOCK, BLOCK))
    begun = flash_attention(q, k, v, scale, block_sparse_tensors=blocks, pack_gqa=False)
    del lists, blocks  # as large as the output, at a million tokens
    index = BandIndex.of(plan, HALF, intervals)
    return walk(q, k, v, plan, index, column_blocks(plan), choose_tile(q), scale, begun)


def split_bands(plan: VerticalSlashPlan) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    """Split bands into blocks of 128 keys that all of 128 rows see, and what is left for either half of the rows.

    Returns counts `[B, H, R]` and lists `[B, H, R, n]` int32 of key blocks for each 128 rows, and starts and ends
    `[B, H, 2, 2 N]` of the rest, relative to the first row of the 64 of either half.
    """
    back, lengths, starts, ends = band_split(plan.starts, plan.ends, plan.bands)
    back = expand(back, lengths, -(-plan.keys // BLOCK))  # blocks back from a row's own, of which it sees a part
    first = plan.offset // BLOCK
    own = torch.arange(first, first - (-plan.queries // BLOCK), device=plan.device, dtype=torch.int32)
    return count_below(back, own + 1), own[:, None] - back[:, :, None], (starts, ends)
