"""Outputs that cannot be differentiated and say so, where gradients would otherwise be wrong or missing."""

from typing import Any

import torch
from torch import Tensor


class ForInference(torch.autograd.Function):
    """`ForInference.apply(out, name, *inputs)` is `out`, computed without gradients: going back through it fails."""

    @staticmethod
    def forward(ctx: Any, out: Tensor, name: str, *inputs: Tensor) -> Tensor:
        """Return `out`; that it depends on `inputs` is what makes autograd come back here."""
        ctx.name = name
        return out.view_as(out)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Raise RuntimeError."""
        raise RuntimeError(
            f"{ctx.name}: sparse backends are for inference and have no gradients; train the model without one"
        )
