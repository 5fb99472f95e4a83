"""Decode attention over single tokens or pages in plain torch: gathers what the plan lists, for all heads at once."""

import torch
from torch import Tensor

from nl_tasks.kernels.masked import attend
from nl_tasks.kernels.plan import PagePlan, TokenPlan
from nl_tasks.kernels.provider import kernel


@kernel(TokenPlan, "torch")
def token_attention(q: Tensor, k: Tensor, v: Tensor, plan: TokenPlan, *, scale: float) -> tuple[Tensor, Tensor]:
    """Attention of one query row over the listed tokens; shapes as in `AttentionKernel` with T = 1."""
    return _gathered(q, k, v, plan.tokens.long(), plan.valid(), scale)


@kernel(PagePlan, "torch")
def page_attention(q: Tensor, k: Tensor, v: Tensor, plan: PagePlan, *, scale: float) -> tuple[Tensor, Tensor]:
    """Attention of one query row over the listed pages; shapes as in `AttentionKernel` with T = 1."""
    tokens = plan.pages.long()[..., None] * plan.page + torch.arange(plan.page, device=q.device)
    valid = plan.valid()[..., None] & (tokens < plan.keys)
    return _gathered(q, k, v, tokens.clamp(max=plan.keys - 1).flatten(2), valid.flatten(2), scale)


def _gathered(q: Tensor, k: Tensor, v: Tensor, tokens: Tensor, valid: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    batch, heads, queries, dim = q.shape
    per = tokens.shape[1]  # heads that select on their own: query heads, or KV heads
    kv = torch.arange(per, device=q.device)[:, None] // (per // k.shape[1])
    rows = torch.arange(batch, device=q.device)[:, None, None]
    keys, values = k[rows, kv, tokens], v[rows, kv, tokens]  # [B, H, n, D]
    grouped = q.reshape(batch, per, heads // per * queries, dim)
    out, lse = attend((grouped @ keys.mT).float() * scale, valid[:, :, None], values)
    return out.view(batch, heads, queries, dim), lse.view(batch, heads, queries)
