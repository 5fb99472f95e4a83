"""Which implementations of attention over a plan there are: a registry of kernels by plan type and provider."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from nl_tasks.kernels.plan import Plan

PROVIDERS = ("fa4", "triton", "flex", "torch")  # fastest first: the order in which "auto" asks


class AttentionKernel(Protocol):
    """Attention of `q` `[B, Hq, T, D]` over `k`, `v` `[B, Hkv, S, D]` along a plan.

    Returns the output `[B, Hq, T, D]` in q's dtype and the natural logarithm of each row's softmax denominator
    `[B, Hq, T]` float32.
    """

    def __call__(  # noqa: D102
        self, q: Tensor, k: Tensor, v: Tensor, plan: Plan, *, scale: float
    ) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class Entry:
    """A registered kernel, the test that says whether it can run given inputs, and the rows from which it pays."""

    run: Callable[..., tuple[Tensor, Tensor]]
    usable: Callable[..., bool]
    pays_from: Callable[[Plan], int]


_KERNELS: dict[tuple[type[Plan], str], Entry] = {}


def kernel(
    plan_type: type[Plan],
    provider: str,
    usable: Callable[..., bool] = lambda q, plan: True,
    pays_from: Callable[[Any], int] = lambda plan: 0,
) -> Callable[[Callable[..., tuple[Tensor, Tensor]]], Callable[..., tuple[Tensor, Tensor]]]:
    """Register the decorated kernel for `plan_type`; `usable(q, plan)` says whether it can run an input.

    For fewer than `pays_from(plan)` query rows "auto" prefers those after it in `PROVIDERS`, which start fewer kernels.
    Raises ValueError for a provider that is not in `PROVIDERS`.
    """
    if provider not in PROVIDERS:
        raise ValueError(f"provider={provider!r} is out of range: one of {', '.join(PROVIDERS)}")

    def add(run: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., tuple[Tensor, Tensor]]:
        _KERNELS[plan_type, provider] = Entry(run, usable, pays_from)
        return run

    return add


def usable_providers(q: Tensor, plan: Plan) -> list[str]:
    """Providers that can run `plan` on q, fastest first."""
    found = ((name, _KERNELS.get((type(plan), name))) for name in PROVIDERS)
    return [name for name, entry in found if entry and entry.usable(q, plan)]


def find_kernel(q: Tensor, plan: Plan, provider: str) -> Callable[..., tuple[Tensor, Tensor]]:
    """Return the kernel of `provider`, or with "auto" or "sparse" the fastest that can run `plan` on q.

    Raises ValueError for an unknown provider, and for one that cannot run this plan or input.
    """
    if provider not in ("auto", "sparse", *PROVIDERS):
        raise ValueError(f"provider={provider!r} is out of range: auto, sparse, {', '.join(PROVIDERS)}")
    chosen = provider in ("auto", "sparse")
    for name in PROVIDERS if chosen else (provider,):
        entry = _KERNELS.get((type(plan), name))
        if entry and entry.usable(q, plan) and not (chosen and q.shape[2] < entry.pays_from(plan)):
            return entry.run
    raise ValueError(
        f"provider={provider!r} cannot run a {type(plan).__name__} on {q.device.type} with head dim {q.shape[-1]} "
        f"in {q.dtype}; provider='torch' runs all of ours"
    )
