import numpy as np
import pytest

from nl_tasks.analysis.bootstrap import paired_means
from nl_tasks.analysis.cost_model import CORRECTED, PRINTED, prefill_flops
from nl_tasks.analysis.isocost import Point, critical_length, isocost, pareto
from nl_tasks.analysis.model_shapes import find_shape


def point(model, sparsity, cost, accuracy, n=200, seed=0):
    rng = np.random.default_rng(seed)
    difficulty = rng.random(n)  # the same samples for all: pairs stay pairs
    return Point(
        model=model, method="m", sparsity=sparsity, cost=cost, scores={"t": (difficulty < accuracy).astype(float)}
    )


def band(drawn):
    return np.quantile(drawn, [0.025, 0.975], axis=0)


def test_frontier_by_brute_force():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n = rng.integers(1, 12)
        costs, gains = rng.integers(1, 6, size=n).astype(float), rng.integers(0, 6, size=n) / 5
        beaten = [
            any((c <= costs[i] and g > gains[i]) or (c < costs[i] and g >= gains[i]) for c, g in zip(costs, gains))
            for i in range(n)
        ]
        assert pareto(costs, gains).tolist() == [not b for b in beaten]


def test_points_stand_in_order_of_cost_with_bands():
    standings = isocost(
        [point("l", 0, 10, 0.9), point("s", 0, 3, 0.6), point("l", 0.9, 2, 0.7), point("s", 0.9, 1, 0.3)]
    )
    assert [s.point.cost for s in standings] == [1, 2, 3, 10]
    assert [s.on_frontier for s in standings] == [True, True, False, True]
    assert all(s.low <= s.accuracy <= s.high for s in standings)
    assert all(0.05 < s.high - s.low < 0.16 for s in standings)
    assert standings[2].frontier_share < 0.05
    assert standings[0].frontier_share > 0.95


def test_pairs_make_differences_surer_than_levels():
    a, b = point("a", 0, 1, 0.60), point("b", 0, 1, 0.70)
    means, drawn = paired_means([a.scores, b.scores])
    low, high = band(drawn[:, 1] - drawn[:, 0])
    assert low < means[1] - means[0] < high
    assert high - low < 0.7 * (band(drawn[:, 0])[1] - band(drawn[:, 0])[0])


def test_bands_cover_the_truth():
    covered = []
    for seed in range(200):
        scores = (np.random.default_rng(seed).random(80) < 0.7).astype(float)
        low, high = band(paired_means([{"t": scores}], resamples=300)[1][:, 0])
        covered.append(low <= 0.7 <= high)
    assert 0.9 <= np.mean(covered) <= 0.99


def test_tasks_weigh_the_same_whatever_their_number_of_samples():
    means, _ = paired_means([{"a": np.ones(10), "b": np.zeros(1000)}], resamples=10)
    assert means[0] == 0.5


@pytest.mark.parametrize(
    ("counting", "lengths"), [(PRINTED, [131072, 262144]), (CORRECTED, [262144])], ids=["printed", "corrected"]
)
def test_critical_length_of_the_papers_models_depends_on_the_counting(counting, lengths):
    """72B at budget 1/20 gets as cheap as dense 32B above 64k as the paper counts, above 128k with causal attention."""
    small, large = find_shape("Qwen2.5-32B"), find_shape("Qwen2.5-72B")
    points = {}
    for length in (32768, 65536, 131072, 262144):
        costs = [prefill_flops(s, length, density=d, counting=counting).total for s, d in ((small, 1), (large, 0.05))]
        points[length] = [point("small", 0, costs[0], 0.6), point("large", 0.95, costs[1], 0.75)]
    answer = critical_length(points, "small", "large")
    assert [length for length, gain in answer.advantage.items() if gain is not None] == lengths
    assert (answer.low, answer.length, answer.high) == (lengths[0],) * 3
    assert answer.probability == 1.0


def test_critical_length_is_unsure_where_accuracies_are_close():
    points = {
        n: [point("s", 0, 2, 0.6, n=50), point("l", 0.9, 1, 0.6 + gain, n=50)] for n, gain in ((1, 0.02), (2, 0.2))
    }
    answer = critical_length(points, "s", "l")
    assert answer.length in (1, 2)
    assert (answer.low, answer.high) == (1, 2)
    never = critical_length({1: [point("s", 0, 2, 0.9), point("l", 0.9, 1, 0.5)]}, "s", "l")
    assert (never.length, never.high, never.probability) == (None, None, 0.0)


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="different tasks"):
        paired_means([{"a": [1.0]}, {"b": [1.0]}])
    with pytest.raises(ValueError, match=r"a has \[1, 2\] samples"):
        paired_means([{"a": [1.0]}, {"a": [1.0, 0.0]}])
    with pytest.raises(ValueError, match="scores is empty"):
        isocost([])
    with pytest.raises(ValueError, match=r"cost=0.0 is out"):
        isocost([point("a", 0, 0.0, 0.5)])
    with pytest.raises(ValueError, match="length 5 has no point of sparse l"):
        critical_length({5: [point("s", 0, 1, 0.5)]}, "s", "l")
    with pytest.raises(ValueError, match="length 5 has no point of dense s"):
        critical_length({5: [point("l", 0.5, 1, 0.5)]}, "s", "l")


def test_bands_do_not_vanish_where_every_answer_is_right():
    (only,) = isocost([Point(model="m", method="dense", sparsity=0, cost=1.0, scores={"t": np.ones(100)})])
    assert only.high == 1.0 and 0.95 < only.low < 0.99
    (wide,) = isocost([Point(model="m", method="dense", sparsity=0, cost=1.0, scores={"t": np.ones(10)})])
    assert wide.low < 0.9


def test_bands_of_nearly_perfect_scores_cover_the_truth():
    covered = []
    for seed in range(300):
        scores = (np.random.default_rng(seed).random(100) < 0.98).astype(float)
        (found,) = isocost([Point(model="m", method="d", sparsity=0, cost=1.0, scores={"t": scores})], resamples=200)
        covered.append(found.low <= 0.98 <= found.high)
    assert np.mean(covered) >= 0.93
