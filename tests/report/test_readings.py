from dataclasses import replace

import numpy as np
import pytest

from nl_tasks.analysis.cost_model import PUBLISHED, decode_reads, prefill_flops
from nl_tasks.report.costs import cost, speed
from nl_tasks.report.readings import read_readings
from nl_tasks.report.texts import caveats
from nl_tasks.result import write_result

SMALL = {"models": ["small"], "lengths": [2048], "tasks": ["story_retrieval"], "n": 20}


def test_readings_know_their_method_phase_and_sparsity(simulate, tmp_path):
    simulate(tmp_path, **SMALL, sparsities=[0.9, 0.5])
    readings = read_readings(tmp_path)
    assert readings.methods == ("block_sparse", "vertical_slash", "quest", "snapkv")
    assert [r.sparsity for r in readings.where(method="quest")] == [0.0, 0.5, 0.9]
    assert {r.phase for r in readings.where(method="snapkv") if not r.is_dense} == {"decode"}
    assert all((tmp_path / reading.path).is_file() for reading in readings.kept)
    assert readings.left_out == ()


def test_own_parameters_and_dense_layers_are_part_of_the_method(simulate, tmp_path):
    (dense, quest) = simulate(tmp_path / "x", **SMALL, methods=["dense", "quest"], sparsities=[0.5])
    backends = {"quest:page=32,sparsity=0.5": (), "flexprefill:alpha=0.9": (), "quest:sparsity=0.5": (0, 1)}
    for backend, layers in backends.items():
        asked = 0.5 if "sparsity" in backend else None
        cell = replace(quest.cell, backend=backend, dense_layers=layers)
        write_result(tmp_path / "y", replace(quest, cell=cell, asked_density=asked))
    write_result(tmp_path / "y", dense)
    readings = read_readings(tmp_path / "y")
    assert {r.method: r.sparsity for r in readings.sparse} == {
        "quest:page=32": 0.5, "flexprefill:alpha=0.9": 0.5, "quest (dense layers 0,1)": 0.5,
    }  # fmt: skip


def test_cells_that_ran_at_the_same_time_are_counted(simulate, tmp_path):
    first, *rest = simulate(tmp_path, **SMALL, sparsities=[0.5])
    assert read_readings(tmp_path).side_by_side == 0
    took = sum(sample.prefill_s + sample.decode_s for sample in first.samples)
    slowly = max(range(len(rest)), key=lambda n: sum(s.prefill_s + s.decode_s for s in rest[n].samples))
    at = first.environment["time"] + 0.01 * took
    write_result(tmp_path, replace(rest[slowly], environment={**first.environment, "time": at}))
    assert read_readings(tmp_path).side_by_side >= 1
    write_result(tmp_path, replace(rest[slowly], environment={**first.environment, "time": at, "device": "other"}))
    assert read_readings(tmp_path).side_by_side == 0


def test_cells_that_would_complete_the_grid_are_counted(simulate, tmp_path):
    simulate(tmp_path, **{**SMALL, "tasks": ["story_retrieval", "ruler_vt"]}, sparsities=[0.5, 0.9])
    assert read_readings(tmp_path).missing == 0
    gone = next(r for r in read_readings(tmp_path).sparse if (r.task, r.sparsity) == ("ruler_vt", 0.9))
    (tmp_path / gone.path).unlink()
    readings = read_readings(tmp_path)
    assert readings.missing == 1
    assert any("tasks: 1 cells" in told for told in caveats(readings, []))


def test_only_the_same_samples_are_compared(simulate, tmp_path):
    simulate(tmp_path, **SMALL, sparsities=[0.5, 0.9])
    simulate(tmp_path, **{**SMALL, "n": 10}, sparsities=[0.5], methods=["dense", "quest"])
    readings = read_readings(tmp_path)
    assert {reading.cell.n for reading in readings.kept} == {20}
    assert {reading.cell.n for reading in readings.left_out} == {10}
    assert all(readings.dense_of(reading).cell.n == 20 for reading in readings.sparse)


def test_tasks_with_several_knobs_are_told_apart(simulate, tmp_path):
    results = simulate(tmp_path, **SMALL, sparsities=[0.5])
    for result in results:
        params = '{"hops":2,"style":"chat"}'
        write_result(tmp_path, replace(result, cell=replace(result.cell, params=params), data_sha256="other"))
    assert set(read_readings(tmp_path).tasks) == {
        "story_retrieval (hops=None, style=None)",
        "story_retrieval (hops=2, style=chat)",
    }


def test_the_worst_task_comes_first(simulate, tmp_path):
    simulate(tmp_path, models=["small"], lengths=[2048], methods=["dense", "block_sparse"])
    assert read_readings(tmp_path).tasks == ("story_multihop", "ruler_vt", "story_retrieval")


def test_costs_follow_the_measured_density_in_the_methods_own_phase(simulate, tmp_path):
    simulate(tmp_path, **SMALL, sparsities=[0.9])
    readings = read_readings(tmp_path)
    by = {reading.method: reading for reading in readings.kept}
    shape, quest, block = by["dense"].shape, by["quest"], by["block_sparse"]
    assert cost(block, "prefill") == prefill_flops(shape, 2048, density=block.density, estimate=0.03).total
    assert cost(quest, "prefill") == cost(by["dense"], "prefill") == prefill_flops(shape, 2048).total
    assert cost(quest, "decode") == 2 * decode_reads(shape, 2048, density=quest.density, estimate=0.03).total
    published = cost(block, "prefill", counting=PUBLISHED)
    assert published == prefill_flops(shape, 2048, density=block.density, estimate=0.03, counting=PUBLISHED).total
    half = replace(block, result=replace(block.result, cell=replace(block.cell, dense_layers=(0, 1))))
    assert cost(block, "prefill") < cost(half, "prefill") < cost(by["dense"], "prefill")
    assert cost(replace(quest, shape=None), "decode") is None


def test_speed_is_of_the_methods_phase_and_says_when_it_loses(simulate, tmp_path):
    simulate(tmp_path, **SMALL, sparsities=[0.5], slowdown=0.4)
    readings = read_readings(tmp_path)
    for reading in readings.sparse:
        found = speed(reading, readings.dense_of(reading))
        assert found.measured == pytest.approx(1 / (0.4 + 0.6 * 0.5 / 0.4))
        assert found.loses
        assert found.ideal > 1
        assert (found.prefill_ratio < 1) == (reading.phase == "prefill")


def test_decode_times_are_a_token(simulate, tmp_path):
    (dense, *_) = simulate(tmp_path, **SMALL, methods=["dense"])
    (reading,) = read_readings(tmp_path).kept
    assert reading.seconds("decode") == pytest.approx(dense.samples[0].decode_s / 4)
    silent = tuple(replace(sample, generated_tokens=1, decode_s=0.0) for sample in dense.samples)
    assert replace(reading, result=replace(dense, samples=silent)).seconds("decode") is None
    assert np.isclose(reading.seconds("prefill"), dense.samples[0].prefill_s)


def test_a_folder_without_results_is_told(tmp_path):
    with pytest.raises(ValueError, match="holds no result files"):
        read_readings(tmp_path)


def test_a_token_of_a_batch_costs_the_mean_of_all_tokens(simulate, tmp_path):
    (result,) = simulate(tmp_path, **{**SMALL, "n": 3}, methods=["dense"])
    said = [replace(s, decode_s=2.0, generated_tokens=g) for s, g in zip(result.samples, (1, 3, 7))]
    write_result(tmp_path, replace(result, samples=tuple(said)))
    (alone,) = read_readings(tmp_path).kept
    assert alone.seconds("decode") == np.median([2 / 2, 2 / 6]) and alone.batch == 1
    write_result(tmp_path, replace(result, samples=tuple(said), environment={**result.environment, "batch": 3}))
    (batch,) = read_readings(tmp_path).kept
    assert batch.seconds("decode") == 6 / 8 and batch.batch == 3


def test_unlike_batches_are_a_caveat(simulate, tmp_path):
    from nl_tasks.report.texts import caveats

    _, quest = simulate(tmp_path, **SMALL, methods=["dense", "quest"], sparsities=[0.5])
    assert not [line for line in caveats(read_readings(tmp_path), []) if "at a time" in line]
    write_result(tmp_path, replace(quest, environment={**quest.environment, "batch": 16}))
    (told,) = [line for line in caveats(read_readings(tmp_path), []) if "at a time" in line]
    assert "1, 16 at a time" in told
