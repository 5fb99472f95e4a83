"""The Triton kernels fit GPUs that no test runs on: they are compiled for them, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")


@pytest.mark.parametrize(
    "capability, shared_memory",
    [("8.0", 166_912), ("8.6", 101_376)],  # A100; RTX 3090, A10, and as much on RTX 4090, L4, L40S, RTX 5090
)
def test_kernels_fit_other_gpus(capability, shared_memory):
    file = Path(__file__).with_name("compiled.py")
    done = subprocess.run(
        [sys.executable, str(file), capability, str(shared_memory)],
        env={**os.environ, "TRITON_INTERPRET": "0", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    *over, counted = done.stdout.splitlines()
    assert not over
    assert int(counted.split()[0]) > 40
