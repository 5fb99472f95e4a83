"""The attention mask as the hook wants it: which tokens are real, `[B, S]`, or None if all are.

A mask for every pair of tokens would be larger than all else at the lengths this package is for.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers.masking_utils import bidirectional_mask_function, causal_mask_function, sdpa_mask


def padding_mask(
    batch_size: int,
    q_length: int,
    kv_length: int,
    q_offset: int = 0,
    kv_offset: int = 0,
    mask_function: Callable[..., Any] = causal_mask_function,
    attention_mask: Tensor | None = None,
    local_size: int | None = None,
    allow_is_causal_skip: bool = True,
    **kwargs: Any,
) -> Tensor | None:
    """Return the real tokens among all seen so far, `[B, S]` bool, or None; for transformers' `AttentionMaskInterface`.

    Layers that hold fewer keys (sliding windows) hold the last of them. Bidirectional masks are left to transformers.
    Raises ValueError for what a sparse plan cannot honour: static caches, packed sequences, masks of another form.
    """
    if mask_function is bidirectional_mask_function:
        return sdpa_mask(
            batch_size, q_length, kv_length, q_offset, kv_offset, mask_function, attention_mask, local_size, **kwargs
        )
    if isinstance(q_offset, Tensor) or kv_length + kv_offset != q_offset + q_length:
        raise ValueError("sparse attention needs a cache that grows: cache_implementation='dynamic', not a static one")
    plain = mask_function is causal_mask_function or (local_size is not None and _is_window(mask_function, local_size))
    if not (plain and allow_is_causal_skip):
        raise ValueError(
            "sparse attention is for causal masks with padding: packed or custom masks are not supported, nor those of "
            "images (where there is none, leave token_type_ids out)"
        )
    if attention_mask is None or bool(attention_mask.all()):
        return None
    if attention_mask.shape[1] != kv_length + kv_offset:
        raise ValueError(
            f"attention_mask is for {attention_mask.shape[1]} tokens; with those in the cache there are "
            f"{kv_length + kv_offset}"
        )
    return attention_mask.to(torch.bool, copy=True)  # the caller may change theirs, and layers remember this one


def _is_window(mask_function: Callable[..., Any], size: int) -> bool:
    if size == 0:  # a model without windows, whose config has 0 of them and asks for a mask that no layer takes
        return True
    # Told from attention in chunks, which comes with a size too, by what it does at the edges.
    queries, keys = torch.tensor([size - 1, size, size]), torch.tensor([0, 0, min(1, size)])
    zero = torch.zeros(3, dtype=torch.long)
    return torch.as_tensor(mask_function(zero, zero, queries, keys)).tolist() == [True, False, True]
