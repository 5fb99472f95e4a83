"""How much of the attention itself falls into each block: what an oracle of blocks ranks them by."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from nl_tasks.kernels.devices import runs_triton
from nl_tasks.kernels.masked import scratch_bytes
from nl_tasks.kernels.plan import causal_mask


def attention_mass(q: Tensor, k: Tensor, *, scale: float, block: int) -> Tensor:
    """Causal attention probabilities of `q` `[B, Hq, T, D]`, the last positions of `k`, summed over square blocks.

    `k` is `[B, Hkv, S, D]`, `block` a power of 2 from 16 to 128. Returns `[B, Hq, R, C]` float32: R blocks of queries,
    counted from row 0, and C of keys. On a GPU no probabilities are stored; elsewhere those of one sequence at a time.
    """
    if runs_triton(q) and q.shape[-1] <= 256:
        from nl_tasks.kernels.triton_attention_mass import attention_mass_triton

        return attention_mass_triton(q, k, scale=scale, block=block)
    return attention_mass_torch(q, k, scale=scale, block=block)


def attention_mass_torch(q: Tensor, k: Tensor, *, scale: float, block: int) -> Tensor:
    """`attention_mass` in plain torch."""
    return torch.stack([_of_sequence(q[b], k[b], scale, block) for b in range(len(q))])


def _of_sequence(q: Tensor, k: Tensor, scale: float, block: int) -> Tensor:
    heads, queries, _ = q.shape
    keys = k.shape[1]
    mass = torch.zeros(heads, -(-queries // block), -(-keys // block), device=q.device)
    columns = k.float().mT[:, None]  # [Hkv, 1, D, S]
    most = scratch_bytes(q.device) // (8 * heads * keys * block)  # the scores, and the weights they become
    step = block * max(1, min(most, mass.shape[1]))  # rows at a time: whole blocks of them
    for start in range(0, queries, step):
        stop = min(start + step, queries)
        end = keys - queries + stop  # what the last of the rows sees
        rows = (q[:, start:stop].float() * scale).unflatten(0, (len(k), -1))  # [Hkv, G, rows, D]
        scores = (rows @ columns[..., :end]).flatten(0, 1)
        # Only the columns that some of the rows do not see: all of it is read and written as seldom as can be
        unseen = ~causal_mask(start, stop, keys - queries, end, q.device)[:, start - stop :]
        scores[..., start - stop :].masked_fill_(unseen, -torch.inf)
        weights = scores.softmax(-1)
        if end % block:
            weights = pad(weights, (0, -end % block))
        blocks = weights.unflatten(2, (-1, block)).sum(3)
        blocks = pad(blocks, (0, 0, 0, -(stop - start) % block)).unflatten(1, (-1, block)).sum(2)
        first = start // block
        mass[:, first : first + blocks.shape[1], : blocks.shape[2]] = blocks
    return mass
