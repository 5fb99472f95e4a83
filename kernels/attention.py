"""Attention over a plan: one call for every plan and every provider.

out, lse = attention(q, k, v, plan, scale=128**-0.5)                   # the fastest kernel that can
out, lse = attention(q, k, v, plan, scale=128**-0.5, provider="torch") # plain torch, any device
"""

from torch import Tensor

from nl_tasks.kernels import (  # noqa: F401 (they register themselves)
    block_sparse,
    fa4,
    fa4_vertical_slash,
    flex_block_sparse,
    masked,
    tokens,
    vertical_slash,
)
from nl_tasks.kernels.devices import has_triton, on_device_of
from nl_tasks.kernels.plan import Plan
from nl_tasks.kernels.provider import find_kernel

if has_triton():
    from nl_tasks.kernels import triton_block_sparse, triton_tokens, triton_vertical_slash  # noqa: F401


def attention(
    q: Tensor, k: Tensor, v: Tensor, plan: Plan, *, scale: float, provider: str = "auto"
) -> tuple[Tensor, Tensor]:
    """Causal attention of `q` `[B, Hq, T, D]` over `k`, `v` `[B, Hkv, S, D]`, computed where `plan` says.

    Returns the output `[B, Hq, T, D]` in q's dtype and the log-sum-exp of each row's scores `[B, Hq, T]` (float32,
    natural logarithm). Raises ValueError if the shapes and the plan disagree or the provider cannot run them.
    """
    batch, heads, queries, dim = q.shape
    if k.shape != v.shape or k.shape[0] != batch or k.shape[3] != dim or heads % k.shape[1]:
        raise ValueError(f"shapes disagree: q {tuple(q.shape)}, k {tuple(k.shape)}, v {tuple(v.shape)}")
    if (plan.queries, plan.keys) != (queries, k.shape[2]):
        raise ValueError(f"the plan is for {plan.queries} rows x {plan.keys} keys, not {queries} x {k.shape[2]}")
    with on_device_of(q):
        return find_kernel(q, plan, provider)(q, k, v, plan, scale=scale)
