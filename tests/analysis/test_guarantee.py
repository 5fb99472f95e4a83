import math

import numpy as np
import pytest

from nl_tasks.analysis.drop_test import drop_p_values
from nl_tasks.analysis.guarantee import guarantee, highest, holm_chains

SPARSITIES = (0.5, 0.7, 0.8, 0.9, 0.95)
TRUTH = {  # true drops; from 0.05 on a certificate is wrong
    "easy": (0.0, 0.0, 0.01, 0.05, 0.2),
    "middling": (0.0, 0.02, 0.05, 0.10, 0.3),
    "hard": (0.0, 0.05, 0.05, 0.10, 0.3),
}


def simulate(rng, runs, n, changed=0.05):
    """Drops `[runs, n]` of every task and sparsity: paired right or wrong answers with the true means."""
    drawn = {}
    for task, drops in TRUTH.items():
        for sparsity, drop in zip(SPARSITIES, drops):
            worse = max(drop, (changed + drop) / 2)
            better = worse - drop
            drawn[task, sparsity] = rng.choice([1.0, 0.0, -1.0], size=(runs, n), p=[worse, 1 - worse - better, better])
    return drawn


@pytest.mark.parametrize("n", [100, 400])
@pytest.mark.parametrize("alpha", [0.05, 0.1])
def test_the_whole_answer_is_wrong_no_more_often_than_alpha(alpha, n):
    runs = 2000
    drawn = simulate(np.random.default_rng([n, int(100 * alpha)]), runs, n)
    p = {key: drop_p_values(drops, 0.05, alpha=alpha) for key, drops in drawn.items()}
    wrong = wrong_everywhere = wrong_at_90 = 0
    for run in range(runs):
        chains = {task: [float(p[task, s][run]) for s in SPARSITIES] for task in TRUTH}
        passed, _ = holm_chains(chains, alpha)
        certified = [(task, i) for task, count in passed.items() for i in range(count)]
        wrong += any(TRUTH[task][i] >= 0.05 for task, i in certified)
        wrong_at_90 += passed["middling"] > SPARSITIES.index(0.9)
        worst = [max(chains[task][i] for task in TRUTH) <= alpha for i in range(len(SPARSITIES))]
        wrong_everywhere += highest(SPARSITIES, worst) >= 0.7
    limit = alpha + 2 * math.sqrt(alpha * (1 - alpha) / runs)
    assert wrong / runs <= limit
    assert wrong_everywhere / runs <= limit
    assert wrong_at_90 / runs <= alpha


def test_a_method_that_keeps_accuracy_is_certified():
    rng = np.random.default_rng(1)
    right = 0
    for _ in range(40):
        dense = (rng.random(400) < 0.8).astype(float)
        flipped = {s: np.where(rng.random(400) < 0.01, 1 - dense, dense) for s in (0.5, 0.9)}
        right += (
            guarantee({"task": {s: (dense, sparse) for s, sparse in flipped.items()}}).tasks["task"].sparsity == 0.9
        )
    assert right >= 36


def example(n=200):
    rng = np.random.default_rng(2)
    dense = (rng.random(n) < 0.9).astype(float)
    broken = np.where(rng.random(n) < 0.5, 0.0, dense)
    return {
        "kept": {0.5: (dense, dense), 0.9: (dense, dense)},
        "lost": {0.9: (dense, broken), 0.5: (dense, dense)},
    }


def test_the_answer_names_every_step():
    answer = guarantee(example())
    assert answer.tasks["kept"].sparsity == 0.9
    assert answer.tasks["lost"].sparsity == answer.everywhere == 0.5
    low, high = answer.tasks["lost"].steps
    assert (low.sparsity, low.certified, low.needed, low.drop, low.n) == (0.5, True, None, 0.0, 200)
    assert not high.certified
    assert high.needed is None
    assert high.bound > high.drop > 0.3
    assert not high.not_worse
    assert answer.tasks["lost"].not_worse == 0.5


def test_too_few_samples_say_how_many_would_do():
    answer = guarantee(example(n=30))
    step = answer.tasks["kept"].steps[0]
    assert (step.certified, answer.everywhere) == (False, 0.0)
    assert step.not_worse
    assert 60 <= step.needed <= 100


def test_the_weak_statement_is_weaker():
    """With few samples a real drop of 0.1 is seldom significant, and never certified away."""
    rng = np.random.default_rng(4)
    weak = strong = 0
    for _ in range(200):
        dense = (rng.random(50) < 0.9).astype(float)
        sparse = np.where(rng.random(50) < 0.1, 0.0, dense)
        task = guarantee({"task": {0.9: (dense, sparse)}}).tasks["task"]
        weak += task.not_worse == 0.9
        strong += task.sparsity == 0.9
    assert weak > 100
    assert strong <= 10


def test_a_finished_chain_leaves_its_level_to_the_others():
    passed, levels = holm_chains({"a": [0.01, 0.02], "b": [0.04, 0.2], "c": [0.01, 0.06]}, 0.06)
    assert passed == {"a": 2, "b": 0, "c": 1}
    assert levels["b"] == pytest.approx(0.03)
    passed, _ = holm_chains({"a": [0.01], "b": [0.04]}, 0.05)
    assert passed == {"a": 1, "b": 1}
    assert holm_chains({"a": [0.03], "b": [0.04]}, 0.05)[0] == {"a": 0, "b": 0}
    assert holm_chains({"a": [0.04, 0.01]}, 0.03)[0] == {"a": 0}  # nothing is tested behind a failure


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="scores is empty"):
        guarantee({})
    with pytest.raises(ValueError, match=r"t at sparsity 0\.5: 2 dense and 3 sparse"):
        guarantee({"t": {0.5: ([1, 1], [1, 1, 1])}})
    with pytest.raises(ValueError, match="margin=0"):
        guarantee({"t": {0.5: ([1], [1])}}, margin=0)
