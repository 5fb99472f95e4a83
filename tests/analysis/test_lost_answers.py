"""The fit of lost answers on evidence recall, on answers made by a known law."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("statsmodels")

from nl_tasks.analysis.lost_answers import fit_lost, lost_answers
from nl_tasks.result import Result, SampleResult
from nl_tasks.result_cell import Cell

CELL = Cell(
    model="m",
    model_hash="m",
    tokenizer_hash="t",
    dtype="float32",
    backend="dense",
    task="story_retrieval",
    version="1",
    params="{}",
    length=2048,
    seed=43,
    n=2,
    max_new_tokens=8,
)


def result(backend, phase, scores, recalls, **cell):
    samples = tuple(
        SampleResult(
            id=str(index),
            sha256=str(index),
            index=index,
            num_tokens=2048,
            depths=(0.5,),
            prediction="",
            generated_tokens=2,
            answer="",
            parsed=True,
            score=float(score),
            prefill_s=1.0,
            decode_s=1.0,
            density=0.5,
            density_of_prompt=0.5,
            estimation=0.0,
            evidence_recall=recall,
        )
        for index, (score, recall) in enumerate(zip(scores, recalls, strict=True))
    )
    return Result(
        cell=replace(CELL, backend=backend, **cell),
        samples=samples,
        phase=phase,
        asked_density=None,
        data_sha256="d",
        code_sha256="c",
        environment={},
    )


def dense(scores):
    return result("dense", "prefill", scores, [1.0] * len(scores))


@pytest.mark.parametrize("slope", [-8.0, -3.0, 0.0])
def test_a_known_slope_is_found(slope):
    bits = np.random.default_rng(5)
    recall = bits.uniform(0.2, 1.0, 6000)
    lost = bits.random(6000) < 1 / (1 + np.exp(-(1.0 + slope * (recall - 0.4))))
    found = fit_lost("prefill", recall.tolist(), lost.tolist(), [str(i // 4) for i in range(6000)])
    assert found.low < np.exp(slope / 10) < found.high
    assert found.odds == pytest.approx(np.exp(slope / 10), rel=0.06)
    assert (found.answers, found.samples, found.remark) == (6000, 1500, "")
    assert found.lost == pytest.approx(lost.mean())


def test_the_same_answers_many_times_are_no_more_evidence():
    bits = np.random.default_rng(1)
    recall = bits.uniform(0, 1, 300).tolist()
    lost = [bool(bits.random() < 1 - 0.8 * seen) for seen in recall]
    names = [str(i) for i in range(300)]
    once, often = fit_lost("decode", recall, lost, names), fit_lost("decode", recall * 9, lost * 9, names * 9)
    assert often.odds == pytest.approx(once.odds, rel=1e-6)
    assert (often.low, often.high) == pytest.approx((once.low, once.high), rel=0.01)
    assert often.samples == once.samples == 300


def test_phases_are_fitted_apart_and_controls_are_in():
    bits = np.random.default_rng(2)
    right = bits.random(400) < 0.8
    cells = [dense(right)]
    for backend, phase, slope in (
        ("block_sparse:sparsity=0.9", "prefill", -6),
        ("random:sparsity=0.9", "prefill", -6),
        ("quest:sparsity=0.9", "decode", 0),
    ):
        recall = bits.uniform(0, 1, 400)
        kept = bits.random(400) > 1 / (1 + np.exp(-(2 + slope * recall)))
        cells.append(result(backend, phase, right & kept, recall.tolist()))
    prefill, decode = lost_answers(cells)
    assert (prefill.phase, prefill.answers, prefill.samples) == ("prefill", 2 * right.sum(), right.sum())
    assert prefill.high < 1 and decode.low < 1 < decode.high
    alone = lost_answers(cells[:2])
    assert len(alone) == 1 and alone[0].answers == right.sum()


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ([result("quest", "decode", [1, 0], [0.5, 0.2])], "No cell has full attention on the same samples beside it."),
        (
            [dense([1, 1]), result("quest", "decode", [1, 0], [0.5, 0.2], length=4096)],
            "No cell has full attention on the same samples beside it.",
        ),
        ([dense([0, 0.5]), result("quest", "decode", [1, 0], [0.5, 0.2])], "Full attention has no answer right"),
        ([dense([1, 1]), result("quest", "decode", [1, 0], [None, None])], "Evidence recall is known of no answer"),
        ([dense([1, 1]), result("quest", "decode", [1, 1], [0.5, 0.2])], "None of the 2 answers"),
        ([dense([1, 1]), result("quest", "decode", [0, 0.5], [0.5, 0.2])], "All of the 2 answers"),
        ([dense([1, 1]), result("quest", "decode", [0, 1], [0.5, 0.5])], "Evidence recall is 0.5 throughout"),
        ([dense([1, 1]), result("quest", "decode", [0, 1], [0.2, 0.5])], "parts the 1 lost answers from the others"),
        (
            [
                dense([1]),
                result("quest:page=1", "decode", [0], [0.1]),
                result("quest:page=2", "decode", [1], [0.2]),
                result("quest:page=4", "decode", [0], [0.3]),
            ],
            "All answers are of one sample",
        ),
    ],
)
def test_what_cannot_be_fitted_is_one_sentence(cells, sentence):
    (found,) = lost_answers(cells)
    assert found.remark.startswith(sentence) or sentence in found.remark
    assert found.odds is None and found.remark.endswith(".") and found.remark.count(". ") == 0


def test_dense_cells_alone_have_nothing_to_tell():
    assert lost_answers([dense([1, 0])]) == []
    with pytest.raises(ValueError, match="recall 2, lost 1, sample 1"):
        fit_lost("prefill", [0.1, 0.2], [True], ["a"])
