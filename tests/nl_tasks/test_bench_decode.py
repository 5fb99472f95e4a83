"""What `nl-tasks bench decode` says without a GPU, and how its rows are read."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("triton")

import torch
from typer.testing import CliRunner

from nl_tasks.bench_decode import Row, bench_decode, crossovers, table
from nl_tasks.cli import app


def row(method, length, sparsity, speedup):
    us = 100 / speedup
    return Row(method, length, 1, sparsity, 1 - sparsity, us / 2, us / 2, us, 1.0, "sdpa", 100.0, speedup, 1.0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_says_so():
    with pytest.raises(ValueError, match="needs a GPU"):
        next(bench_decode([8192]))
    result = CliRunner().invoke(app, ["bench", "decode", "--len", "8k"])
    assert result.exit_code != 0
    assert "GPU" in f"{result.output}{result.exception}"


def test_crossover_is_where_a_method_stays_faster():
    rows = [row("quest", length, 0.9, speed) for length, speed in ((1024, 1.2), (2048, 0.9), (4096, 1.1), (8192, 3.0))]
    rows += [row("quest", length, 0.5, 0.8) for length in (1024, 8192)]
    assert crossovers(rows, [0.9, 0.5]) == {("quest", 0.9): 4096, ("quest", 0.5): None}


def test_table_has_a_line_for_each_row():
    lines = table([row("quest", 1024, 0.9, 2.0), row("snapkv", 1024, 0.9, 4.0)]).splitlines()
    assert len(lines) == 3
    assert lines[1].split()[:2] == ["1024", "quest"]
    assert lines[2].split()[-2] == "4.00"
