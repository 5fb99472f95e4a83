# mypy: disallow-untyped-defs=False
"""Masks as CuTe functions for FlashAttention-4, which compiles them into its kernel."""

import cutlass
import cutlass.cute as cute
from flash_attn.cute import utils


@cute.jit
def causal(batch, head, row, key, seqlen_info, aux_tensors):
    """Row t stands at position t."""
    return key <= row


@cute.jit
def causal_with_offset(batch, head, row, key, seqlen_info, aux_tensors):
    """The rows are the last positions of the keys."""
    offset = utils.scalar_to_ssa(seqlen_info.seqlen_k - seqlen_info.seqlen_q, cutlass.Int32)
    return key <= row + offset
