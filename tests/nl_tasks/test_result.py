import json
from dataclasses import replace

import pytest

from nl_tasks.result import Result, SampleResult, find_result, read_result, read_results, write_result
from nl_tasks.result_cell import Cell

CELL = Cell(
    model="owner/Some-Model",
    model_hash="0123",
    tokenizer_hash="4567",
    dtype="float32",
    backend="quest:sparsity=0.9,share_pages=false",
    task="story_multihop",
    version="1",
    params='{"hops":2,"protagonist":"Mary Ann"}',
    length=16384,
    seed=43,
    n=2,
    max_new_tokens=64,
)


def sample(index, *, score=1.0, density=0.1):
    return SampleResult(
        id=f"story_multihop/16384/43/{index}",
        sha256=f"{index}" * 64,
        index=index,
        num_tokens=16384,
        depths=(0.25, 0.75),
        prediction="It is <answer>\n the “blue” bowl </answer>",
        generated_tokens=12,
        answer="blue bowl",
        parsed=True,
        score=score,
        prefill_s=1.5,
        decode_s=0.25,
        density=density,
        density_of_prompt=0.1,
        estimation=0.125,
        evidence_recall=None,
    )


def result(cell=CELL, **scores):
    return Result(
        cell=cell,
        samples=(sample(0), sample(1, **scores)),
        phase="decode",
        asked_density=0.1,
        layers={"density": [[0.1, 0.2], None], "evidence_recall": []},
        data_sha256="d" * 64,
        code_sha256="c" * 64,
        environment={"python": "3.11.7"},
    )


def test_a_result_is_read_back_as_it_was_written(tmp_path):
    written = result(score=0.5)
    path = write_result(tmp_path, written)
    assert read_result(path) == written
    assert find_result(tmp_path, CELL) == written
    assert list(read_results(tmp_path)) == [written]


def test_the_file_tells_its_summary_to_readers_without_this_package(tmp_path):
    data = json.loads(write_result(tmp_path, result(score=0.0)).read_text())
    assert data["summary"]["mean"] == 0.5 and data["summary"]["n"] == 2
    assert data["means"]["prefill_s"] == 1.5
    assert data["means"]["evidence_recall"] is None
    assert data["cell"]["params"]["hops"] == 2


def test_means_leave_out_samples_that_have_nothing_to_tell():
    assert result(density=None).mean("density") == 0.1
    assert result(density=0.3).mean("density") == pytest.approx(0.2)


@pytest.mark.parametrize(
    "change",
    [
        {"backend": "quest:sparsity=0.8"},
        {"dense_layers": (0,)},
        {"model_hash": "0124"},
        {"seed": 44},
        {"n": 3},
        {"max_new_tokens": 65},
        {"params": '{"hops":3,"protagonist":"Mary Ann"}'},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_cells_have_other_files(tmp_path, change):
    write_result(tmp_path, result())
    other = replace(CELL, **change)
    assert other.path != CELL.path
    assert find_result(tmp_path, other) is None


def test_names_are_safe_as_paths():
    assert CELL.path.startswith("owner-Some-Model/story_multihop_16k/quest-sparsity=0.9-share-pages=false-")
    assert ".." not in replace(CELL, model="../../etc").path.split("/")


def test_the_question_leaves_out_the_method_alone():
    assert replace(CELL, backend="dense", dense_layers=(1,)).question == CELL.question
    assert replace(CELL, seed=1).question != CELL.question


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"kind": "nl-tasks result"}', '{"kind": 1, "format": 1}', "\0"])
def test_foreign_files_are_refused(tmp_path, text):
    (tmp_path / "some.json").write_text(text)
    with pytest.raises(ValueError, match=r"some\.json is not a result file"):
        list(read_results(tmp_path))


def test_later_formats_are_refused(tmp_path):
    path = write_result(tmp_path, result())
    path.write_text(path.read_text().replace('"format":1', '"format":2'))
    with pytest.raises(ValueError, match="has format 2; this version reads format 1"):
        read_result(path)


def test_a_folder_without_results_is_pointed_out(tmp_path):
    with pytest.raises(ValueError, match="no result files"):
        list(read_results(tmp_path))
