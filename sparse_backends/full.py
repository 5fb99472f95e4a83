"""Dense causal attention for the layers and phases that a method leaves alone, by the fastest kernel there is."""

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
    queries, keys = q.shape[2], k.shape[2]
    offset = keys - queries
    shared = q.shape[1] != k.shape[1]
    if window is None or window >= keys:
        fast = fastest_dense(q, k, v, scale=scale)
        if fast is not None:
            return fast
        if queries in (1, keys):
            return scaled_dot_product_attention(q, k, v, scale=scale, is_causal=queries > 1, enable_gqa=shared)
        window = keys
    out = torch.empty_like(q)
    step = max(16, min(queries, _MASK_ENTRIES // keys))
    for start in range(0, queries, step):
        stop = min(start + step, queries)
        low, high = max(0, offset + start - window + 1), offset + stop
        near = torch.arange(low, high, device=q.device) > torch.arange(start, stop, device=q.device)[:, None] + (
            offset - window
        )
        allowed = causal_mask(start, stop, offset - low, high - low, q.device) & near
        out[:, :, start:stop] = scaled_dot_product_attention(
            q[:, :, start:stop], k[:, :, low:high], v[:, :, low:high], allowed, scale=scale, enable_gqa=shared
        )
    return out
