"""The group of the paper's nine tasks: each is reported, and a source that is missing is named."""

from pathlib import Path

import pytest

pytest.importorskip("lm_eval")

import lm_eval
from lm_eval.tasks import TaskManager

from nl_tasks.lm_eval_yaml import FOLDER, PAPER

CORPORA = Path(__file__).parents[1] / "generators" / "corpora"
SMALL = {
    "num_queries": 1,
    "common": 6,
    "num_chains": 2,
    "allow_repeat": True,
    "qa_quality.source": str(CORPORA / "quality.jsonl"),
    "qa_squad.source": str(CORPORA / "squad.json"),
    "qa_toefl.source": str(CORPORA / "toefl.jsonl"),
}


def run(folder, knobs):
    metadata = {"pretrained": folder, "lengths": [4096], "samples": 1, "knobs": knobs}
    return lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": folder, "dtype": "float32"},
        tasks=["nl_all"],
        task_manager=TaskManager(include_path=str(FOLDER), include_defaults=False, metadata=metadata),
        apply_chat_template=True,
        gen_kwargs={"max_gen_toks": 1},
        device="cpu",
        batch_size=1,
    )


def test_all_nine_are_reported_beside_their_mean(tiny_llama):
    results = run(tiny_llama(context=4200), SMALL)
    members = [f"nl_{name}" for name in PAPER]
    assert len(members) == 9
    assert results["group_subtasks"]["nl_all"] == members
    assert set(results["results"]) == {"nl_all", *members}
    for name in members:
        assert 0 <= results["results"][name]["score,none"] <= 1
        assert results["results"][name]["unparsed,none"] in (0, 1)


def test_a_task_without_its_source_is_named_in_one_line(tiny_llama):
    knobs = {knob: value for knob, value in SMALL.items() if knob != "qa_toefl.source"}
    with pytest.raises(ValueError, match=r"qa_toefl: source is empty .* give a file, source=FILE"):
        run(tiny_llama(context=4200), knobs)
