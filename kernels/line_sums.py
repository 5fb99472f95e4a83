"""How much attention the last queries pay to each column and each diagonal, for all heads at once."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from nl_tasks.kernels.devices import runs_triton
from nl_tasks.kernels.masked import scratch_bytes
from nl_tasks.kernels.plan import causal_mask


def line_sums(q: Tensor, k: Tensor, *, scale: float) -> tuple[Tensor, Tensor]:
    """Sum the causal attention of the rows `q` `[B, Hq, w, D]`, the last of the positions of `k` `[B, Hkv, S, D]`.

    Returns columns `[B, Hq, S]` by key and diagonals `[B, Hq, S]` by distance (query position less key), float32. On
    a GPU the weights stay in registers; elsewhere a few heads' `[w, S]` are held at a time.
    """
    if runs_triton(q) and q.shape[-1] <= 256:
        from nl_tasks.kernels.triton_line_sums import line_sums_triton

        return line_sums_triton(q, k, scale=scale)
    return line_sums_torch(q, k, scale=scale)


def line_sums_torch(q: Tensor, k: Tensor, *, scale: float) -> tuple[Tensor, Tensor]:
    """`line_sums` in plain torch, float32."""
    batch, heads, rows, _ = q.shape
    keys, group = k.shape[2], heads // k.shape[1]
    columns, diagonals = (q.new_empty(batch, heads, keys, dtype=torch.float32) for _ in range(2))
    allowed = causal_mask(0, rows, keys - rows, keys, q.device)
    step = max(1, scratch_bytes(q.device) // (rows * keys * 12))
    for b in range(batch):
        for start in range(0, heads, step):
            part = slice(start, min(start + step, heads))
            of = torch.arange(start, part.stop, device=k.device) // group
            scores = (q[b, part].float() @ k[b, of].float().mT) * scale
            weights = scores.masked_fill_(~allowed, -torch.inf).softmax(-1)
            columns[b, part] = weights.sum(1)
            diagonals[b, part] = diagonal_sums(weights)
    return columns, diagonals


def diagonal_sums(weights: Tensor) -> Tensor:
    """Sum `weights` `[..., w, S]` of the last w rows along diagonals: entry d of `[..., S]` sums key = query - d."""
    rows, keys = weights.shape[-2:]
    flipped = pad(weights.flip(-1), (0, rows)).flatten(-2)  # row i, column j: distance i + j - (rows - 1)
    strides = (*flipped.stride()[:-1], keys + rows - 1, 1)
    first = flipped.storage_offset() + rows - 1
    return flipped.as_strided((*flipped.shape[:-1], rows, keys), strides, first).sum(-2)
