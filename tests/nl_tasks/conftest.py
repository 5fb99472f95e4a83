import hashlib
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nl_tasks.generators import task as task_module

TOYS = Path(__file__).parent / "toy"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def toys(monkeypatch):
    """The module of the toy tasks, installed for the time of one test."""
    monkeypatch.setattr(task_module, "_TASKS", dict(task_module._TASKS))
    monkeypatch.syspath_prepend(str(TOYS))
    monkeypatch.syspath_prepend(str(ROOT))
    module = importlib.import_module("toy_tasks")
    yield module
    sys.modules.pop("toy_tasks")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder that is the current one."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def cli(toys, folder, capsys):
    """Runs the command line in this process: `cli("list")` is (exit status, stdout, stderr)."""
    from nl_tasks.cli import main

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run


@pytest.fixture
def toy_mark(tmp_path):
    """A file that appears when a toy sample is made by a process that `command` started."""
    return tmp_path / "mark"


@pytest.fixture
def command(folder, toy_mark):
    """Starts the command line as a process of its own, toys installed."""

    def start(*arguments, **options):
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{TOYS}",
            "HF_HUB_OFFLINE": "1",
            "TOY_MARK": str(toy_mark),
        }
        words = [sys.executable, "-m", "nl_tasks.cli", *map(str, arguments)]
        return subprocess.Popen(
            words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )

    return start


@pytest.fixture
def hashes():
    """`hashes(folder)`: SHA-256 of every file below it, hidden ones included."""

    def of(place):
        files = (path for path in sorted(place.rglob("*")) if path.is_file())
        return {str(p.relative_to(place)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    return of
