# mypy: disallow-untyped-defs=False
"""What the Triton kernels share: whether they can run, the softmax as tiles arrive, strides that cannot overflow."""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from nl_tasks.kernels.devices import runs_triton as can_run

__all__ = [
    "LN2",
    "LOG2E",
    "Tile",
    "can_run",
    "empty_outputs",
    "is_power_of_two",
    "masked_softmax_step",
    "positive_scale",
    "product",
    "rows_contiguous",
    "softmax_step",
    "store_rows",
]

LOG2E = 1.4426950408889634
LN2 = 0.6931471805599453


@dataclass(frozen=True)
class Tile:
    """How a program runs: rows of queries, keys a step, warps, loads in flight, and whether TMA does the loads."""

    rows: int
    keys: int
    warps: int
    stages: int
    descriptors: bool = False


def is_power_of_two(n: int) -> bool:
    """Whether n is 1, 2, 4, ..."""
    return n > 0 and n & (n - 1) == 0


def positive_scale(q: Tensor, scale: float) -> tuple[Tensor, float]:
    """Return q and a scale that is not negative, with the same products: tiles take the maximum before they scale."""
    return (-q, -scale) if scale < 0 else (q, scale)


def rows_contiguous(x: Tensor) -> Tensor:
    """Return x, copied only if its last dimension is not dense."""
    return x if x.stride(-1) == 1 else x.contiguous()


def empty_outputs(q: Tensor) -> tuple[Tensor, Tensor]:
    """Uninitialised output `[B, Hq, T, D]` like q, dense, and log-sum-exp `[B, Hq, T]` float32."""
    return torch.empty(q.shape, dtype=q.dtype, device=q.device), q.new_empty(q.shape[:-1], dtype=torch.float32)


@triton.jit
def product(a, b, EXACT: tl.constexpr):
    """Matrix product in float32; EXACT forbids the matrix units' short float32 formats."""
    if EXACT:
        return tl.dot(a, b, input_precision="ieee")
    return tl.dot(a, b)


@triton.jit
def softmax_step(scores, v, high, total, acc, scale, EXACT: tl.constexpr):
    """Fold a tile of raw `scores` `[M, N]`, all allowed, into running maximum (base 2), sum and output."""
    new = tl.maximum(high, tl.max(scores, 1) * scale)
    weights = tl.math.exp2(scores * scale - new[:, None])
    shrink = tl.math.exp2(high - new)
    acc = acc * shrink[:, None]
    precision: tl.constexpr = "ieee" if EXACT else "tf32"
    acc = tl.dot(weights.to(v.dtype), v, acc, input_precision=precision)
    return new, total * shrink + tl.sum(weights, 1), acc


@triton.jit
def masked_softmax_step(scores, allowed, v, high, total, acc, scale, EXACT: tl.constexpr):
    """Fold a tile of raw `scores` into the running softmax where `allowed`; rows may have nothing allowed so far."""
    scores = tl.where(allowed, scores * scale, float("-inf"))
    new = tl.maximum(high, tl.max(scores, 1))
    finite = tl.where(new == float("-inf"), 0.0, new)  # -inf less -inf would be nan
    weights = tl.math.exp2(scores - finite[:, None])
    shrink = tl.math.exp2(high - finite)
    acc = acc * shrink[:, None]
    precision: tl.constexpr = "ieee" if EXACT else "tf32"
    acc = tl.dot(weights.to(v.dtype), v, acc, input_precision=precision)
    return new, total * shrink + tl.sum(weights, 1), acc


@triton.jit
def store_rows(out, lse, place, row, queries, dims, high, total, acc, ln2, DIM: tl.constexpr):
    """Write a tile's output and log-sum-exp at the rows `place` of both; rows that saw nothing get zeros and -inf."""
    some = total > 0
    acc = acc / tl.where(some, total, 1.0)[:, None]
    found = tl.where(some, (high + tl.math.log2(tl.where(some, total, 1.0))) * ln2, float("-inf"))
    tl.store(lse + place, found, mask=row < queries)
    inside = (row < queries)[:, None] & (dims < DIM)[None, :]
    tl.store(out + place[:, None] * DIM + dims[None, :], acc.to(out.dtype.element_ty), mask=inside)
