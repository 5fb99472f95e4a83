"""Sparse prefill against the fastest dense attention of the same run: selection, kernel, both, and what is ideal.

    nl-tasks bench prefill --lengths 8k,32k,128k
    python -m nl_tasks.bench_prefill --json > prefill.json      # needs torch, triton and transformers alone

One layer of Llama-3.1-8B's shape: 32 query heads, 8 KV heads, head dimension 128, bf16, one sequence.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Any

import torch
import triton
from torch import Tensor

from nl_tasks.bench_inputs import planted
from nl_tasks.bench_timing import median_ms
from nl_tasks.kernels.attention import attention
from nl_tasks.kernels.dense import dense_kernels
from nl_tasks.kernels.line_sums import line_sums_torch
from nl_tasks.kernels.plan import BlockPlan, Plan, causal_entries
from nl_tasks.kernels.provider import usable_providers
from nl_tasks.sparse_backends import Backend, VerticalSlash, parse_backend
from nl_tasks.sparse_backends.lines import LineScores

HEADS, KV_HEADS, DIM = 32, 8, 128
LENGTHS = tuple(1024 * n for n in (2, 4, 8, 16, 32, 64, 128, 256))
SPARSITIES = (0.5, 0.8, 0.9, 0.95)
APART = 131072  # the length at which the schedule of the reference is measured
KEPT = "block_sparse:block=128,top_blocks=64"  # 8192 tokens a row
METHODS = ("block_sparse:block=128", KEPT, "vertical_slash", "flexprefill", "xattention")


@dataclass(frozen=True)
class PrefillRow:
    """One measurement. Times in ms; `tflops` counts computed blocks (or entries, where a plan is not of blocks).

    `kept_rate` is `tflops` over the fastest dense kernel's, which took `dense_ms`; `ideal` the speed-up if only density
    counted.
    """

    length: int
    method: str
    provider: str
    sparsity: float
    selection_ms: float
    kernel_ms: float
    total_ms: float
    tflops: float
    kept_rate: float
    speedup: float
    ideal: float
    dense: str
    dense_ms: float

    def row(self) -> dict[str, Any]:
        """The row as plain data."""
        return asdict(self)


def bench_prefill(
    lengths: Sequence[int] = LENGTHS,
    methods: Sequence[str] = METHODS,
    sparsities: Sequence[float] = SPARSITIES,
    providers: Sequence[str] = (),
) -> Iterator[PrefillRow]:
    """Rows for each length: every dense kernel, then each method at each sparsity with each provider that can run it.

    A method that names its own budget (`block_sparse:block=128,top_blocks=64`) is measured once. `providers` picks
    some of them; by default those that are fast: fa4 and triton. Raises ValueError without a GPU, for an unknown
    method, and for inputs that do not fit in the GPU's memory.
    """
    if not torch.cuda.is_available():
        raise ValueError("bench prefill needs a CUDA device; this machine has none")
    backends = [backend for method in methods for backend in at_sparsities(method, sparsities)]
    wanted = tuple(providers) or ("fa4", "triton")
    for length in lengths:
        sets = _inputs(length)
        times = dense_times(sets)
        name = min(times, key=times.__getitem__)
        flops = 4 * DIM * HEADS * causal_entries(length, length)
        for kernel, ms in times.items():
            rate, share = flops / ms / 1e9, times[name] / ms
            yield PrefillRow(length, "dense", kernel, 0.0, 0.0, ms, ms, rate, share, share, 1.0, name, times[name])
        for backend in backends:
            yield from _measured(backend, sets, wanted, name, times[name], flops)
        del sets
        torch.cuda.empty_cache()


def at_sparsities(method: str, sparsities: Sequence[float]) -> list[Backend]:
    """The backends that `method` stands for: one for each sparsity, or itself if it names its budget."""
    backend = parse_backend(method)
    own = any(
        part.partition("=")[0] in ("sparsity", *_budgets(backend)) for part in method.partition(":")[2].split(",")
    )
    if own:
        return [backend]
    joint = "," if ":" in method else ":"
    return [parse_backend(f"{method}{joint}sparsity={sparsity}") for sparsity in sparsities]


def _budgets(backend: Backend) -> list[str]:
    return [field.name for field in fields(backend) if "budget" in field.metadata]


def _inputs(length: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Inputs of one layer; several for lengths that the cache would hold."""
    need = (2 * HEADS + 2 * KV_HEADS) * length * DIM * 2
    free = torch.cuda.mem_get_info()[0]
    if need * 3 > free:
        raise ValueError(f"length {length} is out of range: it needs {need * 3 >> 30} GiB of GPU memory")
    sets = max(1, min(4, 2**28 // need))
    return [planted(HEADS, KV_HEADS, length, DIM, seed=seed) for seed in range(sets)]


def dense_times(sets: Sequence[tuple[Tensor, Tensor, Tensor]]) -> dict[str, float]:
    """Milliseconds of each dense kernel that runs here."""
    scale = DIM**-0.5
    found = {}
    for name, run in dense_kernels(*sets[0][:2]).items():
        found[name] = median_ms([partial(run, *qkv, scale=scale) for qkv in sets])
    return found


def _measured(
    backend: Backend,
    sets: Sequence[tuple[Tensor, Tensor, Tensor]],
    providers: Sequence[str],
    dense: str,
    dense_ms: float,
    dense_flops: int,
) -> Iterator[PrefillRow]:
    length, scale = sets[0][0].shape[2], DIM**-0.5
    try:
        plans = [backend.plan(q, k, scale=scale) for q, k, _ in sets]
    except ValueError:  # sparser than this length allows
        return
    selection = median_ms([partial(backend.plan, q, k, scale=scale) for q, k, _ in sets])
    density = float(plans[0].density().mean())
    for provider in providers:
        if provider not in usable_providers(sets[0][0], plans[0]):
            continue
        kernel = median_ms(
            [partial(attention, *qkv, plan, scale=scale, provider=provider) for qkv, plan in zip(sets, plans)]
        )
        total = median_ms([partial(_both, backend, *qkv, scale, provider) for qkv in sets])
        rate = 4 * DIM * computed_entries(plans[0], HEADS) / kernel / 1e9
        yield PrefillRow(
            length, backend.spec, provider, 1 - density, selection, kernel, total, rate,
            rate / (dense_flops / dense_ms / 1e9), dense_ms / total, 1 / density, dense, dense_ms,
        )  # fmt: skip


def _both(backend: Backend, q: Tensor, k: Tensor, v: Tensor, scale: float, provider: str) -> Tensor:
    return attention(q, k, v, backend.plan(q, k, scale=scale), scale=scale, provider=provider)[0]


def head_by_head(backend: VerticalSlash, q: Tensor, k: Tensor, v: Tensor, size: int) -> Tensor:
    """The schedule of the method's reference: each head on its own, its weights `[window, T]` in memory.

    Estimates with plain torch, keeps `size` columns and diagonals, and launches the same kernel for one head.
    """
    out, group, scale = torch.empty_like(q), q.shape[1] // k.shape[1], q.shape[3] ** -0.5
    rows = min(backend.window, q.shape[2])
    for head in range(q.shape[1]):
        own = slice(head, head + 1), slice(head // group, head // group + 1)
        mine, keys, values = q[:, own[0]], k[:, own[1]], v[:, own[1]]
        columns, diagonals = line_sums_torch(mine[:, :, -rows:], keys, scale=scale)
        lines = LineScores.ranked(q.shape[2], columns, diagonals)
        out[:, own[0]] = attention(mine, keys, values, lines.plan(size, size), scale=scale, provider="triton")[0]
    return out


def measure_head_by_head(length: int, sparsity: float) -> dict[str, Any]:
    """Milliseconds of `head_by_head`, and of all heads at once with the same numbers of columns and diagonals."""
    (q, k, v), *_ = _inputs(length)
    solved = VerticalSlash(sparsity=sparsity).plan(q, k, scale=DIM**-0.5)
    size = max(64, int(solved.column_counts[0, 0]))
    backend = VerticalSlash(verticals=size, slashes=size)
    together = median_ms(partial(_both, backend, q, k, v, DIM**-0.5, "auto"))
    apart = median_ms(partial(head_by_head, backend, q, k, v, size))
    return {
        "length": length, "columns_and_diagonals": size, "sparsity": 1 - float(solved.density().mean()),
        "head_by_head_ms": apart, "all_heads_ms": together, "ratio": apart / together,
    }  # fmt: skip


def computed_entries(plan: Plan, heads: int) -> float:
    """Score entries that a kernel computes for all `heads`: whole blocks, as their rates are counted; else entries."""
    if isinstance(plan, BlockPlan):
        return float(plan.counts.double().sum()) * plan.query_block * plan.key_block * heads / plan.counts.shape[1]
    computed = plan.computed().double()
    return float(computed.sum()) * heads / computed.shape[1]


def crossover(rows: Sequence[PrefillRow], method: str, sparsity: float) -> float | None:
    """Length from which `method` (without budget), asked for `sparsity`, beats the fastest dense kernel.

    Interpolated between the measured lengths (logarithms); None if it never does, the first length if it always does.
    """
    best: dict[int, float] = {}
    for row in rows:
        asked = parse_backend(row.method)
        if asked.sparsity == sparsity and row.method.split(":")[0] == method:
            best[row.length] = max(best.get(row.length, 0.0), row.speedup)
    before: tuple[int, float] | None = None
    for length, speedup in sorted(best.items()):
        if speedup >= 1:
            if before is None:
                return float(length)
            share = -math.log(before[1]) / (math.log(speedup) - math.log(before[1]))
            return float(before[0] * (length / before[0]) ** share)
        before = length, speedup
    return None


HEADER = (
    f"{'length':>8} {'method':<42}{'provider':<11}{'sparsity':>8}{'select':>9}{'kernel':>9}{'total':>9}"
    f"{'TFLOP/s':>9}{'of dense':>9}{'speed-up':>9}{'ideal':>7}   (ms)"
)


def table_line(row: PrefillRow) -> str:
    """The row as a line under `HEADER`."""
    return (
        f"{row.length:>8} {row.method:<42}{row.provider:<11}{row.sparsity:>8.3f}{row.selection_ms:>9.3f}"
        f"{row.kernel_ms:>9.3f}{row.total_ms:>9.3f}{row.tflops:>9.0f}{row.kept_rate:>9.2f}{row.speedup:>9.2f}"
        f"{row.ideal:>7.1f}"
    )


def crossover_lines(rows: Sequence[PrefillRow], sparsities: Sequence[float] = SPARSITIES) -> Iterator[str]:
    """Say for each method and sparsity from which length on it beats the fastest dense kernel."""
    methods = dict.fromkeys(row.method.split(":")[0] for row in rows if "sparsity=" in row.method)
    for method in methods:
        found = (crossover(rows, method, sparsity) for sparsity in sparsities)
        cells = (
            f"{sparsity}: {'-' if length is None else f'{length / 1024:.1f}k'}"
            for sparsity, length in zip(sparsities, found)
        )
        yield f"{method} beats dense from  {'   '.join(cells)}"


def run(
    lengths: Sequence[int], methods: Sequence[str], sparsities: Sequence[float], providers: Sequence[str], as_json: bool
) -> None:
    """Measure and print: a table, the crossover lengths and the schedule of the reference; or JSON lines."""
    if not torch.cuda.is_available():
        raise ValueError("bench prefill needs a CUDA device; this machine has none")
    rows: list[PrefillRow] = []
    if not as_json:
        print(f"{', '.join(machine().values())}\n{HEADER}")
    for row in bench_prefill(lengths, methods, sparsities, providers):
        rows.append(row)
        print(json.dumps({**row.row(), **machine()}) if as_json else table_line(row), flush=True)
    for line in crossover_lines(rows, sparsities):
        print(json.dumps({"crossover": line, **machine()}) if as_json else line)
    if APART in lengths and "vertical_slash" in methods:
        found = measure_head_by_head(APART, 0.9)
        print(json.dumps({"head_by_head": found, **machine()}) if as_json else apart_line(found))


def apart_line(found: dict[str, Any]) -> str:
    """What `measure_head_by_head` found, as a line."""
    return (
        f"vertical_slash head by head at {found['length']}: {found['head_by_head_ms']:.1f} ms, all heads at once "
        f"{found['all_heads_ms']:.1f} ms: {found['ratio']:.2f} times faster"
    )


def machine() -> dict[str, str]:
    """What the numbers were measured with."""
    return {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "triton": triton.__version__}


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line without the package's other requirements; lengths in tokens, or in 1024 of them (8k)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", default=",".join(map(str, LENGTHS)), help="comma-separated")
    parser.add_argument("--methods", nargs="+", default=METHODS, help="backends, with or without a budget")
    parser.add_argument("--sparsities", default=",".join(map(str, SPARSITIES)))
    parser.add_argument("--providers", nargs="*", default=())
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    from nl_tasks.generators.lengths import parse_length

    try:
        lengths = [parse_length(part) for part in given.lengths.split(",")]
        sparsities = [float(part) for part in given.sparsities.split(",")]
        run(lengths, given.methods, sparsities, given.providers, given.json)
    except ValueError as error:
        sys.exit(f"nl-tasks: {error}")


if __name__ == "__main__":
    main()
