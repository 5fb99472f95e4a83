import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the double, here alone

from hub_double import Hub

ROOT = Path(__file__).parents[2]
WRITER, READER = "hf_writer_0123456789", "hf_reader_0123456789"

# Several commands in one process, which is the part that takes long. Waits between tries are left out.
DRIVER = """
import contextlib, io, json, os, sys
import huggingface_hub.utils._http as http
http.time.sleep = lambda seconds: None
from nl_tasks.cli import main
results = []
for words, settings in json.load(sys.stdin):
    before = dict(os.environ)
    os.environ.update(settings)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(words)
        except SystemExit as ended:
            results.append([ended.code, out.getvalue(), err.getvalue()])
    os.environ.clear()
    os.environ.update(before)
print(json.dumps(results))
"""


@pytest.fixture
def hub():
    with Hub() as running:
        yield running


@pytest.fixture
def python(tmp_path):
    """`python(hub, script, *words, stdin="")`: what a process prints that knows this hub and nothing else."""

    def run(hub, script, *words, stdin="", **settings):
        environment = {name: text for name, text in os.environ.items() if not name.startswith("HF_")}
        environment |= {
            "HF_ENDPOINT": hub.url,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HOME": str(tmp_path / "hf"),
            "PYTHONPATH": str(ROOT),
            **settings,
        }
        done = subprocess.run(
            [sys.executable, "-c", script, *words],
            cwd=tmp_path,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def commands(python):
    """`commands(hub, (words, settings), ...)`: exit status, stdout and stderr of each command, in one process."""

    def run(hub, *jobs, **process):
        jobs = [(list(map(str, words)), {"HF_TOKEN": WRITER, **settings}) for words, settings in jobs]
        return json.loads(python(hub, DRIVER, stdin=json.dumps(jobs), **process).splitlines()[-1])

    return run
