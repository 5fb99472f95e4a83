"""Queries, keys and values with the structure of real attention: heavy columns and diagonals, under noise."""

import torch
from torch import Tensor

HEADS, KV_HEADS, DIM = 32, 8, 128  # of a layer of Llama-3.1-8B
STRENGTH = 6.0  # what the common part adds to the score of neighbours, once scaled; noise adds about 1


def layer_inputs(length: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Inputs of one layer on the GPU; several for lengths that its cache would hold.

    Raises ValueError for a length whose attention does not fit in the GPU's memory.
    """
    need = (2 * HEADS + 2 * KV_HEADS) * length * DIM * 2
    free = torch.cuda.mem_get_info()[0]
    if need * 3 > free:
        raise ValueError(f"length {length} is out of range: it needs {need * 3 >> 30} GiB of GPU memory")
    sets = max(1, min(4, 2**28 // need))
    return [planted(HEADS, KV_HEADS, length, DIM, seed=seed) for seed in range(sets)]


def planted(
    heads: int, kv_heads: int, length: int, dim: int, *, seed: int = 0, device: str = "cuda"
) -> tuple[Tensor, Tensor, Tensor]:
    """Make q `[1, heads, length, dim]`, k and v `[1, kv_heads, length, dim]`, bf16, of one layer.

    Queries and keys have a part common to all positions, turned by rotary embeddings, so that scores depend on the
    distance: they fall off from the nearest keys on and, in every second KV head, around a far distance as well.
    One key in 256 draws every query. All else is noise.
    """
    random = torch.Generator(device).manual_seed(seed)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, device=device)

    pairs = dim // 2
    frequency = 10000.0 ** (-torch.arange(pairs, device=device) / pairs)
    angle = torch.arange(length, device=device)[:, None] * frequency
    # Shares of the pairs that add up to a score which falls off with distance like a bell, without ripples.
    reach = length / 48
    share = (frequency * torch.exp(-((frequency * reach) ** 2) / 2)).sqrt()
    share *= (STRENGTH * dim**0.5 / share.square().sum()).sqrt()
    group = heads // kv_heads
    q = torch.empty(1, heads, length, dim, dtype=torch.bfloat16, device=device)
    k, v = (torch.empty(1, kv_heads, length, dim, dtype=torch.bfloat16, device=device) for _ in range(2))
    heavy_part = torch.zeros(pairs, 2, device=device)
    heavy_part[-2:, 0] = 1.0  # turns so little that it draws at any distance
    for kv in range(kv_heads):
        common = torch.nn.functional.normalize(noise(pairs, 2), dim=1) * share[:, None]
        far = torch.tensor([length * (kv + 1) // (kv_heads + 2)], device=device)[:, None]
        # A key holds the common part as a query `far` later would have it.
        base = common + (0.7 * _turned(common, far * frequency).view(pairs, 2) if kv % 2 else 0)
        drawn = (torch.rand(length, generator=random, device=device) < 1 / 256)[:, None]
        k[0, kv] = (_turned(base, angle) + noise(length, dim) + 8.0 * drawn * heavy_part.flatten()).bfloat16()
        v[0, kv] = noise(length, dim).bfloat16()
        for head in range(kv * group, (kv + 1) * group):
            q[0, head] = (_turned(common + heavy_part, angle) + noise(length, dim)).bfloat16()
    return q, k, v


def _turned(pairs: Tensor, angle: Tensor) -> Tensor:
    """Rotate `pairs` `[..., n, 2]` by `angle` `[T, n]`, `[T, 2 n]`."""
    cos, sin = angle.cos(), angle.sin()
    pairs = pairs.view(-1, angle.shape[1], 2)
    x, y = pairs[..., 0], pairs[..., 1]
    return torch.stack([x * cos - y * sin, x * sin + y * cos], -1).flatten(-2)
