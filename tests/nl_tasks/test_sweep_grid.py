import re
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("torch")

from nl_tasks.sweep_grid import expand_backends, parse_grid, read_grid

GOOD = {
    "models": ["smollm2"],
    "lengths": ["4k", "2k", 2048],
    "backends": ["dense", "quest"],
    "sparsities": [0.9, 0.5],
    "tasks": {"story_retrieval": {"num_queries": 2}, "story_multihop": {}},
}


def test_a_grid_is_read():
    grid = parse_grid(GOOD)
    assert grid.lengths == (2048, 4096)
    assert grid.backends == ("dense", "quest:sparsity=0.5", "quest:sparsity=0.9")
    assert [task.name for task in grid.tasks] == ["story_retrieval", "story_multihop"]
    assert grid.tasks[0].num_queries == 2
    assert (grid.n, grid.seed, grid.max_new_tokens, grid.dense_layers) == (100, 43, 1024, ())
    assert (grid.batch, grid.model_args) == (1, {})


def test_a_task_may_be_given_several_times():
    told = """
    models = ["smollm2"]
    lengths = ["2k"]
    batch = 8

    [[tasks.story_multihop]]
    hops = 1

    [tasks.ruler_niah]

    [[tasks.story_multihop]]
    hops = 2

    [[tasks.story_multihop]]
    hops = 1

    [model_args]
    max_length = 9216
    trust_remote_code = false
    """
    grid = parse_grid(tomllib.loads(told))
    assert [(task.name, getattr(task, "hops", None)) for task in grid.tasks] == [
        ("story_multihop", 1),
        ("story_multihop", 2),
        ("ruler_niah", None),
    ]
    assert grid.batch == 8 and grid.model_args == {"max_length": 9216, "trust_remote_code": False}


def test_sparsities_go_to_the_backends_that_leave_room_for_them():
    given = ["dense", "quest:page=32", "flexprefill:alpha=0.8", "streaming:sparsity=0.7", "snapkv:tokens=640"]
    assert expand_backends(given, [0.8, 0.5, 0.5]) == (
        "dense",
        "quest:sparsity=0.5,page=32",
        "quest:sparsity=0.8,page=32",
        "flexprefill:alpha=0.8",
        "streaming:sparsity=0.7",
        "snapkv:tokens=640",
    )
    assert expand_backends(["dense", "dense"], []) == ("dense",)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"modles": []}, "unknown entry 'modles': did you mean models"),
        ({"models": None}, "models is missing"),
        ({"models": []}, "models is empty"),
        ({"models": "smollm2"}, "models='smollm2': write a list of str"),
        ({"lengths": ["4kb"]}, "length '4kb' is not a number of tokens"),
        ({"tasks": {"story_retrival": {}}}, "did you mean story_retrieval"),
        ({"tasks": {"story_retrieval": {"queries": 1}}}, "no knob 'queries'"),
        ({"tasks": {"story_retrieval": 3}}, "write a list of names, or a table"),
        ({"backends": ["qest"]}, "unknown backend 'qest'"),
        ({"sparsities": []}, "sparsities is missing: at which should quest run"),
        ({"sparsities": [1.5]}, "sparsity=1.5 is out of range"),
        ({"n": 0}, "n=0 is out of range"),
        ({"tasks": {"story_retrieval": [3]}}, r"\[\[tasks.NAME\]\]"),
        ({"tasks": {"story_retrieval": []}}, r"\[\[tasks.NAME\]\]"),
        ({"tasks": {"story_multihop": [{"hops": 1}, {"hop": 2}]}}, "no knob 'hop'"),
        ({"batch": 0}, "batch=0 is out of range"),
        ({"batch": "8"}, "batch='8': write a whole number"),
        ({"model_args": ["a"]}, "model_args=.*write a table"),
        ({"model_args": {"a": {}}}, "model_args=.*write a table"),
        ({"n": "many"}, "n='many': write a whole number"),
        ({"skip_impossible": "yes"}, "skip_impossible='yes': write true or false"),
        ({"max_new_tokens": True}, "max_new_tokens=True: write a whole number"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_entries_are_named(change, line):
    told = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(ValueError, match=line):
        parse_grid(told)


def test_the_file_is_named(tmp_path, cli):
    path = tmp_path / "grid.toml"
    path.write_text("models = [")
    with pytest.raises(ValueError, match=r"grid\.toml: "):
        read_grid(path)
    status, _, err = cli("sweep", path)
    assert status == 2 and len(err.strip().splitlines()) == 1
    status, _, err = cli("sweep", tmp_path / "none.toml")
    assert status == 2 and "there is no such file" in err


def test_the_grids_of_the_repository_are_read():
    root = Path(__file__).parents[2]
    probe = read_grid(root / "benchmarks" / "sweep_probe" / "grid.toml")
    assert len(probe.backends) * len(probe.tasks) * len(probe.lengths) == 300
    dense = read_grid(root / "benchmarks" / "probe_dense" / "grid.toml")
    assert len(dense.models) * len(dense.tasks) * len(dense.lengths) == 28 and dense.backends == ("dense",)
    assert dense.model_args["max_length"] >= max(dense.lengths) + dense.max_new_tokens
    shown = re.search(r"```toml\n(# grid.toml\n.*?)```", (root / "README.md").read_text(), re.DOTALL)
    assert len(parse_grid(tomllib.loads(shown[1])).backends) == 17
