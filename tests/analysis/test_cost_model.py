"""The published numbers of arXiv 2504.17768, each with the counting that yields it."""

import pytest

from nl_tasks.analysis.cost_model import CORRECTED, COUNTINGS, PRINTED, PUBLISHED, decode_reads, prefill_flops
from nl_tasks.analysis.model_shapes import model_shapes
from nl_tasks.analysis.paper_estimates import decode_attention_speedup, quest_reads, vertical_slash_flops

QWEN = [shape for name, shape in model_shapes().items() if name.startswith("Qwen")]
LENGTHS = (16384, 65536, 131072)


def mean(measure):
    return sum(measure(shape) for shape in QWEN) / len(QWEN)


def percent(measure):
    return round(100 * mean(measure))


@pytest.mark.parametrize(
    ("counting", "expected"), [(PUBLISHED, [40, 68, 80]), (PRINTED, [40, 68, 80]), (CORRECTED, [30, 54, 68])]
)
def test_share_of_attention_in_a_dense_prefill(counting, expected):
    shares = [percent(lambda s, n=n: prefill_flops(s, n, counting=counting).attention_share) for n in LENGTHS]
    assert shares == expected


def test_share_of_scores_alone():
    assert [percent(lambda s, n=n: prefill_flops(s, n, counting=PUBLISHED).score_share) for n in LENGTHS] == [
        29,
        62,
        76,
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("published", [1.48, 2.20, 2.80]), ("printed", [1.31, 2.00, 2.59]), ("corrected", [1.16, 1.57, 2.00])],
)
def test_prefill_speedup_at_a_fifth(name, expected):
    def speedup(shape, length):
        dense, sparse = (prefill_flops(shape, length, density=d, counting=COUNTINGS[name]).total for d in (1, 0.2))
        return dense / sparse

    assert [round(mean(lambda s, n=n: speedup(s, n)), 2) for n in LENGTHS] == expected


@pytest.mark.parametrize(
    ("batch", "shares", "speedups"),
    [
        (1, [7, 22, 35], [1.06, 1.21, 1.41]),
        (8, [35, 67, 80], [1.41, 2.22, 2.84]),
        (64, [80, 94, 97], [2.84, 4.06, 4.46]),
    ],
)
def test_decode_shares_and_speedups_need_weights_of_grouped_heads(batch, shares, speedups):
    assert [percent(lambda s, n=n: decode_reads(s, n, batch=batch).kv_share) for n in LENGTHS] == shares

    def speedup(shape, length):
        return (
            decode_reads(shape, length, batch=batch).total / decode_reads(shape, length, batch=batch, density=0.2).total
        )

    assert [round(mean(lambda s, n=n: speedup(s, n)), 2) for n in LENGTHS] == pytest.approx(speedups, abs=0.011)


@pytest.mark.parametrize(("batch", "shares"), [(1, [6, 20, 33]), (8, [33, 65, 79]), (64, [79, 93, 97])])
def test_printed_weights_give_other_shares(batch, shares):
    printed = [percent(lambda s, n=n: decode_reads(s, n, batch=batch, counting=PRINTED).kv_share) for n in LENGTHS]
    assert printed == shares


def test_sliding_windows_shrink_the_share_of_attention():
    shapes = model_shapes()
    prefill = {
        (m, n): round(100 * prefill_flops(shapes[m], n, counting=PUBLISHED).attention_share)
        for m in ("Qwen2.5-14B", "gemma-3-12b")
        for n in (65536, 131072)
    }
    assert list(prefill.values()) == [76, 86, 42, 54]
    decode = [round(100 * decode_reads(shapes[m], 65536, batch=8).kv_share) for m in ("Qwen2.5-14B", "gemma-3-12b")]
    assert decode == [79, 61]


@pytest.mark.parametrize(
    ("size", "density", "length", "expected"),
    [
        ("7B", 1, 128000, 8.4e15),
        ("14B", 1, 128000, 2.0e16),
        ("32B", 1, 128000, 3.0e16),
        ("72B", 1, 128000, 6.2e16),
        ("72B", 0.05, 128000, 2.05e16),
        ("32B", 0.05, 128000, 9.3e15),
        ("72B", 0.05, 65536, 9.9e15),
        ("72B", 0.05, 32768, 4.8e15),
        ("32B", 1, 32768, 3.5e15),
    ],
)
def test_flops_of_a_prefill(size, density, length, expected):
    shape = model_shapes()[f"Qwen2.5-{size}"]
    assert prefill_flops(shape, length, density=density, counting=PRINTED).total == pytest.approx(expected, rel=0.02)


def test_quest_reads_more_to_rank_pages_than_it_then_attends_to():
    shape = model_shapes()["Qwen2.5-7B"]
    cache = decode_reads(shape, 131072).kv
    assert quest_reads(shape, 131072) / cache == pytest.approx(1 / 16)
    assert decode_attention_speedup(1 / 20, 2 / 16) == pytest.approx(8.9, abs=0.05)
    reads = decode_reads(shape, 131072, density=1 / 20, estimate=2 / 16)
    assert cache / (reads.kv + reads.estimate) == pytest.approx(8.9, abs=0.05)
    assert quest_reads(shape, 131072, counting=PRINTED) / cache == pytest.approx(1.75)


def test_vertical_slash_estimate_is_small_only_with_the_head_dimension():
    shape = model_shapes()["Qwen2.5-7B"]
    core = prefill_flops(shape, 16384, counting=PRINTED).scores
    kept = {"columns": 164, "diagonals": 164}
    assert 0.01 < vertical_slash_flops(shape, 16384, **kept) / core < 0.04
    assert vertical_slash_flops(shape, 16384, counting=PRINTED, **kept) / core == pytest.approx(0.22, abs=0.01)


def test_costs_grow_with_everything_that_costs():
    shape = model_shapes()["Llama-3.1-8B"]
    for count in (prefill_flops, decode_reads):
        base = count(shape, 4096, density=0.5).total
        for more in ({"density": 0.6}, {"density": 0.5, "estimate": 0.1}, {"density": 0.5, "batch": 2}):
            assert count(shape, 4096, **more).total > base
        assert count(shape, 4097, density=0.5).total > base


@pytest.mark.parametrize("counting", COUNTINGS.values(), ids=lambda c: c.name)
def test_density_one_without_estimate_is_dense(counting):
    shape = model_shapes()["gemma-3-4b"]
    short = prefill_flops(shape, 512, counting=counting)
    assert short == prefill_flops(shape, 512, density=1.0, estimate=0.0, counting=counting)
    full = shape.layers * shape.heads * (512 * 513 / 2 if counting.causal else 512 * 512)
    assert short.scores == full * (4 * shape.head_dim + 3)  # no window is shorter than the prompt


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"density": 1.2}, "density=1.2"), ({"estimate": -1}, "estimate=-1"), ({"batch": 0}, "batch=0")],
)
def test_numbers_out_of_range_are_named(wrong, named):
    for count in (prefill_flops, decode_reads):
        with pytest.raises(ValueError, match=named):
            count(QWEN[0], 4096, **wrong)
        with pytest.raises(ValueError, match="length=0"):
            count(QWEN[0], 0)
