"""Block-sparse attention in plain torch: gathers the key blocks of a few query blocks at a time."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from nl_tasks.kernels.masked import attend, scratch_bytes
from nl_tasks.kernels.plan import BlockPlan
from nl_tasks.kernels.provider import kernel


@kernel(BlockPlan, "torch")
def block_sparse_attention(q: Tensor, k: Tensor, v: Tensor, plan: BlockPlan, *, scale: float) -> tuple[Tensor, Tensor]:
    """Attention over the listed blocks; shapes as in `AttentionKernel`, scores in float32."""
    batch, heads, queries, dim = q.shape
    bq, bk = plan.query_block, plan.key_block
    group, shared = heads // k.shape[1], heads // plan.indices.shape[1]
    blocks, rows = -(-plan.keys // bk), plan.indices.shape[2]
    k, v = (pad(x, (0, 0, 0, blocks * bk - plan.keys)).unflatten(2, (blocks, bk)) for x in (k, v))
    q = pad(q, (0, 0, 0, rows * bq - queries)).unflatten(2, (rows, bq))
    out, lse = torch.empty_like(q), q.new_empty(batch, heads, rows, bq, dtype=torch.float32)
    position = torch.arange(rows * bq, device=q.device).view(rows, bq) + plan.offset
    valid, inside = plan.valid(), torch.arange(bk, device=q.device)
    step = max(1, scratch_bytes(q.device) // (plan.indices.shape[-1] * bk * (2 * dim + 4 * bq) * 4))
    for start in range(0, rows, step):
        part = slice(start, start + step)
        last = min((start + step) * bq, queries) - 1 + plan.offset
        some = slice(0, last // bk + 1)  # a row lists no more blocks than causality allows it
        for b in range(batch):
            for h in range(heads):
                index = plan.indices[b, h // shared, part, some].long()  # [r, m]
                key = (index[..., None] * bk + inside).flatten(1)[:, None]  # [r, 1, m * bk]
                allowed = key <= position[part, :, None]
                allowed &= valid[b, h // shared, part, some].repeat_interleave(bk, 1)[:, None]
                keys, values = (x[b, h // group][index].flatten(1, 2) for x in (k, v))  # [r, m * bk, D]
                scores = (q[b, h, part] @ keys.mT).float() * scale
                out[b, h, part], lse[b, h, part] = attend(scores, allowed, values)
    return out.flatten(2, 3)[:, :, :queries], lse.flatten(2, 3)[:, :, :queries]
