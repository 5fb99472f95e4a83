"""One generated token's attention, dense and sparse, on the GPU of this machine: `nl-tasks bench decode`.

    python -m nl_tasks.bench_decode --len 8k,128k      # needs torch and Triton alone

Everything is timed inside CUDA graphs that hold a step for each of several caches, as a model's layers have them. The
dense time is the fastest of what is installed here, in the same run.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from nl_tasks.bench_graphs import graph_us
from nl_tasks.kernels.devices import has_triton

LENGTHS = (2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 1048576)
SPARSITIES = (0.5, 0.8, 0.9, 0.95)
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


@dataclass(frozen=True)
class Row:
    """One method at one length. Times in microseconds; `ideal` is 1 / density, what the share of keys would allow."""

    method: str
    length: int
    budget: int  # tokens a query may read
    sparsity: float  # 1 - budget / length
    density: float  # of the keys that are read
    selection_us: float
    kernel_us: float
    total_us: float
    gb_per_s: float  # of keys, values and bounds that must be read, over the total
    dense: str
    dense_us: float
    speedup: float
    ideal: float

    def row(self) -> dict[str, Any]:
        """The row as plain data."""
        return {"phase": "decode", **asdict(self)}


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


def bench_decode(
    lengths: Sequence[int] = LENGTHS,
    *,
    shape: Shape | None = None,
    methods: Sequence[str] = tuple(METHODS),
    sparsities: Sequence[float] = SPARSITIES,
    budgets: Sequence[int] = (1024,),
) -> Iterator[Row]:
    """Rows for each length, method and budget, dense ones first, as they are measured.

    Lengths that do not fit into the GPU's memory twice are left out. Raises ValueError without a GPU or Triton, and
    for an unknown method.
    """
    if not torch.cuda.is_available() or not has_triton():
        raise ValueError("bench decode needs a GPU and Triton, and this machine has not both")
    for method in methods:
        if method not in METHODS:
            raise ValueError(f"method={method!r} is out of range: one of {', '.join(METHODS)}")
    shape = shape or Shape()
    for length in lengths:
        if 2.5 * shape.bytes_of(2 * length) > torch.cuda.mem_get_info()[0]:
            continue
        caches = Caches(shape, length)
        times = dense_times(caches)
        best = min(times, key=lambda name: times[name])
        for name, us in times.items():
            speed = shape.bytes_of(2 * length) / us / 1e3
            yield Row(name, length, length, 0.0, 1.0, 0.0, us, us, speed, best, times[best], times[best] / us, 1.0)
        wanted = sorted({min(b, length) for b in budgets} | {round((1 - s) * length) for s in sparsities}, reverse=True)
        for method in methods:
            for budget in wanted:
                if budget < 2 * PAGE:
                    continue
                density, selection, kernel, total, read = METHODS[method](caches, budget)
                yield Row(
                    method, length, budget, 1 - budget / length, density, selection, kernel, total, read / total / 1e3,
                    best, times[best], times[best] / total, 1 / density,
                )  # fmt: skip
        del caches
        torch.cuda.empty_cache()


def crossovers(rows: Sequence[Row], sparsities: Sequence[float] = SPARSITIES) -> dict[tuple[str, float], int | None]:
    """The shortest measured length from which on a method at a sparsity beats the fastest dense (None: at none)."""
    found: dict[tuple[str, float], int | None] = {}
    for method in METHODS:
        for sparsity in sparsities:
            own = [row for row in rows if row.method == method and abs(row.sparsity - sparsity) < 0.005]
            first = None
            for row in sorted(own, key=lambda row: -row.length):
                if row.speedup <= 1:
                    break
                first = row.length
            if own:
                found[method, sparsity] = first
    return found


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


def table(rows: Sequence[Row]) -> str:
    """Rows for people."""
    lines = [
        f"{'length':>8}{'method':>25}{'budget':>8}{'density':>9}{'select us':>11}{'kernel us':>11}{'total us':>10}"
        f"{'GB/s':>7}{'speed-up':>10}{'ideal':>7}"
    ]
    for row in rows:
        lines.append(
            f"{row.length:>8}{row.method:>25}{row.budget:>8}{row.density:>9.4f}{row.selection_us:>11.1f}"
            f"{row.kernel_us:>11.1f}{row.total_us:>10.1f}{row.gb_per_s:>7.0f}{row.speedup:>10.2f}{row.ideal:>7.1f}"
        )
    return "\n".join(lines)


def crossover_table(rows: Sequence[Row]) -> str:
    """Crossover lengths for people."""
    lines = ["faster than the fastest dense from this length on:"]
    for (method, sparsity), length in crossovers(rows).items():
        lines.append(f"  {method:<25}sparsity {sparsity:<5} {length or 'at no length measured'}")
    return "\n".join(lines)


def machine() -> dict[str, str]:
    """The GPU and the versions that a measurement belongs to."""
    import triton

    return {
        "gpu": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "cuda": str(torch.version.cuda),
        "triton": triton.__version__,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or JSON lines."""
    from nl_tasks.generators.lengths import parse_length

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--len", default=",".join(map(str, LENGTHS)), help="lengths, comma-separated")
    parser.add_argument("--method", action="append", help="one of " + ", ".join(METHODS))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON line for each row")
    given = parser.parse_args(arguments)
    lengths = [parse_length(part) for part in given.len.split(",")]
    shape = Shape(batch=given.batch)
    rows = []
    for row in bench_decode(lengths, shape=shape, methods=given.method or tuple(METHODS)):
        rows.append(row)
        if given.json:
            print(json.dumps({**row.row(), "batch": given.batch, **machine()}), flush=True)
    chosen = snapkv_selection(min(131072, max(lengths)), shape)
    if given.json:
        print(json.dumps({"phase": "evict", **chosen, "batch": given.batch, **machine()}))
        return
    print(", ".join(machine().values()))
    print(table(rows))
    print(crossover_table(rows))
    print(", ".join(f"{name} {value:.4g}" for name, value in chosen.items()))


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        sys.exit(str(error))
