"""The table, the crossover lengths and a picture of what `nl-tasks bench prefill --json` measured.

python benchmarks/prefill_table.py benchmarks/h200_prefill.json > benchmarks/h200_prefill.txt
python benchmarks/prefill_table.py benchmarks/h200_prefill.json --plot benchmarks/speedup_prefill.svg
"""

import argparse
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from nl_tasks.bench_head_by_head import apart_line
from nl_tasks.bench_prefill import HEADER, PrefillRow, crossover_lines, table_line, without_sparsity


def read(file: Path) -> tuple[list[PrefillRow], list[dict[str, Any]]]:
    """Rows, and the other lines."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    names = {field.name for field in fields(PrefillRow)}
    rows = [PrefillRow(**{key: line[key] for key in names}) for line in lines if "length" in line]
    return rows, [line for line in lines if "length" not in line]


def plot(rows: list[PrefillRow], file: Path) -> None:
    """Speed-up over the fastest dense kernel against sparsity at the greatest length, beside what is ideal."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "nl-tasks"
    from matplotlib import pyplot

    longest = max(row.length for row in rows)
    figure, axes = pyplot.subplots(figsize=(6, 4))
    sparse = [row for row in rows if row.length == longest and "sparsity=" in row.method]
    for method in dict.fromkeys(without_sparsity(row.method) for row in sparse):
        best: dict[float, float] = {}
        for row in sparse:
            if without_sparsity(row.method) == method:
                at = round(row.sparsity, 3)
                best[at] = max(best.get(at, 0.0), row.speedup)
        points = sorted(best.items())
        axes.plot(*zip(*points), marker="o", label=method)
    ideal = [step / 100 for step in range(40, 96)]
    axes.plot(ideal, [1 / (1 - x) for x in ideal], "k--", linewidth=1, label="ideal: 1 / density")
    axes.axhline(1, color="grey", linewidth=0.8)
    axes.set_yscale("log", base=2)
    axes.set_yticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
    axes.set_xlabel("sparsity (measured)")
    axes.set_ylabel(f"times faster than {rows[0].dense} (fastest dense)")
    axes.set_title(f"Prefill of {longest // 1024}k tokens, selection included, one H200")
    axes.legend()
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    rows, others = read(given.file)
    if given.plot:
        plot(rows, given.plot)
        return
    first = json.loads(given.file.read_text().splitlines()[0])
    print(f"{first['device']}, torch {first['torch']}, triton {first['triton']}\n{HEADER}")
    print("\n".join(map(table_line, rows)))
    print("\n".join(crossover_lines(rows)))
    for line in others:
        if "reference_ms" in line.get("head_by_head", {}):  # older files lack it
            print(apart_line(line["head_by_head"]))


if __name__ == "__main__":
    main()
