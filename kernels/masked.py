"""Attention over any plan by its boolean mask, one head and one chunk of query rows at a time."""

import torch
from torch import Tensor

from nl_tasks.kernels.plan import FullPlan, Plan
from nl_tasks.kernels.provider import kernel
from nl_tasks.kernels.score_plan import ScorePlan


def scratch_bytes(device: torch.device) -> int:
    """Bytes that a torch kernel may hold beside inputs and outputs, give or take a small factor."""
    return (8 if device.type == "cpu" else 256) * 2**20  # on a CPU more would only fall out of the caches


def attend(scores: Tensor, allowed: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax of `scores` `[..., n, m]` float32 where `allowed`, applied to `v` `[..., m, D]`; and its log-sum-exp.

    A row with nothing allowed gets zeros and -inf.
    """
    scores = scores.masked_fill_(~allowed, float("-inf"))
    lse = scores.logsumexp(-1)
    weights = scores.sub_(lse.clamp(min=torch.finfo(lse.dtype).min)[..., None]).exp_()
    return weights.to(v.dtype) @ v, lse


@kernel(ScorePlan, "torch")
@kernel(FullPlan, "torch")
def masked_attention(q: Tensor, k: Tensor, v: Tensor, plan: Plan, *, scale: float) -> tuple[Tensor, Tensor]:
    """Attention over any `plan`; shapes as in `AttentionKernel`. Costs what dense attention costs."""
    batch, heads, queries, _ = q.shape
    group = heads // k.shape[1]
    out, lse = torch.empty_like(q), q.new_empty(batch, heads, queries, dtype=torch.float32)
    rows = max(16, min(queries, 8 * scratch_bytes(q.device) // ((batch * heads + 8) * k.shape[2])))
    for start in range(0, queries, rows):
        stop = min(start + rows, queries)
        allowed = plan.mask(start, stop)
        shared = heads // allowed.shape[1]
        for b in range(batch):
            for h in range(heads):
                scores = (q[b, h, start:stop] @ k[b, h // group].T).float() * scale
                found = attend(scores, allowed[b, h // shared], v[b, h // group])
                out[b, h, start:stop], lse[b, h, start:stop] = found
    return out, lse
