"""What `nl-tasks bench decode` times: dense attention, Quest's step and evicted caches of one layer, in CUDA graphs."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from nl_tasks.bench_graphs import graph_us

PAGE = 16
_CACHES = 32  # caches that a graph goes through, memory allowing
_ROOM = 12 * 2**30  # bytes that they may take


@dataclass(frozen=True)
class Shape:
    """Sizes of one layer's attention; the defaults are those of Llama-3.1-8B."""

    batch: int = 1
    heads: int = 32
    kv_heads: int = 8
    dim: int = 128
    dtype: torch.dtype = torch.bfloat16

    def bytes_of(self, vectors: float) -> float:
        """Bytes of so many vectors of each KV head."""
        return self.batch * self.kv_heads * vectors * self.dim * self.dtype.itemsize


class Caches:
    """Queries, keys and values of several layers at one length, and the bounds of their pages."""

    def __init__(self, shape: Shape, length: int) -> None:
        from nl_tasks.kernels.page_bounds import PageBounds

        count = max(2, min(_CACHES, int(_ROOM / shape.bytes_of(length * (2 + 2 / PAGE)))))
        kv = (shape.batch, shape.kv_heads, length, shape.dim)
        options: dict[str, Any] = {"device": "cuda", "dtype": shape.dtype}
        self.shape, self.length = shape, length
        self.q = [torch.randn(shape.batch, shape.heads, 1, shape.dim, **options) for _ in range(count)]
        self.k = [torch.randn(kv, **options) for _ in range(count)]
        self.v = [torch.randn(kv, **options) for _ in range(count)]
        self.bounds = [PageBounds(PAGE).follow(k) for k in self.k]

    def each(self, call: Callable[..., Any], *more: Sequence[Any]) -> list[Callable[[], Any]]:
        """`call(q, k, v, ...)` for each cache, with an item of each of `more`."""
        return [partial(call, *inputs) for inputs in zip(self.q, self.k, self.v, *more)]


def dense_calls(shape: Shape) -> dict[str, Callable[..., object]]:
    """Dense attention of one query row by every kernel that may be the fastest here."""
    from nl_tasks.kernels.triton_tokens import attend_lists

    scale = shape.dim**-0.5

    def sdpa(backend: SDPBackend, q: Tensor, k: Tensor, v: Tensor) -> object:
        with sdpa_kernel(backend):
            return scaled_dot_product_attention(q, k, v, scale=scale, enable_gqa=True)

    def triton(q: Tensor, k: Tensor, v: Tensor) -> object:
        return attend_lists(q, k, v, None, None, 1, scale=scale)

    found: dict[str, Callable[..., object]] = {
        "sdpa flash": partial(sdpa, SDPBackend.FLASH_ATTENTION),
        "sdpa cudnn": partial(sdpa, SDPBackend.CUDNN_ATTENTION),
        "triton": triton,
    }
    try:
        from flash_attn import flash_attn_with_kvcache

        found["flash-attn"] = lambda q, k, v: flash_attn_with_kvcache(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), softmax_scale=scale
        )
    except ImportError:
        pass
    return found


def dense_times(caches: Caches) -> dict[str, float]:
    """Microseconds of each dense kernel that can run."""
    times = {}
    for name, call in dense_calls(caches.shape).items():
        try:
            times[name] = graph_us(caches.each(call))
        except RuntimeError as error:  # not made for this GPU or shape
            print(f"{name}: {str(error).splitlines()[0]}", file=sys.stderr)
    return times


def quest_times(caches: Caches, budget: int, share: bool) -> tuple[float, float, float, float, float]:
    """Density, microseconds of selection, attention, both, and bytes that must be read."""
    from nl_tasks.kernels.triton_pages import plan_pages, quest_step
    from nl_tasks.kernels.triton_tokens import page_attention_triton

    shape, length, scale = caches.shape, caches.length, caches.shape.dim**-0.5

    def select(q: Tensor, k: Tensor, v: Tensor, bounds: tuple[Tensor, Tensor]) -> Any:
        return plan_pages(q, *bounds, PAGE, budget, length, share=share)

    def step(q: Tensor, k: Tensor, v: Tensor, bounds: tuple[Tensor, Tensor]) -> object:
        return quest_step(q, k, v, *bounds, PAGE, budget, scale=scale, share=share)

    plans = [call() for call in caches.each(select, caches.bounds)]
    density = float(plans[0].density().mean())
    read = shape.bytes_of(2 * length / PAGE) + shape.bytes_of(
        2 * density * length * (1 if share else shape.heads // shape.kv_heads)
    )
    times = (
        graph_us(caches.each(select, caches.bounds)),
        graph_us(caches.each(partial(page_attention_triton, scale=scale), plans)),
        graph_us(caches.each(step, caches.bounds)),
    )
    return density, *times, read


def evicted_times(caches: Caches, budget: int, ragged: bool) -> tuple[float, float, float, float, float]:
    """As `quest_times`, of a cache that kept `budget` keys a head; with `ragged` from half of them to 3/2."""
    from nl_tasks.kernels.plan import TokenPlan
    from nl_tasks.kernels.triton_tokens import token_attention_triton

    shape, length = caches.shape, caches.length
    share = torch.linspace(0.5, 1.5, shape.kv_heads) if ragged and shape.kv_heads > 1 else torch.ones(shape.kv_heads)
    counts = (share * budget).round().clamp(1, length).int().cuda().expand(shape.batch, -1).contiguous()
    width = int(counts.max())
    places = torch.arange(width, dtype=torch.int32, device="cuda").expand(shape.batch, shape.kv_heads, -1)
    tokens = torch.where(places < counts[..., None], places, 0)
    kept = [x[:, :, :width].contiguous() for x in caches.k], [x[:, :, :width].contiguous() for x in caches.v]
    plan = TokenPlan(1, width, tokens, counts)
    call = partial(token_attention_triton, plan=plan, scale=shape.dim**-0.5)
    total = graph_us([partial(call, *inputs) for inputs in zip(caches.q, *kept)])
    density = float(counts.float().mean()) / length
    return density, 0.0, total, total, shape.bytes_of(2 * density * length)


METHODS: dict[str, Callable[[Caches, int], tuple[float, float, float, float, float]]] = {
    "quest": partial(quest_times, share=True),
    "quest share_pages=false": partial(quest_times, share=False),
    "snapkv": partial(evicted_times, ragged=False),
    "ada_snapkv": partial(evicted_times, ragged=True),
}


def snapkv_selection(length: int = 131072, shape: Shape | None = None) -> dict[str, float]:
    """Milliseconds of the fastest dense prefill attention, and of SnapKV's and Ada-SnapKV's selection after it.

    Needs transformers, which the backends are made for.
    """
    from nl_tasks.bench_timing import median_ms
    from nl_tasks.sparse_backends.ada_snapkv import AdaSnapKV
    from nl_tasks.sparse_backends.snapkv import SnapKV

    shape = shape or Shape()
    q, k, v = (
        torch.randn(shape.batch, heads, length, shape.dim, device="cuda", dtype=shape.dtype)
        for heads in (shape.heads, shape.kv_heads, shape.kv_heads)
    )
    scale = shape.dim**-0.5
    times = {}
    for backend in (SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION):
        try:
            with sdpa_kernel(backend):
                dense = partial(scaled_dot_product_attention, q, k, v, is_causal=True, scale=scale, enable_gqa=True)
                times[f"sdpa {backend.name.split('_')[0].lower()}"] = median_ms(dense, budget_ms=100.0, least=1)
        except RuntimeError as error:
            print(f"{backend.name}: {str(error).splitlines()[0]}", file=sys.stderr)
    found = {"length": float(length), "dense_ms": min(times.values()), **times}
    for method in (SnapKV(), AdaSnapKV()):
        found[f"{method.name}_ms"] = median_ms(partial(method.plan, q, k, scale=scale))
    return found
