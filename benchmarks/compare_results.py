"""Compare two folders of result files: the same samples, answered on a CPU and on a GPU.

    python benchmarks/compare_results.py FOLDER OTHER

Cells are paired by all they are asked but the number of samples and the weights' type; the samples that both have are
compared.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from nl_tasks.result import Result, read_result


def read(folder: Path) -> dict[str, Result]:
    """Result files by what was asked."""
    found = {}
    for path in sorted(folder.rglob("*.json")):
        result = read_result(path)
        asked: dict[str, Any] = {**result.cell.as_json(), "n": None, "dtype": None}
        found[json.dumps(asked, sort_keys=True)] = result
    return found


def main() -> None:
    """Print a line for each cell that both folders hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("other", type=Path)
    given = parser.parse_args()
    here, there = read(given.folder), read(given.other)
    if not here.keys() & there.keys():
        sys.exit(f"{given.folder} and {given.other} have no cell in common: name two folders of result files")
    print(f"{'cell':<58}{'n':>4}{'said alike':>11}{'score':>8}{'other':>8}   95% interval of the other's whole cell")
    for asked in sorted(here.keys() & there.keys()):
        one, other = here[asked], there[asked]
        answers = {sample.id: sample for sample in other.samples}
        both = [(sample, answers[sample.id]) for sample in one.samples if sample.id in answers]
        cell = one.cell
        alike = sum(a.prediction == b.prediction for a, b in both)
        mean, beside = (sum(pair[side].score for pair in both) / len(both) for side in (0, 1))
        print(
            f"{f'{cell.task} {cell.length} {cell.backend}':<58}{len(both):>4}{alike:>11}{mean:>8.3f}{beside:>8.3f}"
            f"   {other.summary.low:.3f} - {other.summary.high:.3f}"
        )


if __name__ == "__main__":
    main()
