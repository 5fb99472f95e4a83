"""The folder as its readers see it: `datasets` in a process of its own, from the folder where it was written."""

import json
import os
import subprocess
import sys

import pytest

from nl_tasks import generate_dataset, read_dataset

# Arrow's threads may still hold a stream's file when a process ends by itself, and then abort it (apache/arrow#45214).
SCRIPT = """
import json, os, sys
from datasets import get_dataset_config_names, load_dataset
name, config = sys.argv[1:]
everything, one = load_dataset(name), load_dataset(name, config)
streamed = load_dataset(name, config, streaming=True)["test"]
print(json.dumps({
    "configs": get_dataset_config_names(name),
    "splits": list(everything),
    "rows": len(everything["test"]),
    "one": one["test"].to_list(),
    "streamed": list(streamed),
    "features": {key: str(value) for key, value in one["test"].features.items()},
}), flush=True)
os._exit(0)
"""


@pytest.fixture
def load(tmp_path):
    def run(place, *words):
        environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, *words], cwd=place, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.mark.parametrize("file_format", ["parquet", "jsonl"])
def test_the_name_of_the_dataset_loads_it_where_it_was_written(folder, load, file_format):
    tasks = ["story_retrieval", "story_multihop", "story_filtering"]
    generate_dataset(tasks, ["5k", "8k"], n=2, file_format=file_format)
    found = load(folder, "sparse-frontier/story", "multihop_5k")
    names = [f"{task}_{length}" for task in ("filtering", "multihop", "retrieval") for length in ("5k", "8k")]
    assert found["configs"] == ["default", *names]
    assert (found["splits"], found["rows"]) == (["test"], 12)
    samples = [sample.row() for sample in read_dataset("sparse-frontier/story", "multihop_5k")]
    assert found["one"] == found["streamed"] == samples
    assert {sample["num_tokens"] for sample in samples} == {5120}
    assert found["features"]["index"] == "Value('int64')" and found["features"]["depths"] == "List(Value('float64'))"


def test_other_files_in_the_folder_of_a_config_are_not_loaded(toys, folder, load):
    generate_dataset(["toy_words"], [64], n=3)
    place = folder / "toys/words/words_64"
    (place / "test-00000-of-00002.parquet").write_bytes((place / "test-00000-of-00001.parquet").read_bytes())
    assert load(folder, "toys/words", "words_64")["rows"] == 3
