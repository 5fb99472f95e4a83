"""Sweeps of real cells of a tiny random model, by processes that are killed, and as Ray tasks."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("lm_eval")

from nl_tasks.analysis.cost_model import prefill_flops
from nl_tasks.analysis.model_shapes import ModelShape
from nl_tasks.result import read_results
from nl_tasks.sweep_cells import run_sweep, sweep_jobs
from nl_tasks.sweep_grid import parse_grid
from nl_tasks.sweep_plan import cell_flops, plan_sweep
from nl_tasks.sweep_progress import SweepProgress, duration

ROOT = Path(__file__).parents[2]
GRID = """
models = ["{model}"]
lengths = ["800", "1k"]
n = 1
max_new_tokens = 2
backends = ["dense", "block_sparse", "quest", "snapkv:window=16", "streaming:window=64", "tova"]
sparsities = [0.5]

[tasks.story_retrieval]
num_queries = 1

[tasks.ruler_niah]
num_queries = 1
"""


@pytest.fixture(scope="module")
def grid(tiny_llama, tmp_path_factory):
    """A file of 24 cells."""
    path = tmp_path_factory.mktemp("grid") / "grid.toml"
    path.write_text(GRID.format(model=tiny_llama()))
    return path


@pytest.fixture(scope="module")
def alone(grid, tmp_path_factory):
    """What one worker that nobody disturbs finds."""
    out = tmp_path_factory.mktemp("alone")
    import tomllib

    assert run_sweep(plan_sweep(parse_grid(tomllib.loads(grid.read_text())), out), out) == {}
    return table(out)


def table(out):
    """What was found, times left out."""
    return {
        result.cell.path: [
            (s.id, s.sha256, s.prediction, s.score, s.density, s.evidence_recall) for s in result.samples
        ]
        for result in read_results(out)
    }


def start(grid, out, *more):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    words = [sys.executable, "-m", "nl_tasks.cli", "sweep", str(grid), "--out", str(out), "--device", "cpu", *more]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def holder(out, candidates=None):
    """The process that works on a cell now; one of `candidates`, if they are given."""
    for path in (out / ".claims").glob("*.*"):
        try:
            pid = json.loads(path.read_text())["pid"]
        except (ValueError, OSError):
            continue
        if (candidates is None or pid in candidates) and not list(out.rglob(f"*{path.stem}.json")):
            return pid
    return None


def test_a_grid_of_24_cells_with_a_killed_worker_is_that_of_one_worker(grid, alone, tmp_path):
    victim, survivor = start(grid, tmp_path), start(grid, tmp_path)
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline:
        if len(list(tmp_path.rglob("*.json"))) >= 4 and holder(tmp_path, [victim.pid]):
            break
        time.sleep(0.002)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    left = 24 - len(list(tmp_path.rglob("*.json")))
    out, err = survivor.communicate(timeout=400)
    assert survivor.returncode == 0, err
    assert victim.returncode == -signal.SIGKILL
    assert len(alone) == 24 and table(tmp_path) == alone
    assert "24 of 24 cells" in out and "24/24 cells done, nothing left" in err
    assert left > 0  # it was killed in the middle of a cell
    assert list((tmp_path / ".claims").iterdir()) == []


def test_cells_of_a_ray_cluster_survive_a_killed_worker(grid, alone, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    import threading
    import tomllib

    from nl_tasks.sweep_ray import run_on_ray

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    half = tomllib.loads(grid.read_text().split("[tasks.ruler")[0])
    plan = plan_sweep(parse_grid(half), tmp_path)
    jobs, killed, lines = sweep_jobs(plan, tmp_path), [], []
    ray.init(num_cpus=2, num_gpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20)
    try:

        def kill():
            while not killed:
                if len(list(tmp_path.rglob("*.json"))) >= 2 and (pid := holder(tmp_path)):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
                time.sleep(0.002)

        threading.Thread(target=kill, daemon=True).start()
        failures = run_on_ray(plan, tmp_path, jobs, "auto", num_gpus=1, device="cpu", done=lines.append)
    finally:
        ray.shutdown()
    assert failures == {} and len(killed) == 1
    assert table(tmp_path) == {path: rows for path, rows in alone.items() if "story_retrieval" in path}
    assert len(jobs) == 12
    assert sorted(job.key for job in lines) == sorted(job.key for job in jobs)
    assert list((tmp_path / ".claims").iterdir()) == []


def test_a_cluster_has_room_for_as_many_tasks_as_its_scarcest_resource():
    from nl_tasks.sweep_ray import room

    has = {"CPU": 16.0, "GPU": 3.0, "memory": 1e9}
    assert room(has, num_gpus=1, num_cpus=1) == 3
    assert room(has, num_gpus=0.5, num_cpus=4) == 4
    assert room(has, num_gpus=0, num_cpus=1) == 16
    assert room({}, num_gpus=1, num_cpus=1) == 1


def test_a_cluster_that_is_not_there_is_one_line(grid, tmp_path, cli):
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        status, _, err = cli("sweep", grid, "--out", tmp_path / "out", "-q", "--ray", address)
    assert status == 1
    assert err.strip().splitlines()[-1].startswith(f"nl-tasks: no Ray cluster at {address}")


def test_a_dry_run_counts_and_costs_and_writes_nothing(grid, tmp_path, cli):
    out = tmp_path / "results"
    status, text, err = cli("sweep", grid, "--out", out, "--dry-run")
    assert (status, err, out.exists()) == (0, "", False)
    assert text.splitlines()[-1].split()[:3] == ["all", "24", "0"]
    status, text, _ = cli("sweep", grid, "--out", out, "--dry-run", "--json")
    cells = json.loads(text)
    assert len(cells) == len({cell["path"] for cell in cells}) == 24
    assert all(cell["flops"] > 1e6 and not cell["done"] for cell in cells)


def test_what_a_length_does_not_allow_is_refused_or_left_out(grid, tmp_path, cli):
    path = tmp_path / "sparse.toml"
    path.write_text(grid.read_text().replace("[0.5]", "[0.5, 0.98]"))
    status, _, err = cli("sweep", path, "--dry-run")
    assert status == 2 and "sparsity" in err and len(err.strip().splitlines()) == 1
    path.write_text("skip_impossible = true\n" + path.read_text())
    status, out, err = cli("sweep", path, "--dry-run")
    assert (status, err) == (0, "")
    counted = next(line for line in out.splitlines() if line.startswith("all")).split()[1]
    assert "left out at 800: snapkv" in out and 24 < int(counted) < 48
    path.write_text(re.sub("backends = .*", 'backends = ["snapkv"]', path.read_text()).replace("0.5, 0.98", "0.98"))
    status, _, err = cli("sweep", path, "--dry-run")
    assert status == 2 and "no cell of the grid can be evaluated" in err


def test_a_cell_costs_what_its_prompt_and_answer_do(grid, tmp_path):
    import tomllib

    plan = plan_sweep(parse_grid(tomllib.loads(grid.read_text())), tmp_path)
    shape = ModelShape.from_config(next(iter(plan.sessions.values())).folder)
    cost = {
        planned.cell.backend: planned.flops
        for planned in plan.cells
        if planned.cell.length == 1024 and planned.cell.task == "story_retrieval"
    }
    assert cost["dense"] == pytest.approx(prefill_flops(shape, 1026).total)
    half = prefill_flops(shape, 1024, density=0.5).scores
    assert cost["dense"] - cost["block_sparse:sparsity=0.5"] == pytest.approx(half)
    assert cost["block_sparse:sparsity=0.5"] < cost["quest:sparsity=0.5"] < cost["dense"]
    with_dense_layer = plan.cells[1].cell.__class__(**{**vars(plan.cells[1].cell), "dense_layers": (0,)})
    assert cell_flops(shape, with_dense_layer) > cell_flops(shape, plan.cells[1].cell)


def test_a_grid_may_ask_for_batches_and_model_arguments(grid, tmp_path):
    import tomllib

    told = tomllib.loads(grid.read_text())
    told |= {"lengths": ["800"], "backends": ["dense"], "n": 3, "batch": 2, "model_args": {"max_length": 900}}
    del told["tasks"]["ruler_niah"]
    plan = plan_sweep(parse_grid(told), tmp_path)
    assert plan.model_options == {"max_length": 900}
    one_by_one = plan_sweep(parse_grid({**told, "batch": 1}), tmp_path)
    assert [planned.cell.key for planned in plan.cells] == [planned.cell.key for planned in one_by_one.cells]
    assert run_sweep(plan, tmp_path) == {}
    (result,) = read_results(tmp_path)
    assert result.environment["batch"] == 2 and len(result.samples) == 3
    with pytest.raises(ValueError, match="its context has 801"):
        plan_sweep(parse_grid(told), tmp_path, model_options={"max_length": 801})


def test_cells_with_the_same_samples_are_a_group(grid, tmp_path):
    import tomllib

    plan = plan_sweep(parse_grid(tomllib.loads(grid.read_text())), tmp_path)
    groups = [job.group for job in sweep_jobs(plan, tmp_path)]
    assert len(set(groups)) == 4 and groups == [group for group in dict.fromkeys(groups) for _ in range(6)]


def test_failures_are_told_and_the_rest_is_done(grid, tmp_path, cli, monkeypatch):
    from nl_tasks.eval_session import Session

    evaluate = Session.evaluate

    def fail(self, cell, *more, **options):
        if cell.backend.startswith("quest"):
            raise MemoryError("no room")
        return evaluate(self, cell, *more, **options)

    monkeypatch.setattr(Session, "evaluate", fail)
    small = tmp_path / "small.toml"
    small.write_text(grid.read_text().replace(', "1k"', "").split("[tasks.ruler")[0])
    status, out, err = cli("sweep", small, "--out", tmp_path / "out")
    assert status == 1 and "1 of 6 cells failed" in err and "MemoryError: no room" in err
    assert "5 of 6 cells have a result" in out
    monkeypatch.setattr(Session, "evaluate", evaluate)
    status, out, _ = cli("sweep", small, "--out", tmp_path / "out", "-q")
    assert (status, out) == (0, "")


def test_progress_knows_what_is_left(tmp_path):
    from nl_tasks.sweep import Job

    jobs = [Job(key=str(i), path=tmp_path / str(i), run=lambda: None, cost=10.0) for i in range(4)]
    jobs[0].path.touch()
    with SweepProgress(jobs, quiet=True) as progress:
        assert (progress.cells, progress.eta) == ("1/4", "time left unknown")
        progress._began -= 60
        jobs[1].path.touch()
        assert (progress.cells, progress.eta) == ("2/4", "2 min left")
        for job in jobs:
            job.path.touch()
        assert progress.eta == "nothing left"
    assert [duration(x) for x in (5, 100, 3600 * 3.35, 3600 * 52)] == ["5 s", "2 min", "3 h 21 min", "2 d 4 h"]
