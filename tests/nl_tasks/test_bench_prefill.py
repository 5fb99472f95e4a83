"""`nl-tasks bench prefill` as far as it goes without a GPU: what is measured, and what is made of it."""

import pytest

pytest.importorskip("triton")

from nl_tasks.bench_inputs import planted
from nl_tasks.bench_prefill import PrefillRow, at_sparsities, computed_entries, crossover, crossover_lines, table_line
from nl_tasks.kernels.plan import causal_entries
from nl_tasks.sparse_backends import parse_backend


def row(length, speedup, sparsity=0.9, method="vertical_slash"):
    spec = f"{method}:sparsity={sparsity}"
    return PrefillRow(length, spec, "triton", sparsity, 1.0, 2.0, 3.0, 400.0, 0.6, speedup, 10.0, "fa4", 3.0 * speedup)


def test_a_method_is_measured_at_each_sparsity_or_with_its_own_budget():
    assert [backend.spec for backend in at_sparsities("block_sparse:block=128", [0.5, 0.9])] == [
        "block_sparse:sparsity=0.5,block=128",
        "block_sparse:sparsity=0.9,block=128",
    ]
    assert [backend.top_blocks for backend in at_sparsities("block_sparse:block=128,top_blocks=7", [0.5, 0.9])] == [7]
    assert [backend.sparsity for backend in at_sparsities("xattention:sparsity=0.7", [0.5])] == [0.7]


def test_crossover_lies_between_the_lengths_that_straddle_it():
    rows = [row(8192, 0.5), row(16384, 2.0), row(32768, 4.0)]
    assert crossover(rows, "vertical_slash", 0.9) == pytest.approx(8192 * 2**0.5)
    assert crossover(rows[1:], "vertical_slash", 0.9) == 16384
    assert crossover(rows[:1], "vertical_slash", 0.9) is None
    assert crossover(rows, "vertical_slash", 0.5) is None
    assert list(crossover_lines(rows, [0.5, 0.9])) == ["vertical_slash beats dense from  0.5: -   0.9: 11.3k"]
    assert list(crossover_lines(rows[1:], [0.9])) == ["vertical_slash beats dense from  0.9: <=16.0k"]
    assert list(crossover_lines(rows[:1], [0.9])) == ["vertical_slash beats dense from  0.9: never"]


def test_block_sizes_are_compared_apart():
    rows = [row(8192, speed, method=name) for name, speed in (("block_sparse", 0.7), ("block_sparse:block=64", 1.2))]
    rows = [PrefillRow(**{**each.row(), "method": each.method.replace("64:", "64,")}) for each in rows]
    assert list(crossover_lines(rows, [0.9])) == [
        "block_sparse beats dense from  0.9: never",
        "block_sparse:block=64 beats dense from  0.9: <=8.0k",
    ]


def test_of_several_providers_the_fastest_counts():
    assert crossover([row(8192, 0.5), row(8192, 1.5)], "vertical_slash", 0.9) == 8192


def test_blocks_count_whole_and_lines_by_entries():
    q, k, v = planted(4, 2, 512, 32, device="cpu")
    assert (q.shape, k.shape, v.shape) == ((1, 4, 512, 32), (1, 2, 512, 32), (1, 2, 512, 32))
    blocks = parse_backend("block_sparse:block=128,top_blocks=3").plan(q.float(), k.float(), scale=0.2)
    assert computed_entries(blocks, 4) == 4 * (1 + 2 + 3 + 3) * 128**2
    lines = parse_backend("vertical_slash:verticals=512,slashes=512").plan(q.float(), k.float(), scale=0.2)
    assert computed_entries(lines, 4) == 4 * causal_entries(512, 512)


def test_planted_inputs_are_a_function_of_their_seed():
    (q, _, _), (again, _, _), (other, _, _) = (planted(2, 1, 64, 16, seed=seed, device="cpu") for seed in (0, 0, 1))
    assert q.equal(again) and not q.equal(other)


def test_a_line_holds_what_was_measured():
    cells = "8192 vertical_slash:sparsity=0.9 triton 0.900 1.000 2.000 3.000 400 0.60 1.50 10.0"
    assert table_line(row(8192, 1.5)).split() == cells.split()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--len", "8kb"], "length '8kb' is not a number of tokens"),
        (["--lengths", "8kb"], "length '8kb' is not a number of tokens"),
        (["--sparsities", "half"], "--sparsities 'half': write numbers, as 0.5,0.9"),
    ],
)
def test_wrong_use_is_one_line(cli, options, line):
    status, out, err = cli("bench", "prefill", *options)
    assert (status, out) == (2, "") and line in err and err.count("\n") == 1
