"""How much the last queries attend to each key: what SnapKV and Ada-SnapKV rank tokens by."""

from typing import Literal

import torch
from torch import Tensor

from nl_tasks.kernels.devices import runs_triton
from nl_tasks.kernels.plan import causal_mask


def window_scores(q: Tensor, k: Tensor, *, scale: float, over: Literal["mean", "max"]) -> Tensor:
    """Causal attention from the rows `q` `[B, Hq, w, D]`, the last of the positions of `k`, to each key.

    `k` is `[B, Hkv, S, D]`; the result `[B, Hkv, S]` float32. `over="mean"` averages over the query heads of a KV head
    and sums over queries, "max" takes the largest of all. On a GPU no weights are stored; elsewhere those of one head.
    """
    if runs_triton(q) and q.shape[-1] <= 256:
        from nl_tasks.kernels.triton_window_scores import window_scores_triton

        return window_scores_triton(q, k, scale=scale, over=over)
    return window_scores_torch(q, k, scale=scale, over=over)


def window_scores_torch(q: Tensor, k: Tensor, *, scale: float, over: Literal["mean", "max"]) -> Tensor:
    """`window_scores` in plain torch."""
    batch, heads, rows, _ = q.shape
    keys, group = k.shape[2], heads // k.shape[1]
    allowed = causal_mask(0, rows, keys - rows, keys, q.device)
    found = q.new_zeros(batch, k.shape[1], keys, dtype=torch.float32)
    for b in range(batch):
        for h in range(heads):  # a head at a time: the weights of all would not fit at long lengths
            scores = (q[b, h].float() @ k[b, h // group].float().T) * scale
            weights = scores.masked_fill_(~allowed, -torch.inf).softmax(-1)
            if over == "mean":
                found[b, h // group] += weights.sum(0) / group
            else:
                found[b, h // group] = torch.maximum(found[b, h // group], weights.amax(0))
    return found
