"""Full attention, through the same hook: what every method is compared with."""

from dataclasses import dataclass

from torch import Tensor

from nl_tasks.kernels.plan import FullPlan
from nl_tasks.sparse_backends.base import Backend
from nl_tasks.sparse_backends.registry import register


@register
@dataclass(frozen=True, kw_only=True)
class Dense(Backend):
    """Every causal entry. Takes no parameter; a `sparsity` other than 0 is an error."""

    name = "dense"
    phase = "prefill"
    unit = "all"
    estimator = "none"
    allocation = "uniform"
    citation = "Vaswani et al. 2017, arXiv 1706.03762"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("sparsity", not self.sparsity, "0, dense attention leaves nothing out")

    def plan(self, q: Tensor, k: Tensor, *, scale: float, layer: int = 0, prompt: int | None = None) -> FullPlan:
        """Everything."""
        return FullPlan(q.shape[2], k.shape[2], q.shape[0], q.shape[1], q.device)
