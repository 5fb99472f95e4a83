import math

import numpy as np
import pytest

from nl_tasks.analysis.drop_test import drop_bound, drop_p_values, samples_needed, shuffled


def ternary(rng, shape, changed, drop):
    """Differences of answers that are right or wrong: `changed` of them change, with mean `drop`."""
    worse, better = (changed + drop) / 2, (changed - drop) / 2
    return rng.choice([1.0, 0.0, -1.0], size=shape, p=[worse, 1 - worse - better, better])


def graded(rng, shape, drop):
    """Differences of graded scores: rare and large, or frequent and small."""
    return np.where(rng.random(shape) < 0.3, rng.beta(2 * drop, 2 * (0.3 - drop), size=shape), 0.0)


@pytest.mark.parametrize("alpha", [0.05, 0.1])
@pytest.mark.parametrize("n", [20, 100, 300])
def test_drops_at_the_margin_pass_no_more_often_than_alpha(n, alpha):
    rng = np.random.default_rng([n, int(alpha * 100)])
    runs = 2000
    for drops in (
        ternary(rng, (runs, n), 0.05, 0.05),
        ternary(rng, (runs, n), 0.15, 0.05),
        ternary(rng, (runs, n), 0.6, 0.05),
        graded(rng, (runs, n), 0.05),
    ):
        rate = float((drop_p_values(drops, 0.05, alpha=alpha) <= alpha).mean())
        assert rate <= alpha + 2 * math.sqrt(alpha * (1 - alpha) / runs)


def test_p_values_hold_at_levels_they_were_not_made_for():
    p = drop_p_values(ternary(np.random.default_rng(3), (4000, 100), 0.1, 0.05), 0.05, alpha=0.05)
    for level in (0.01, 0.2, 0.5):
        assert float((p <= level).mean()) <= level + 2 * math.sqrt(level * (1 - level) / 4000)


def test_no_change_at_all_passes_when_a_drop_would_have_shown():
    """A drop of 5% hides in n samples with probability 0.95^n, below 5% from 59 samples on."""
    assert drop_p_values(np.zeros(80), 0.05) <= 0.05
    assert drop_p_values(np.zeros(50), 0.05) > 0.05


def test_power_grows_with_samples_and_falls_with_the_drop():
    rng = np.random.default_rng(5)

    def power(n, changed, drop):
        return float((drop_p_values(ternary(rng, (500, n), changed, drop), 0.05) <= 0.05).mean())

    assert power(100, 0.02, 0) < power(200, 0.02, 0) < power(400, 0.02, 0)
    assert power(400, 0.05, 0.04) < power(400, 0.05, 0.02) < power(400, 0.05, 0)
    assert power(400, 0.02, 0) > 0.95


def test_bounds_cover_the_truth():
    rng = np.random.default_rng(6)
    covered = [drop_bound(ternary(rng, 100, 0.2, 0.1), alpha=0.1) >= 0.1 for _ in range(300)]
    assert np.mean(covered) >= 0.9 - 2 * math.sqrt(0.09 / 300)


def test_the_bound_is_the_least_margin_that_is_rejected():
    drops = ternary(np.random.default_rng(7), 150, 0.1, 0.02)
    bound = drop_bound(drops)
    assert drop_p_values(drops, bound) <= 0.05 < drop_p_values(drops, bound - 0.0001)
    assert drop_bound(np.ones(50)) == 1.0


def test_needed_samples_are_about_right():
    rng = np.random.default_rng(8)
    needed = samples_needed(ternary(rng, 20000, 0.1, 0.0), 0.05)
    rate = float((drop_p_values(ternary(rng, (500, needed), 0.1, 0.0), 0.05) <= 0.05).mean())
    assert 0.4 < rate < 0.9
    assert samples_needed(np.zeros(10), 0.05) == pytest.approx(62, abs=3)
    assert samples_needed(ternary(rng, 2000, 0.3, 0.1), 0.05) is None


def test_orders_differ_by_count_alone():
    assert sorted(shuffled(np.arange(50) / 50)) == list(np.arange(50) / 50)
    assert list(shuffled(np.arange(50) / 50)) == list(shuffled(np.arange(50) / 50)) != list(np.arange(50) / 50)


@pytest.mark.parametrize(
    ("drops", "margin", "named"),
    [([], 0.05, "drops is empty"), ([2.0], 0.05, "drops holds 2.0"), ([0.0], 0, "margin=0"), ([0.0], 1.5, "margin=1.5"),
     ([float("nan")], 0.05, "drops holds nan")],
)  # fmt: skip
def test_numbers_out_of_range_are_named(drops, margin, named):
    with pytest.raises(ValueError, match=named):
        drop_p_values(drops, margin)
    with pytest.raises(ValueError, match="alpha=1"):
        drop_p_values([0.0], 0.05, alpha=1)
