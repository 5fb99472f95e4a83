import pytest

pytest.importorskip("statsmodels")

from nl_tasks.report.answers import critical_lengths, guarantees, iso_costs, rows
from nl_tasks.report.laws import laws
from nl_tasks.report.readings import CONTROLS, read_readings
from nl_tasks.report.tables_answer import answer_table


@pytest.fixture(scope="module")
def readings(simulate, tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder, n=200, lengths=(2048, 8192), sparsities=(0.5, 0.8, 0.95))
    return read_readings(folder)


def test_every_method_model_and_length_has_an_answer(readings):
    found = guarantees(readings, margin=0.1, alpha=0.05)
    assert len(found) == 2 * 2 * 4
    assert {one.length for one in found[:4]} == {8192}
    for one in found:
        assert set(one.answer.tasks) == set(readings.tasks)
        assert (
            one.answer.everywhere <= min(task.sparsity for task in one.answer.tasks.values()) or one.answer.everywhere
        )
    by_method = {one.method: one for one in found if (one.model, one.length) == ("large", 2048)}
    assert by_method["vertical_slash"].answer.everywhere > by_method["block_sparse"].answer.everywhere
    assert by_method["block_sparse"].worst_task == "story_multihop"


def test_an_answer_knows_on_how_many_tasks_it_rests(simulate, tmp_path):
    simulate(tmp_path, models=["small"], lengths=(2048,), sparsities=(0.5,))
    simulate(
        tmp_path, models=["small"], lengths=(2048,), tasks=["ruler_cwe"], methods=["dense", "quest"], sparsities=()
    )
    found = guarantees(read_readings(tmp_path), margin=0.1, alpha=0.05)
    assert {(len(one.answer.tasks), len(one.tasks)) for one in found} == {(3, 4)}
    table = answer_table(found, rows(read_readings(tmp_path)), lambda reading: (reading.path, reading.path))
    assert [row[table.columns.index("tasks")].text for row in table.rows] == ["3 of 4"] * 4


def test_rows_begin_with_the_largest_loss_and_rank_within_a_sparsity(readings):
    found = rows(readings)
    assert len(found) == len(readings.sparse)
    differences = [row.comparison.difference for row in found]
    assert differences == sorted(differences)
    group = [
        row for row in found
        if (row.reading.task, row.reading.sparsity, row.reading.cell.model, row.reading.cell.length, row.reading.phase)
        == ("ruler_vt", 0.8, "small", 2048, "prefill")
    ]  # fmt: skip
    assert {row.reading.method: row.comparison.rank for row in group} == {"vertical_slash": 1, "block_sparse": 2}
    for row in group:
        assert row.comparison.difference == pytest.approx(row.reading.scores.mean() - row.dense.scores.mean())


def test_isocost_has_a_point_for_everything_and_critical_lengths_compare_sizes(readings):
    found = iso_costs(readings, batch=64)
    assert [(one.phase, one.length) for one in found] == [
        ("prefill", 2048), ("prefill", 8192), ("decode", 2048), ("decode", 8192),
    ]  # fmt: skip
    for one in found:
        assert len(one.standings) == 2 * (1 + 2 * 3)
        assert set(one.standings[0].point.scores) == set(readings.tasks)
    told = critical_lengths(found, readings)
    assert {(phase, method, answer.small, answer.large) for phase, method, answer in told} == {
        (phase, method, "small", "large")
        for phase, methods in (("prefill", ("block_sparse", "vertical_slash")), ("decode", ("quest", "snapkv")))
        for method in methods
    }


def test_laws_have_the_signs_of_the_simulation(readings):
    found = {one.phase: one for one in laws(readings)}
    assert set(found) == {"prefill", "decode"}
    for one in found.values():
        assert one.law.alpha > 0 > one.law.gamma and one.law.beta < 0
        assert {held.axis for held in one.hold_outs} | {"parameters", "length"} == {
            "parameters",
            "length",
            "compression",
        }
        assert one.law.tasks["story_retrieval"] > one.law.tasks["story_multihop"]


def test_one_model_gives_a_law_without_its_size_and_says_so(simulate, tmp_path):
    simulate(tmp_path, models=["small"], lengths=(2048, 4096), sparsities=(0.5, 0.9), n=60)
    one = laws(read_readings(tmp_path))[0]
    assert "alpha" not in one.law.errors and one.law.gamma < 0
    assert any("parameters has one value throughout" in remark for remark in one.remarks)
    assert (
        iso_costs(read_readings(tmp_path), batch=1)
        and critical_lengths(iso_costs(read_readings(tmp_path), batch=1), read_readings(tmp_path)) == []
    )


def test_controls_are_in_no_law_and_on_no_frontier(simulate, tmp_path):
    few = {"models": ["small"], "lengths": (2048, 4096), "sparsities": (0.5, 0.9), "n": 20}
    simulate(tmp_path, **few)
    before = read_readings(tmp_path)
    simulate(tmp_path, **few, methods=["oracle:unit=block", "random"])
    after = read_readings(tmp_path)
    assert len(after.kept) == len(before.kept) + 2 * 2 * 2 * len(before.tasks)
    assert {reading.method for reading in after.kept if reading.is_control} == {"oracle:unit=block", "random"}
    assert [one.law for one in laws(after)] == [one.law for one in laws(before)]
    standing, same = (
        [(s.point.method, s.point.sparsity, s.accuracy, s.on_frontier) for s in iso_costs(found, batch=1)[0].standings]
        for found in (after, before)
    )
    assert standing == same


def test_the_controls_are_those_of_this_package():
    pytest.importorskip("torch")
    from nl_tasks.sparse_backends import backend_types

    assert set(CONTROLS) == {b.name for b in backend_types().values() if b.citation == "a control of this package"}


def test_what_cannot_be_fitted_is_a_sentence(simulate, tmp_path):
    simulate(tmp_path / "zeros", ability=-60, n=10, lengths=(2048,))
    one = laws(read_readings(tmp_path / "zeros"))[0]
    assert one.law is None and "scores 0 throughout" in one.remarks[0]
    simulate(tmp_path / "unknown", known_shapes=False, n=10, lengths=(2048,))
    readings = read_readings(tmp_path / "unknown")
    assert laws(readings)[0].law is None
    assert iso_costs(readings, batch=1) == []


def test_readings_without_dense_are_in_no_comparison(simulate, tmp_path):
    simulate(tmp_path, methods=["quest"], models=["small"], lengths=(2048,), n=10)
    readings = read_readings(tmp_path)
    assert rows(readings) == [] and guarantees(readings, margin=0.05, alpha=0.05) == []
