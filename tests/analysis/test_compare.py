import numpy as np
import pytest

from nl_tasks.analysis.compare import Method, compare, simultaneous_intervals


def method(name, scores, **more):
    return Method(name=name, phase="prefill", scores=scores, **more)


def test_the_worst_task_comes_first_and_methods_are_ranked():
    dense = {"kept": np.ones(100), "lost": np.ones(100)}
    half, most = np.repeat([1.0, 0.0], 50), np.repeat([1.0, 0.0], [90, 10])
    methods = {
        "kept": [method("a", np.ones(100)), method("b", most)],
        "lost": [method("a", half), method("b", most, evidence_recall=0.7), method("c", half)],
    }
    found = compare(dense, methods)
    assert list(found) == ["lost", "kept"]
    assert [(c.method.name, c.rank) for c in found["lost"]] == [("b", 1), ("a", 2), ("c", 2)]
    assert found["lost"][0].difference == pytest.approx(-0.1)
    assert found["lost"][0].method.evidence_recall == 0.7
    assert found["kept"][0].low < 0 <= found["kept"][0].high < 0.05


def test_losing_time_stands_in_the_row():
    times = {"dense_time": 1.0}
    rows = [method("slow", [1.0], time=2.0, **times), method("fast", [1.0], time=0.5, **times), method("none", [1.0])]
    found = {c.method.name: (c.speedup, c.loses_time) for c in compare({"t": [1.0]}, {"t": rows})["t"]}
    assert found == {"slow": (0.5, True), "fast": (2.0, False), "none": (None, False)}


@pytest.mark.parametrize("changed", [0.02, 0.2])
def test_all_intervals_of_a_task_hold_together(changed):
    rng = np.random.default_rng(0)
    truth = np.array([0.0, -0.05, -0.1, -0.2, 0.0, -0.3])
    together = []
    for _ in range(200):
        worse = [(max(changed, -d) - d) / 2 for d in truth]
        odds = [(w, 1 - 2 * w - d, w + d) for w, d in zip(worse, truth)]
        drops = np.stack([rng.choice([-1.0, 0.0, 1.0], size=100, p=p) for p in odds])
        low, high = simultaneous_intervals(drops, resamples=300)
        together.append(bool(np.all((low <= truth) & (truth <= high))))
    assert np.mean(together) >= 0.95 - 2 * np.sqrt(0.05 * 0.95 / 200)


def test_more_methods_widen_intervals():
    rng = np.random.default_rng(1)
    drops = rng.choice([-1.0, 0.0, 1.0], size=(20, 100), p=[0.1, 0.8, 0.1])
    alone, crowd = simultaneous_intervals(drops[:1])[1][0], simultaneous_intervals(drops)[1][0]
    assert crowd > alone


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="task='t' has no dense scores"):
        compare({}, {"t": []})
    with pytest.raises(ValueError, match="t, a: 1 scores beside 2 dense"):
        compare({"t": [1, 1]}, {"t": [method("a", [1])]})
    assert compare({"t": [1]}, {"t": []}) == {"t": []}
