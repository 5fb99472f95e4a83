"""Golden files: two small samples a task, compared byte for byte. `pytest --update-golden` rewrites them.

A changed golden file means that published samples change: raise the task's version with it.
"""

import json
from pathlib import Path

import pytest

from nl_tasks.generators import get_task, load_tokenizer, task_types

FOLDER = Path(__file__).parent / "golden"
SEED, INDICES = 43, (0, 1)
# Knobs that make a task fit into a few thousand tokens; all others stay at their defaults.
CORPORA = "tests/generators/corpora"  # relative: samples name their source
SMALL = {
    "story_retrieval": {"num_queries": 4},
    "qa_quality": {"source": f"{CORPORA}/quality.jsonl"},
    "qa_squad": {"source": f"{CORPORA}/squad.json"},
    "qa_toefl": {"source": f"{CORPORA}/toefl.jsonl"},
}
OURS = sorted(name for name, cls in task_types().items() if cls.__module__.startswith("nl_tasks.generators."))


def golden_text(name):
    """JSON Lines: samples 0 and 1 at the smallest multiple of 512 tokens, from 2048, that holds both."""
    task, tokenizer = get_task(name, **SMALL.get(name, {})), load_tokenizer("tekken")
    smallest = task.smallest_length(seed=SEED, indices=INDICES, tokenizer=tokenizer)
    length = max(2048, -(-smallest // 512) * 512)
    samples = [task.sample(seed=SEED, index=index, length=length, tokenizer=tokenizer) for index in INDICES]
    return "".join(json.dumps(sample.row(), ensure_ascii=False) + "\n" for sample in samples)


@pytest.mark.parametrize("name", OURS)
def test_samples_are_byte_for_byte_those_of_the_golden_file(name, request, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    path = FOLDER / f"{name}.jsonl"
    text = golden_text(name)
    if request.config.getoption("--update-golden"):
        path.write_bytes(text.encode())
    assert path.exists(), f"no {path.name}: run pytest --update-golden and commit it"
    assert path.read_bytes() == text.encode(), "the text changed: if it is meant to, run pytest --update-golden"


def test_every_golden_file_belongs_to_a_task():
    assert sorted(path.stem for path in FOLDER.glob("*.jsonl")) == OURS
