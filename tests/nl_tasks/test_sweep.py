"""Claims and the work loop, with jobs that cost nothing; a sweep of real cells is in test_sweep_cells.py."""

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from nl_tasks import claims as claims_module
from nl_tasks.claims import Claims
from nl_tasks.sweep import GROUPS, Job, work

WORKER = """
import sys, time
from pathlib import Path
from nl_tasks.atomic_file import write_atomic
from nl_tasks.sweep import Job, work

folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
log = folder / "log.txt"

def note(text):
    with log.open("a") as file:
        file.write(text + "\\n")

def job(number):
    path = folder / f"{number}.json"
    def run():
        note(f"start {number}")
        time.sleep(seconds)
        write_atomic(path, f'{{"square": {number ** 2}}}')
        note(f"end {number}")
    return Job(key=f"job-{number}", path=path, run=run, label=str(number))

print("ready", flush=True)
failures = work([job(number) for number in range(24)], folder, poll=0.05)
assert not failures
"""


def start(folder, seconds=0.05):
    folder.mkdir(exist_ok=True)
    worker = subprocess.Popen([sys.executable, "-c", WORKER, folder, str(seconds)], stdout=subprocess.PIPE)
    worker.stdout.readline()
    return worker


def table(folder):
    return {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}


def test_a_killed_worker_loses_nothing_and_nothing_is_done_twice(tmp_path):
    alone, together = tmp_path / "alone", tmp_path / "together"
    assert start(alone, 0).wait(60) == 0
    victim, survivor = start(together), start(together)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        log = (together / "log.txt").read_text().split("\n") if (together / "log.txt").exists() else []
        if len(log) > 10 and _held_by(together, victim.pid):
            break
        time.sleep(0.005)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert survivor.wait(60) == 0
    assert table(together) == table(alone)
    assert len(table(together)) == 24
    ends = [line for line in (together / "log.txt").read_text().split("\n") if line.startswith("end")]
    assert len(ends) == len(set(ends)) >= 23  # the victim may have written a result and died before its note
    assert not list((together / ".claims").iterdir())


def _held_by(folder, pid):
    held = [path.read_text() for path in (folder / ".claims").glob("job-*.*") if path.exists()]
    return any(f'"pid": {pid}' in text for text in held)


def test_only_one_process_gets_a_claim(tmp_path):
    got = []
    barrier = threading.Barrier(8)

    def grab():
        barrier.wait()
        got.append(Claims(tmp_path).take("cell"))

    threads = [threading.Thread(target=grab) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sum(claim is not None for claim in got) == 1


def _die_with_claim(folder, key="cell"):
    Claims(folder).take(key)
    os._exit(1)


def test_only_one_takes_over_from_the_dead(tmp_path):
    child = multiprocessing.get_context("fork").Process(target=_die_with_claim, args=(tmp_path,))
    child.start()
    child.join()
    assert (tmp_path / "cell.0").exists()
    first, second = Claims(tmp_path).take("cell"), Claims(tmp_path).take("cell")
    assert first.path.name == "cell.1"
    assert second is None
    with first:
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_owner_elsewhere_is_dead_when_it_gives_no_sign(tmp_path):
    path = tmp_path / "cell.0"
    path.write_text(json.dumps({"place": "another machine", "pid": 1}))
    assert Claims(tmp_path, stale_after=5).take("cell") is None
    os.utime(path, (time.time() - 6, time.time() - 6))
    assert Claims(tmp_path, stale_after=5).take("cell").path.name == "cell.1"


def test_a_claim_gives_signs_of_life(tmp_path):
    claims = Claims(tmp_path, stale_after=0.6)
    with claims.take("cell") as claim:
        os.utime(claim.path, (0, 0))
        time.sleep(0.4)
        assert claim.path.stat().st_mtime > time.time() - 5
    assert not claim.path.exists()


def test_a_claim_that_is_not_yet_written_is_respected(tmp_path):
    (tmp_path / "cell.0").touch()
    assert Claims(tmp_path).take("cell") is None


def test_process_numbers_of_other_machines_mean_nothing(tmp_path, monkeypatch):
    child = multiprocessing.get_context("fork").Process(target=_die_with_claim, args=(tmp_path,))
    child.start()
    child.join()
    monkeypatch.setattr(claims_module, "_place", lambda: "elsewhere")
    assert Claims(tmp_path).take("cell") is None


def test_keys_that_are_no_file_names_are_refused(tmp_path):
    with pytest.raises(ValueError, match="key='a/b'"):
        Claims(tmp_path).take("a/b")
    assert socket.gethostname() in claims_module._place()


def make(folder, number, run):
    path = folder / f"{number}.json"
    return Job(key=f"job-{number}", path=path, run=lambda: run(path), label=f"cell {number}")


def test_a_job_that_fails_is_told_and_the_others_go_on(tmp_path):
    def fail(path):
        raise MemoryError("GPU is full")

    jobs = [make(tmp_path, 0, fail), make(tmp_path, 1, lambda path: path.write_text("done"))]
    assert work(jobs, tmp_path) == {"cell 0": "MemoryError: GPU is full"}
    assert jobs[1].done
    again = [make(tmp_path, 0, lambda path: path.write_text("done"))]
    os.utime(tmp_path / ".claims" / "job-0.failed", (0, 0))  # of a sweep that was over before
    assert work(again, tmp_path) == {}
    assert list((tmp_path / ".claims").iterdir()) == []


def test_what_is_done_is_not_done_again(tmp_path):
    seen = []
    jobs = [make(tmp_path, 0, lambda path: seen.append("run"))]
    jobs[0].path.write_text("there")
    found = []
    assert work(jobs, tmp_path, done=found.append) == {}
    assert (seen, found) == ([], jobs)


def test_an_interruption_gives_the_claim_back(tmp_path):
    def stop(path):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work([make(tmp_path, 0, stop)], tmp_path)
    assert list((tmp_path / ".claims").iterdir()) == []


def test_a_claim_that_outlived_its_job_is_removed(tmp_path):
    child = multiprocessing.get_context("fork").Process(
        target=_die_with_claim, args=(tmp_path / ".claims",), kwargs={"key": "job-0"}
    )
    child.start()
    child.join()
    job = make(tmp_path, 0, lambda path: None)
    job.path.write_text("there")
    assert len(list((tmp_path / ".claims").iterdir())) == 1
    assert work([job], tmp_path) == {}
    assert list((tmp_path / ".claims").iterdir()) == []


def grouped(folder, order):
    def job(group, number):
        path = folder / f"{group}{number}.json"

        def run():
            order.append(path.stem)
            path.write_text("done")

        return Job(key=path.stem, path=path, run=run, group=group)

    return [job(group, number) for group in "abc" for number in (0, 1)]


def test_one_worker_goes_through_the_groups_in_order(tmp_path):
    order = []
    assert work(grouped(tmp_path, order), tmp_path) == {}
    assert order == ["a0", "a1", "b0", "b1", "c0", "c1"]


def test_a_worker_begins_where_nobody_is_and_then_helps(tmp_path):
    order = []
    with Claims(tmp_path / GROUPS).take("a"), Claims(tmp_path / ".claims").take("a0") as first:
        threading.Timer(0.3, lambda: (tmp_path / "a0.json").write_text("done")).start()
        assert work(grouped(tmp_path, order), tmp_path, poll=0.02) == {}
        assert order == ["b0", "b1", "c0", "c1", "a1"]
        assert first.path.exists()


def test_a_group_whose_worker_died_is_free(tmp_path):
    order = []
    child = multiprocessing.get_context("fork").Process(
        target=_die_with_claim, args=(tmp_path / GROUPS,), kwargs={"key": "a"}
    )
    child.start()
    child.join()
    assert work(grouped(tmp_path, order), tmp_path) == {}
    assert order[0] == "a0" and list((tmp_path / GROUPS).iterdir()) == []
