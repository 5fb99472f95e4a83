"""FlashAttention-4 (package flash-attn-4): dense and block-sparse attention for Hopper, compiled at the first call."""

import warnings
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from nl_tasks.kernels.plan import BlockPlan, FullPlan
from nl_tasks.kernels.provider import kernel


@cache
def has_fa4() -> bool:
    """Whether flash-attn-4 is installed and can be imported; warns, once, if it is and cannot."""
    try:
        if find_spec("flash_attn.cute") is None:
            return False
    except (ImportError, ValueError):  # no flash_attn at all
        return False
    try:
        for module in ("interface", "block_sparsity"):
            import_module(f"flash_attn.cute.{module}")
    except Exception as error:  # whatever is missing of it, or too new or old for it
        reason = (str(error).strip().splitlines() or [""])[0]
        warnings.warn(
            f"flash-attn-4 is installed but cannot be imported ({type(error).__name__}: {reason}); "
            "other kernels run instead: pip install 'nl-tasks[fa4]' mends it, or remove flash-attn-4",
            stacklevel=2,
        )
        return False
    return True


def runs_fa4(q: Tensor) -> bool:
    """Whether FlashAttention-4 runs on q `[B, H, T, D]`: Hopper, 16 bits, head dimensions it has tiles for."""
    fits = q.is_cuda and q.dtype in (torch.bfloat16, torch.float16) and q.shape[-1] % 8 == 0 and q.shape[-1] <= 256
    return fits and torch.cuda.get_device_capability(q.device)[0] == 9 and has_fa4()


def usable(q: Tensor, plan: BlockPlan) -> bool:
    """Square blocks of 64 or 128, head dimensions whose tiles of keys have that width."""
    block = plan.query_block
    fits = plan.key_block == block and block in (64, 128) and q.shape[-1] <= (192 if block == 64 else 128)
    return fits and runs_fa4(q)


def pays_from(plan: BlockPlan) -> int:
    """Rows from about which it is faster than Triton's kernel (benchmarks/h200_prefill.txt).

    Blocks of 128: from 16k at sparsity 0.5, from 32k at 0.8 and more. Of 64: level at 64k, 3% faster at 128k.
    """
    return (16 if plan.key_block == 128 else 96) * 1024


@kernel(BlockPlan, "fa4", usable, pays_from)
def block_sparse_fa4(q: Tensor, k: Tensor, v: Tensor, plan: BlockPlan, *, scale: float) -> tuple[Tensor, Tensor]:
    """Attention over the listed blocks; shapes as in `AttentionKernel`."""
    from flash_attn.cute.block_sparsity import BlockSparseTensorsTorch

    from nl_tasks.kernels.fa4_masks import causal, causal_with_offset

    lists = block_lists(plan, q.shape[1])
    return flash_attention(
        q, k, v, scale,
        mask_mod=causal_with_offset if plan.offset else causal,
        block_sparse_tensors=BlockSparseTensorsTorch(*lists, block_size=(plan.query_block, plan.key_block)),
        pack_gqa=False,
    )  # fmt: skip


@kernel(FullPlan, "fa4", lambda q, plan: runs_fa4(q))
def full_fa4(q: Tensor, k: Tensor, v: Tensor, plan: FullPlan | None = None, *, scale: float) -> tuple[Tensor, Tensor]:
    """Dense causal attention; shapes as in `AttentionKernel`."""
    return flash_attention(q, k, v, scale, causal=True)


def flash_attention(q: Tensor, k: Tensor, v: Tensor, scale: float, **options: Any) -> tuple[Tensor, Tensor]:
    """Call the package on `[B, H, T, D]` tensors; output and log-sum-exp."""
    from flash_attn.cute.interface import flash_attn_func

    rows_first = (x.transpose(1, 2) for x in (q, k, v))
    with torch.no_grad():
        out, lse = flash_attn_func(*rows_first, softmax_scale=scale, return_lse=True, **options)
    return out.transpose(1, 2), lse


def block_lists(plan: BlockPlan, heads: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Split a plan's lists into the blocks that causality cuts and those that every row sees whole.

    Returns (counts, indices) of the cut blocks, then of the whole ones: `[B, heads, R]` and `[B, heads, R, n]` int32.
    """
    indices, counts = plan.indices, plan.counts
    first = torch.arange(indices.shape[2], device=plan.device) * plan.query_block + plan.offset
    near = min(-(-plan.query_block // plan.key_block) + 1, -(-plan.keys // plan.key_block))
    steps = torch.arange(near, device=plan.device)
    # Lists ascend: only the last entries can reach past the position of a block's first row.
    place = counts[..., None] - near + steps
    last = indices.gather(-1, place.clamp(0, indices.shape[-1] - 1).long())
    cut = ((place >= 0) & ((last + 1) * plan.key_block > first[:, None] + 1)).sum(-1, dtype=torch.int32)
    whole = counts - cut
    place = (whole[..., None] + steps).clamp(max=indices.shape[-1] - 1)
    lists = cut, indices.gather(-1, place.long()), whole, indices
    shared = heads // indices.shape[1]
    return tuple((x.repeat_interleave(shared, 1) if shared > 1 else x).contiguous() for x in lists)  # type: ignore
