"""Estimated attention between blocks, from sums along the antidiagonals of small tiles of the score matrix."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from nl_tasks.kernels.devices import runs_triton
from nl_tasks.kernels.masked import scratch_bytes


def block_mass(q: Tensor, k: Tensor, *, scale: float, block: int, stride: int) -> Tensor:
    """Estimated attention of each query block to each key block, `[B, Hq, R, C]` float32.

    Groups of `stride` rows (queries from the first row, keys from position 0, missing ones zeros): the score of two
    groups is the mean of the scaled products of query i with key stride - 1 - i; softmax over the key groups that start
    no later than the query group ends; summed over the groups of both blocks. Both sizes are powers of 2. On a GPU no
    scores are stored; elsewhere those of some rows of a head at a time.
    """
    if runs_triton(q):
        from nl_tasks.kernels.triton_antidiagonals import block_mass_triton

        return block_mass_triton(q, k, scale=scale, block=block, stride=stride)
    return block_mass_torch(q, k, scale=scale, block=block, stride=stride)


def block_mass_torch(q: Tensor, k: Tensor, *, scale: float, block: int, stride: int) -> Tensor:
    """`block_mass` in plain torch."""
    batch, heads, queries, _ = q.shape
    keys, per, shared = k.shape[2], block // stride, heads // k.shape[1]
    # Queries forward and keys backward, side by side: one product sums along an antidiagonal.
    left = pad(q, (0, 0, 0, -queries % block)).unflatten(2, (-1, stride)).flatten(3)
    right = pad(k, (0, 0, 0, -keys % block)).unflatten(2, (-1, stride)).flip(3).flatten(3)
    rows, columns = left.shape[2], right.shape[2]
    last = (torch.arange(rows, device=q.device) + 1) * stride - 1 + keys - queries
    real = torch.arange(rows, device=q.device) * stride < queries
    upto = torch.where(real, last.clamp(max=keys - 1) // stride, -1).int()  # last key group that a query group sees
    mass = q.new_empty(batch, heads, rows // per, columns // per, dtype=torch.float32)
    step = per * max(1, scratch_bytes(q.device) // (columns * per * 4))
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        final = (min(stop * stride, queries) - 1 + keys - queries) // stride + 1
        width = min(columns, -(-final // per) * per)  # later blocks are not seen
        mass[:, :, start // per : stop // per, width // per :] = 0
        for b in range(batch):
            for h in range(heads):
                scores = wide_product(left[b, h, start:stop], right[b, h // shared, :width].T)
                out = mass[b, h, start // per : stop // per, : width // per]
                out.copy_(softmax_blocks(scores, upto[start:stop], per, scale / stride))
    return mass


def softmax_blocks(scores: Tensor, upto: Tensor, per: int, scale: float) -> Tensor:
    """Softmax of `scale * scores` `[n, m]` over the columns up to `upto` `[n]`, summed over `per` x `per` blocks."""
    allowed = torch.arange(scores.shape[1], device=scores.device) <= upto[:, None]
    weights = (scores * scale).masked_fill_(~allowed, -torch.inf).softmax(-1).nan_to_num_(0)
    return weights.unflatten(0, (-1, per)).unflatten(2, (-1, per)).sum((1, 3))


def wide_product(a: Tensor, b: Tensor) -> Tensor:
    """`a @ b` summed and returned in float32, whatever the inputs' type."""
    if a.is_cuda and a.dtype != torch.float32:
        return torch.mm(a, b, out_dtype=torch.float32)
    return a.float() @ b.float()
