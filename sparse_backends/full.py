"""Dense causal attention for the layers and phases that a method leaves alone, by the fastest kernel there is."""

import math

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from nl_tasks.kernels.dense import fastest_dense
from nl_tasks.kernels.plan import causal_mask

_MASK_ENTRIES = 2**24  # of a boolean mask, where one is needed


def full_attention(q: Tensor, k: Tensor, v: Tensor, *, scale: float, window: int | None = None) -> Tensor:
    """Causal attention of `q` `[B, Hq, T, D]`, the last T positions, over `k`, `v` `[B, Hkv, S, D]`; shaped like q.

    With `window` a query sees that many keys, itself included.
    """
    if q.shape[2] == 1 and window is not None:  # it sees all that is in its window
        k, v, window = k[:, :, -window:], v[:, :, -window:], None
    queries, keys = q.shape[2], k.shape[2]
    offset = keys - queries
    group = q.shape[1] // k.shape[1]
    if window is None or window >= keys:
        fast = fastest_dense(q, k, v, scale=scale)
        if fast is not None:
            return fast
        if queries in (1, keys):
            return scaled_dot_product_attention(q, k, v, scale=scale, is_causal=queries > 1, enable_gqa=group > 1)
        window = keys
    # With both a mask and grouped heads torch has but its slowest kernel for GPUs, which keeps all scores.
    if window == keys:
        k, v, group = _each(k, group), _each(v, group), 1
    out = torch.empty_like(q)
    step = _rows(queries, keys, window)
    for start in range(0, queries, step):
        stop = min(start + step, queries)
        low, high = max(0, offset + start - window + 1), offset + stop
        near = torch.arange(low, high, device=q.device) > torch.arange(start, stop, device=q.device)[:, None] + (
            offset - window
        )
        allowed = causal_mask(start, stop, offset - low, high - low, q.device) & near
        near_k, near_v = (_each(x[:, :, low:high], group) for x in (k, v))
        out[:, :, start:stop] = scaled_dot_product_attention(q[:, :, start:stop], near_k, near_v, allowed, scale=scale)
    return out


def _each(x: Tensor, group: int) -> Tensor:
    """Keys or values once for each of `group` query heads."""
    return x if group == 1 else x.repeat_interleave(group, 1)


def _rows(queries: int, keys: int, window: int) -> int:
    """How many rows' masks, of the keys that they see together, have no more than `_MASK_ENTRIES`; at least 16."""
    all_keys = _MASK_ENTRIES // keys
    in_window = (math.isqrt(window * window + 4 * _MASK_ENTRIES) - window) // 2  # rows (rows + window) entries
    return max(16, min(queries, max(all_keys, in_window)))
