"""The table, the crossover lengths and a picture of what `nl-tasks bench decode --json` measured.

python benchmarks/decode_table.py benchmarks/h100_decode.json > benchmarks/h100_decode.txt
python benchmarks/decode_table.py benchmarks/h100_decode.json --plot decode.png
"""

import argparse
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from nl_tasks.bench_decode import SPARSITIES, Row, crossover_table, table

_PLOTTED = ("quest", "snapkv")


def read(file: Path) -> tuple[list[Row], list[dict[str, Any]]]:
    """Rows of decode, and the lines of other phases."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    names = {field.name for field in fields(Row)}
    rows = [
        Row(**{key: value for key, value in line.items() if key in names})
        for line in lines
        if line["phase"] == "decode"
    ]
    return rows, [line for line in lines if line["phase"] != "decode"]


def plot(rows: list[Row], file: Path) -> None:
    """Speed-up over the fastest dense against length, a panel a method, ideals dashed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(_PLOTTED), figsize=(9, 3.6), sharey=True)
    for panel, method in zip(panels, _PLOTTED):
        for index, sparsity in enumerate(SPARSITIES):
            own = [row for row in rows if row.method == method and abs(row.sparsity - sparsity) < 0.005]
            panel.plot([row.length for row in own], [row.speedup for row in own], f"C{index}o-", label=f"{sparsity:g}")
            panel.axhline(1 / (1 - sparsity), color=f"C{index}", linestyle=":", linewidth=1)
        panel.axhline(1, color="black", linewidth=1)
        panel.set(title=method, xlabel="tokens in the cache", xscale="log", yscale="log")
        panel.set_xscale("log", base=2)
    panels[0].set_ylabel("times as fast as the fastest dense")
    panels[-1].legend(title="sparsity", frameon=False)
    figure.tight_layout()
    figure.savefig(file, dpi=150)


def main() -> None:
    """Print, or plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    rows, others = read(given.file)
    if given.plot:
        plot(rows, given.plot)
        return
    first = json.loads(given.file.read_text().splitlines()[0])
    print(", ".join(f"{name} {first[name]}" for name in ("gpu", "torch", "cuda", "triton", "batch")))
    print("Llama-3.1-8B's layer: 32 query heads, 8 KV heads, head dim 128, bfloat16; times in CUDA graphs\n")
    print(table(rows))
    print("\n" + crossover_table(rows))
    for line in others:
        dense = line["dense_ms"]
        print(
            f"\nselection after a prefill of {line['length']:.0f} tokens, against its dense attention ({dense:.0f} ms):"
        )
        for name in ("snapkv", "ada_snapkv"):
            print(f"  {name:<12}{line[name + '_ms']:.2f} ms, {line[name + '_ms'] / dense:.2%}")


if __name__ == "__main__":
    main()
