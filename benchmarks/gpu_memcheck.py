"""The GPU tests on short inputs under compute-sanitizer's memcheck, in several processes.

    python benchmarks/gpu_memcheck.py --processes 14 tests/gpu

Each process gets every so-manieth test. Tests that capture a CUDA graph are left out: torch's memory cache, without
which memcheck sees every tensor's end, is what graphs need. Exits with 1 unless every test passes or is skipped and no
error is found.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

LONGEST = 1102  # tokens; longer inputs take minutes each under memcheck
SHORT = {"NL_TASKS_LONGEST": str(LONGEST), "PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
MEMCHECK = ["compute-sanitizer", "--tool", "memcheck", "--report-api-errors", "no"]
PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist"]


def collected(tests: list[str], environment: dict[str, str]) -> list[str]:
    """Ids of the tests that run on short inputs and capture no graph."""
    command = [*PYTEST, "--collect-only", "-q", "-k", "not graph", *tests]
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return [line for line in out.splitlines() if "::" in line]


def verdict(log: str) -> tuple[int, int, int]:
    """Tests passed and skipped, and memory errors; none passed where pytest or memcheck did not come to its end."""
    ends = re.findall(r"^=+ (.*) in [\d.]+s.* =+$", log, re.MULTILINE)
    errors = re.findall(r"ERROR SUMMARY: (\d+) error", log)
    if len(ends) != 1 or len(errors) != 1:
        return 0, 0, sum(map(int, errors))
    passed, skipped = (sum(map(int, re.findall(rf"(\d+) {what}", ends[0]))) for what in ("passed", "skipped"))
    return passed, skipped, int(errors[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tests", nargs="*", default=["tests/gpu"])
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--logs", type=Path, help="folder for what each process says")
    given = parser.parse_args()
    if given.processes < 1:
        parser.error(f"--processes {given.processes} is out of range: 1 or more")
    if shutil.which(MEMCHECK[0]) is None:
        parser.error(f"{MEMCHECK[0]} is not on the PATH: it comes with CUDA's toolkit")
    environment = os.environ | SHORT
    ids = collected(given.tests, environment)
    if not ids:
        parser.error(f"no test in {' '.join(given.tests)} runs on short inputs without a CUDA graph")
    logs = given.logs or Path(tempfile.mkdtemp())
    logs.mkdir(parents=True, exist_ok=True)
    running = []
    for at in range(min(given.processes, len(ids))):
        with (logs / f"{at}.txt").open("w") as log:
            command = [*MEMCHECK, *PYTEST, "-v", *ids[at :: given.processes]]
            running.append(subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT))
    codes = [process.wait() for process in running]
    found = [verdict((logs / f"{at}.txt").read_text()) for at in range(len(running))]
    passed, skipped, errors = (sum(numbers) for numbers in zip(*found, strict=True))
    print(
        f"{len(ids)} tests, {passed} passed, {skipped} skipped, {errors} memory errors in {len(running)} processes; "
        f"logs: {logs.name}"
    )
    return 0 if passed and passed + skipped == len(ids) and not errors and not any(codes) else 1


if __name__ == "__main__":
    sys.exit(main())
