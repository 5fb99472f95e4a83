import json

from nl_tasks import load_tokenizer
from nl_tasks.bench_generate import bench_generate


def test_a_row_for_each_task_and_length(toys, cli):
    status, out, err = cli("bench", "generate", "toy_words", "story_multihop", "--len", "2500,4k", "-n", 2, "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert [(row["task"], row["tokens"]) for row in rows] == [
        ("toy_words", 2500), ("toy_words", 4096), ("story_multihop", 2500), ("story_multihop", 4096),
    ]  # fmt: skip
    for row in rows:
        assert row["ratio"] > 0 and row["samples_per_second"] > 0 and row["encode_ms"] > 0


def test_the_ratio_is_making_over_encoding(toys, monkeypatch):
    """A clock of the processor that only making (6 ticks) and encoding (2 ticks) move."""
    now = [0.0]

    def tick(seconds, call):
        def ticking(*args, **names):
            now[0] += seconds
            return call(*args, **names)

        return ticking

    task = toys.ToyWords()
    tokenizer = load_tokenizer("tekken")
    monkeypatch.setattr("nl_tasks.bench_generate.time.process_time", lambda: now[0])
    monkeypatch.setattr(toys.ToyWords, "sample", tick(6.0, toys.ToyWords.sample))
    monkeypatch.setattr(type(tokenizer), "encode_once", tick(2.0, type(tokenizer).encode_once))
    [pace] = bench_generate([task], [64], "tekken", n=3)
    assert (pace.ratio, pace.samples_per_second, pace.encode_ms) == (3.0, 1 / 6, 2000.0)
