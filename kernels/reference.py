"""Attention over a plan as its definition reads: a dense masked softmax in float64, to test every kernel against."""

import torch
from torch import Tensor

from nl_tasks.kernels.plan import Plan


def reference_attention(q: Tensor, k: Tensor, v: Tensor, plan: Plan, *, scale: float) -> tuple[Tensor, Tensor]:
    """Output `[B, Hq, T, D]` and log-sum-exp `[B, Hq, T]`, both float64. Holds the whole `[B, Hq, T, S]` matrix."""
    heads = q.shape[1]
    k, v = (x.double().repeat_interleave(heads // k.shape[1], 1) for x in (k, v))
    allowed = plan.mask(0, plan.queries)
    allowed = allowed.repeat_interleave(heads // allowed.shape[1], 1)
    scores = (q.double() @ k.mT * scale).masked_fill(~allowed, float("-inf"))
    return torch.softmax(scores, -1) @ v, scores.logsumexp(-1)
