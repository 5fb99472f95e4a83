"""Sparse prefill against the fastest dense attention of the same run: selection, kernel, both, and what is ideal.

    nl-tasks bench prefill --len 8k,32k,128k
    python -m nl_tasks.bench_prefill --json > prefill.json      # needs torch, triton and transformers alone

One layer of Llama-3.1-8B's shape: 32 query heads, 8 KV heads, head dimension 128, bf16, one sequence.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Any

import torch
import triton
from torch import Tensor

from nl_tasks.bench_head_by_head import apart_line, measure_head_by_head
from nl_tasks.bench_inputs import DIM, HEADS, layer_inputs
from nl_tasks.bench_timing import median_ms
from nl_tasks.kernels.attention import attention
from nl_tasks.kernels.dense import dense_kernels
from nl_tasks.kernels.plan import BlockPlan, Plan, causal_entries
from nl_tasks.kernels.provider import usable_providers
from nl_tasks.sparse_backends import Backend, parse_backend

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
    dense: Sequence[str] = (),
) -> Iterator[PrefillRow]:
    """Rows for each length: every dense kernel, then each method at each sparsity with each provider that can run it.

    A method that names its own budget (`block_sparse:block=128,top_blocks=64`) is measured once. `providers` picks
    some of them; by default those that are fast: fa4 and triton. `dense` picks some of the dense kernels, where all
    would take too long. Raises ValueError without a GPU, for an unknown method or dense kernel, and for inputs that do
    not fit in the GPU's memory.
    """
    if not torch.cuda.is_available():
        raise ValueError("bench prefill needs a CUDA device; this machine has none")
    backends = [backend for method in methods for backend in at_sparsities(method, sparsities)]
    wanted = tuple(providers) or ("fa4", "triton")
    for length in lengths:
        sets = layer_inputs(length)
        times = dense_times(sets, dense)
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


def dense_times(sets: Sequence[tuple[Tensor, Tensor, Tensor]], names: Sequence[str] = ()) -> dict[str, float]:
    """Milliseconds of each dense kernel that runs here, or of those named."""
    scale = DIM**-0.5
    found = {}
    kernels = dense_kernels(*sets[0][:2])
    for name in names:
        if name not in kernels:
            raise ValueError(f"dense kernel {name!r} is out of range: here run {', '.join(kernels)}")
    for name, run in kernels.items():
        if names and name not in names:
            continue
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


def computed_entries(plan: Plan, heads: int) -> float:
    """Score entries that a kernel computes for all `heads`: whole blocks, as their rates are counted; else entries."""
    if isinstance(plan, BlockPlan):
        return float(plan.counts.double().sum()) * plan.query_block * plan.key_block * heads / plan.counts.shape[1]
    computed = plan.computed().double()
    return float(computed.sum()) * heads / computed.shape[1]


def without_sparsity(spec: str) -> str:
    """The method and its other parameters: rows of one such are compared over lengths."""
    return replace(parse_backend(spec), sparsity=None).spec


def _best(rows: Sequence[PrefillRow], method: str, sparsity: float) -> dict[int, float]:
    """The largest speed-up at each length of `method`, asked for `sparsity`."""
    best: dict[int, float] = {}
    for row in rows:
        if parse_backend(row.method).sparsity == sparsity and without_sparsity(row.method) == method:
            best[row.length] = max(best.get(row.length, 0.0), row.speedup)
    return best


def crossover(rows: Sequence[PrefillRow], method: str, sparsity: float) -> float | None:
    """Length from which `method` (without budget), asked for `sparsity`, beats the fastest dense kernel.

    Interpolated between the measured lengths (logarithms); None if it never does, the first length if it always does.
    """
    before: tuple[int, float] | None = None
    for length, speedup in sorted(_best(rows, method, sparsity).items()):
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
    """Say for each method and sparsity from which length on it beats the fastest dense kernel.

    `<=` stands before the shortest length measured, "never" for none of those measured, "-" for nothing measured.
    """
    methods = dict.fromkeys(without_sparsity(row.method) for row in rows if "sparsity=" in row.method)
    for method in methods:
        cells = (f"{sparsity}: {_crossover_cell(rows, method, sparsity)}" for sparsity in sparsities)
        yield f"{method} beats dense from  {'   '.join(cells)}"


def _crossover_cell(rows: Sequence[PrefillRow], method: str, sparsity: float) -> str:
    measured, length = _best(rows, method, sparsity), crossover(rows, method, sparsity)
    if length is None:
        return "never" if measured else "-"
    return f"{'<=' if length == min(measured) else ''}{length / 1024:.1f}k"


def run(
    lengths: Sequence[int],
    methods: Sequence[str],
    sparsities: Sequence[float],
    providers: Sequence[str],
    dense: Sequence[str],
    as_json: bool,
) -> None:
    """Measure and print: a table, the crossover lengths and the schedule of the reference; or JSON lines."""
    if not torch.cuda.is_available():
        raise ValueError("bench prefill needs a CUDA device; this machine has none")
    rows: list[PrefillRow] = []
    if not as_json:
        print(f"{', '.join(machine().values())}\n{HEADER}")
    for row in bench_prefill(lengths, methods, sparsities, providers, dense):
        rows.append(row)
        print(json.dumps({**row.row(), **machine()}) if as_json else table_line(row), flush=True)
    for line in crossover_lines(rows, sparsities):
        print(json.dumps({"crossover": line, **machine()}) if as_json else line)
    if APART in lengths and "vertical_slash" in methods:
        found = measure_head_by_head(APART, 0.9)
        print(json.dumps({"head_by_head": found, **machine()}) if as_json else apart_line(found))


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
    parser.add_argument(
        "--dense", nargs="*", default=(), help="dense kernels to compare with; by default all there are"
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    from nl_tasks.generators.lengths import parse_length

    try:
        lengths = [parse_length(part) for part in given.lengths.split(",")]
        sparsities = [float(part) for part in given.sparsities.split(",")]
        run(lengths, given.methods, sparsities, given.providers, given.dense, given.json)
    except ValueError as error:
        sys.exit(f"nl-tasks: {error}")


if __name__ == "__main__":
    main()
