import numpy as np
import pytest

from nl_tasks.analysis.hold_out import hold_out
from nl_tasks.analysis.scaling_law import AXES, Observations, cell_means, fit_scaling_law

pytest.importorskip("statsmodels")

# arXiv 2504.17768 v1, table 3, prefill fit with the length held out
OFFSETS = {
    "quality": 0.0,
    "squad": 0.27,
    "toefl": 0.80,
    "cwe": 0.76,
    "vt": -1.60,
    "filter": -3.55,
    "hop": -3.21,
    "story": 1.43,
}
INTERCEPT, SLOPES = -16.92, {"alpha": 1.31, "beta": -1.15, "gamma": -1.00}
SIZES = (7.6e9, 14.8e9, 32.8e9, 72.7e9)
LENGTHS = (16384, 32768, 65536)
COMPRESSIONS = (1, 2, 5, 10, 20)


def simulate(seed, n=50, shared=0.0, sizes=SIZES, lengths=LENGTHS, compressions=COMPRESSIONS, tasks=OFFSETS):
    """Answers that follow the published law; `shared` is the spread of a sample's own difficulty, in logits."""
    rng = np.random.default_rng(seed)
    grid = [(t, i, p, l, c) for t in tasks for i in range(n) for p in sizes for l in lengths for c in compressions]  # noqa: E741
    task, index, parameters, length, compression = (np.array(column) for column in zip(*grid))
    cluster = np.char.add(np.char.add(task, "/"), index.astype(str))
    own = dict(zip(sorted(set(cluster.tolist())), rng.normal(0, shared, size=len(tasks) * n)))
    logit = INTERCEPT + np.array([OFFSETS[t] for t in task]) + np.array([own[c] for c in cluster])
    for symbol, axis in zip(SLOPES, (parameters, length, compression)):
        logit = logit + SLOPES[symbol] * np.log(axis)
    score = (rng.random(len(task)) < 1 / (1 + np.exp(-logit))).astype(float)
    return Observations(
        score=score, task=task, parameters=parameters.astype(float), length=length.astype(float),
        compression=compression.astype(float), cluster=cluster,
    )  # fmt: skip


def misses(law):
    truth = {name: INTERCEPT + offset for name, offset in OFFSETS.items()} | SLOPES
    found = law.tasks | {symbol: getattr(law, symbol) for symbol in AXES}
    return {name: (found[name] - truth[name]) / law.errors[name] for name in truth}


def test_published_coefficients_are_recovered_within_their_errors():
    law = fit_scaling_law(simulate(1))
    off = misses(law)
    assert max(map(abs, off.values())) < 3
    assert law.errors["gamma"] < 0.05
    assert law.errors["alpha"] < 0.05
    for symbol, value in SLOPES.items():
        assert getattr(law, symbol) == pytest.approx(value, abs=0.1)


def test_errors_are_as_large_as_they_say():
    off = np.array([list(misses(fit_scaling_law(simulate(seed, n=12))).values()) for seed in range(30)])
    assert 0.9 < (np.abs(off) < 1.96).mean() < 0.99
    assert off.std() == pytest.approx(1, abs=0.15)


def test_the_same_answers_twice_are_no_more_evidence():
    seen = simulate(2, n=10)
    twice = Observations(**{name: np.concatenate([values, values]) for name, values in vars(seen).items()})
    alone = Observations(**{**vars(twice), "cluster": np.arange(len(twice.score)).astype(str)})
    once, again, believed = (fit_scaling_law(x).errors["alpha"] for x in (seen, twice, alone))
    assert again == pytest.approx(once, rel=0.02)
    assert believed < 0.8 * once


def test_fractions_are_scores_too():
    seen = simulate(3, n=20)
    halves = Observations(**{**vars(seen), "score": 0.25 + seen.score / 2})
    assert 0 < fit_scaling_law(halves).alpha < fit_scaling_law(seen).alpha


@pytest.mark.parametrize("axis", AXES.values())
def test_the_largest_value_is_predicted_from_the_others(axis):
    seen = simulate(4)
    answer = hold_out(seen, axis)
    assert answer.value == getattr(seen, axis).max()
    assert answer.r2_fitted > 0.9
    assert answer.r2_held_out > 0.9
    assert set(answer.tasks) == set(OFFSETS)
    assert all(task.mae < 0.1 for task in answer.tasks.values())
    assert np.mean([task.spearman for task in answer.tasks.values()]) > 0.8


def test_a_broken_law_shows_where_it_was_held_out():
    seen = simulate(5)
    broken = np.where(seen.length == max(LENGTHS), 1 - seen.score, seen.score)
    answer = hold_out(Observations(**{**vars(seen), "score": broken}), "length")
    assert answer.r2_fitted > 0.9
    assert answer.r2_held_out < 0
    assert max(task.mae for task in answer.tasks.values()) > 0.2


def test_means_of_cells():
    columns, means = cell_means(simulate(6, n=3, tasks={"story": 0, "vt": 0}, lengths=(16384,)))
    assert len(means) == 2 * 4 * 5 == len(columns["task"])
    assert ((means * 3) % 1 < 1e-9).all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"lengths": (16384,)}, "length is 16384 throughout: beta needs at least two values"),
        ({"sizes": (7e9,)}, "parameters is 7e\\+09 throughout: alpha"),
        ({"compressions": (1,)}, "compression is 1 throughout: gamma"),
    ],
)
def test_an_axis_with_one_value_is_named(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        fit_scaling_law(simulate(7, n=3, **change))


def test_scores_that_never_vary_are_named():
    seen = simulate(8, n=3)
    zeros = Observations(**{**vars(seen), "score": np.zeros(len(seen.score))})
    with pytest.raises(ValueError, match="cwe scores 0 throughout"):
        fit_scaling_law(zeros)
    one = Observations(**{**vars(seen), "score": np.where(seen.task == "vt", 1.0, seen.score)})
    with pytest.raises(ValueError, match=r"vt scores 1 throughout.*leave it out"):
        fit_scaling_law(one)


def test_axes_that_change_together_are_told():
    seen = simulate(9, n=5)
    tied = Observations(**{**vars(seen), "length": seen.parameters * 1e-5})
    with pytest.raises(ValueError, match="change together"):
        fit_scaling_law(tied)


def test_separation_is_told():
    seen = simulate(10, n=5)
    wide = Observations(**{**vars(seen), "score": (seen.length < 20000).astype(float)})
    with pytest.raises(ValueError, match="does not converge"):
        fit_scaling_law(wide)


def test_wrong_observations_are_named():
    seen = simulate(11, n=2)
    for change, sentence in (
        ({"score": seen.score[:-1]}, "has .* entries"),
        ({"score": seen.score + 1}, "score holds"),
        ({"compression": seen.compression / 10}, "compression holds 0.1"),
    ):
        with pytest.raises(ValueError, match=sentence):
            Observations(**{**vars(seen), **change})
    with pytest.raises(ValueError, match="observations are empty"):
        seen.where(np.zeros(len(seen.score), dtype=bool))
    with pytest.raises(ValueError, match="axis='depth'"):
        hold_out(seen, "depth")
    law = fit_scaling_law(simulate(12, n=4))
    with pytest.raises(ValueError, match="task='niah'"):
        law.predict(["niah"], [1e9], [1000], [1])


def test_an_axis_may_be_left_out():
    seen = simulate(13, sizes=(7.6e9,))
    law = fit_scaling_law(seen, axes=["length", "compression"])
    assert law.alpha == 0.0 and "alpha" not in law.errors
    assert law.gamma == pytest.approx(SLOPES["gamma"], abs=5 * law.errors["gamma"])
    told = law.predict(["story"], [7.6e9], [16384], [1])
    there = (seen.task == "story") & (seen.length == 16384) & (seen.compression == 1)
    assert told[0] == pytest.approx(seen.score[there].mean(), abs=0.12)
    answer = hold_out(seen, "compression", axes=["length", "compression"])
    assert answer.value == 20 and answer.r2_held_out > 0.8
    with pytest.raises(ValueError, match="axes=\\['depth'\\]"):
        fit_scaling_law(seen, axes=["depth"])


def test_fewer_samples_than_coefficients_are_too_few():
    seen = simulate(14, n=1)
    with pytest.raises(ValueError, match="8 samples are too few for the errors of 11 coefficients"):
        fit_scaling_law(Observations(**{**vars(seen), "score": np.arange(len(seen.score)) % 2.0}))
