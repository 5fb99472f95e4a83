"""What is trained: for each linear layer a product of two thin matrices that is added to its weights.

Low-rank adaptation (LoRA, arXiv 2106.09685), applied to the weights before each step rather than to each token: the
layers then cost what they cost without it, and the weights are rounded in training as they will be in use.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nl_tasks.probe_llama import LINEARS


class LowRank(nn.Module):
    """Updates `scale * up @ down` of stacked linear layers: `up` `[layers, out, rank]`, `down` `[layers, rank, in]`."""

    def __init__(self, shapes: Mapping[str, torch.Size], *, rank: int, scale: float, seed: int = 0) -> None:
        """Updates of nothing for weights of `shapes` `[layers, out, in]`: `down` is random, `up` zero."""
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank={rank} is out of range: 1 or more")
        self.rank, self.scale = rank, scale
        random = torch.Generator().manual_seed(seed)
        self.down, self.up = nn.ParameterDict(), nn.ParameterDict()
        for name in LINEARS:
            layers, out, wide = shapes[name]
            start = torch.rand(layers, rank, wide, generator=random) * 2 - 1
            self.down[name] = nn.Parameter(start / wide**0.5)
            self.up[name] = nn.Parameter(torch.zeros(layers, out, rank))

    def merged(self, linears: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights with their updates, in the dtype of `linears`; gradients flow to the updates alone."""
        return {
            name: torch.baddbmm(weight.float(), self.up[name], self.down[name], alpha=self.scale).to(weight.dtype)
            for name, weight in linears.items()
        }
