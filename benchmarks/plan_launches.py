"""How many kernels a plan and its index start on a GPU, counted without one.

    TRITON_INTERPRET=1 python benchmarks/plan_launches.py [TOKENS] [BACKEND ...]

Operations of torch that are no views, and Triton kernels, which Triton's interpreter runs. A few more than on a GPU:
lists are trimmed on a CPU alone. Some operations, as sorting, start several kernels.
"""

import os
import sys
from collections import Counter
from typing import Any

import torch
from machine import print_machine
from torch.utils._python_dispatch import TorchDispatchMode
from triton.runtime.interpreter import GridExecutor

from nl_tasks.kernels.band_index import BandIndex
from nl_tasks.kernels.plan import VerticalSlashPlan
from nl_tasks.sparse_backends import parse_backend

NO_WORK = {"empty", "empty_like", "new_empty", "detach", "_unsafe_view", "_reshape_alias", "lift_fresh"}
BACKENDS = (
    "vertical_slash:sparsity=0.8",
    "vertical_slash:verticals=200,slashes=200",
    "flexprefill:alpha=0.9",
    "xattention:sparsity=0.5",
    "block_sparse:sparsity=0.5",
)


class Launches(TorchDispatchMode):
    """Counts what is started inside it, by name; what a Triton kernel does in the interpreter is one."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self.inside = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__.split(".")[0]
        if not self.inside and name not in NO_WORK and not func.is_view:
            self.found[name] += 1
        return func(*args, **(kwargs or {}))

    def __enter__(self) -> "Launches":
        self.run = run = GridExecutor.__call__

        def counted(kernel: GridExecutor, *args: Any, **kwargs: Any) -> None:
            self.found["triton " + kernel.fn.__name__] += 1
            self.inside = True
            run(kernel, *args, **kwargs)
            self.inside = False

        GridExecutor.__call__ = counted
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        GridExecutor.__call__ = self.run
        super().__exit__(*error)


def main(tokens: int, specs: list[str]) -> None:
    """Print a line for each backend."""
    torch.manual_seed(0)
    q, k = torch.randn(1, 9, tokens, 64), torch.randn(1, 3, tokens, 64)
    print_machine("torch", "triton")
    print(f"{'backend':<44}{'plan':>6}{'index':>7}   {tokens} tokens, 9 heads")
    for spec in specs:
        backend = parse_backend(spec)
        backend.plan(q, k, scale=0.125)  # what is worked out once for all plans of a shape is no part of it
        with Launches() as planned:
            plan = backend.plan(q, k, scale=0.125)
        with Launches() as indexed:
            if isinstance(plan, VerticalSlashPlan):
                BandIndex.of(plan, 64)
        print(f"{spec:<44}{planned.found.total():>6}{indexed.found.total():>7}")


if __name__ == "__main__":
    if os.environ.get("TRITON_INTERPRET") != "1":
        sys.exit("set TRITON_INTERPRET=1: kernels are counted as Triton's interpreter runs them")
    main(int((sys.argv[1:] or [1024])[0]), sys.argv[2:] or list(BACKENDS))
