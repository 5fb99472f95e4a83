"""One generated token's attention, dense and sparse, on the GPU of this machine: `nl-tasks bench decode`.

    python -m nl_tasks.bench_decode --len 8k,128k      # needs torch and Triton alone

Everything is timed inside CUDA graphs that hold a step for each of several caches, as a model's layers have them. The
dense time is the fastest of what is installed here, in the same run.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from nl_tasks.bench_decode_steps import METHODS, PAGE, Caches, Shape, dense_times, snapkv_selection
from nl_tasks.kernels.devices import has_triton

LENGTHS = (2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 1048576)
SPARSITIES = (0.5, 0.8, 0.9, 0.95)


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
