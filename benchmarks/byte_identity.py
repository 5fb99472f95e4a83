"""The same bytes on other Pythons, with more workers, and after being killed five times: checked file by file.

    python benchmarks/byte_identity.py [PYTHON ...] > benchmarks/byte_identity.txt

Each PYTHON (by default the one that runs this) needs the base install's packages. Each writes the story tasks at four
lengths with 1 and with 2 workers, once undisturbed and once killed by SIGKILL at five random moments and resumed.
Exit status 1 if two of the folders differ in any byte.
"""

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import print_machine

ROOT = Path(__file__).resolve().parents[1]
LENGTHS, SAMPLES, KILLS = "6k,8k,16k,32k", 20, 5
FILES = 12  # three tasks, four lengths
UNFINISHED = ".nl-tasks-unfinished.json"


def start(python: str, out: Path, workers: int) -> subprocess.Popen[str]:
    """Begin (or go on with) the run that ends in the folder `out`."""
    words = ["generate", "--len", LENGTHS, "-n", str(SAMPLES), "--workers", str(workers), "--out", str(out)]
    return subprocess.Popen(
        [python, "-m", "nl_tasks.cli", *words, "--resume", "--quiet"],
        cwd=out.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for the end of a run. Raises RuntimeError if it fails."""
    _, error = process.communicate()
    if process.returncode:
        raise RuntimeError(error)


def kill(process: subprocess.Popen[str], out: Path, files: int, seconds: float) -> int:
    """Kill a run `seconds` after that many of its files were whole; how many are by then.

    Raises RuntimeError if the run was over before.
    """
    while process.poll() is None and not ((out / UNFINISHED).exists() and whole(out) >= files):
        time.sleep(0.01)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()  # ends once its workers, who share its stderr, are gone
    if not (out / UNFINISHED).exists():
        raise RuntimeError("the run was over before it was to be killed")
    return whole(out)


def whole(out: Path) -> int:
    """How many files have their final names."""
    return len(list(out.glob("*/test-*.parquet")))


def digest(folder: Path) -> str:
    """SHA-256 of the names and the SHA-256s of all files in `folder`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def compare(python: str, version: str, workers: int, scratch: Path, moments: random.Random) -> set[str]:
    """Print the two rows of one Python and number of workers; the digests of their folders."""
    calm, out = scratch / "calm", scratch / "killed"
    seconds = timed(python, calm, workers)
    print(f"{version:<8}{workers:>8}  {'no':<26}{seconds:>8.1f}  {digest(calm)}", flush=True)
    waits = sorted(moments.sample(range(FILES - 2), KILLS))
    kills = [kill(start(python, out, workers), out, files, moments.uniform(0, 0.3)) for files in waits]
    seconds = timed(python, out, workers)
    text = f"{KILLS} times, files {' '.join(map(str, kills))}"
    print(f"{version:<8}{workers:>8}  {text:<26}{seconds:>8.1f}  {digest(out)}", flush=True)
    return {digest(calm), digest(out)}


def timed(python: str, out: Path, workers: int) -> float:
    """Seconds until the run was done."""
    began = time.monotonic()
    finish(start(python, out, workers))
    return time.monotonic() - began


def main(pythons: list[str]) -> int:
    print_machine("numpy", "pyarrow", "tiktoken")
    print(f"# story tasks at {LENGTHS}, {SAMPLES} samples each; files: whole ones at each kill")
    print(f"{'Python':<8}{'workers':>8}  {'killed':<26}{'seconds':>8}  SHA-256 of the folder")
    found, moments = set(), random.Random(43)
    for python in pythons:
        script = "import platform; print(platform.python_version())"
        version = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
        for workers in (1, 2):
            with tempfile.TemporaryDirectory() as scratch:
                found |= compare(python, version, workers, Path(scratch), moments)
    print("all the same" if len(found) == 1 else f"{len(found)} different folders")
    return int(len(found) > 1)


if __name__ == "__main__":
    sys.exit(main([os.path.abspath(python) for python in sys.argv[1:]] or [sys.executable]))
