"""Block-sparse attention through torch's FlexAttention, for comparison: compiled anew for each shape."""

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import flex_attention as flex
from torch.nn.functional import pad

from nl_tasks.kernels.fa4 import block_lists
from nl_tasks.kernels.plan import BlockPlan
from nl_tasks.kernels.provider import kernel


def usable(q: Tensor, plan: BlockPlan) -> bool:
    """On a GPU with torch 2.9, blocks that tiles of 128 rows and 64 keys divide, power-of-two head dimensions."""
    blocks = plan.query_block % 128 == 0 and plan.key_block % 64 == 0
    return q.is_cuda and hasattr(flex, "AuxRequest") and blocks and q.shape[-1] in (16, 32, 64, 128, 256)


@kernel(BlockPlan, "flex", usable)
def block_sparse_flex(q: Tensor, k: Tensor, v: Tensor, plan: BlockPlan, *, scale: float) -> tuple[Tensor, Tensor]:
    """Attention over the listed blocks; shapes as in `AttentionKernel`."""
    cut, cut_lists, whole, whole_lists = block_lists(plan, q.shape[1])
    columns, offset = -(-plan.keys // plan.key_block), plan.offset
    cut_lists, whole_lists = (pad(lists, (0, columns - lists.shape[-1])) for lists in (cut_lists, whole_lists))

    def causal(batch: Tensor, head: Tensor, row: Tensor, key: Tensor) -> Tensor:
        return key <= row + offset

    mask = flex.BlockMask.from_kv_blocks(
        cut, cut_lists, whole, whole_lists, BLOCK_SIZE=(plan.query_block, plan.key_block), mask_mod=causal,
        seq_lengths=(plan.queries, plan.keys),
    )  # fmt: skip
    run: Any = _compiled() if q.is_cuda else flex.flex_attention
    shared = q.shape[1] != k.shape[1]
    out, aux = run(q, k, v, block_mask=mask, scale=scale, enable_gqa=shared, return_aux=flex.AuxRequest(lse=True))
    return out, aux.lse


@cache
def _compiled() -> Any:
    return torch.compile(flex.flex_attention, dynamic=False)
