import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from nl_tasks.cli import COMMANDS, app
from nl_tasks.generators.task import task_types

ROOT = Path(__file__).parents[2]


def test_every_command_has_help_with_an_example(cli):
    commands = typer.main.get_command(app).commands
    assert set(COMMANDS) <= set(commands)
    for name in commands:
        status, out, _ = cli(name, "--help")
        assert status == 0 and "Example" in out, name


@pytest.fixture
def python(folder):
    """Runs `python WORDS` with the package importable."""

    def start(*words, **options):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        return subprocess.Popen([sys.executable, *words], env=environment, **options)

    return start


def test_help_lists_the_commands_and_needs_nothing_heavy(python):
    script = "import sys\nfrom nl_tasks.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    script += (
        "print([name for name in ('numpy', 'pyarrow', 'datasets', 'torch', 'transformers') if name in sys.modules])"
    )
    out, err = python("-c", script).communicate()
    assert out.rstrip().endswith("[]"), err
    assert all(name in out for name in COMMANDS)


def test_the_version_is_said(cli):
    import nl_tasks

    assert cli("--version") == (0, f"{nl_tasks.__version__}\n", "")


def test_without_a_command_the_help_is_shown(cli):
    status, out, err = cli()
    assert status == 2 and all(name in out for name in COMMANDS)
    assert err == "nl-tasks: name a command, as above\n"


def test_generating_imports_neither_datasets_nor_pandas(python):
    script = (
        "import sys, nl_tasks\nnl_tasks.generate_dataset(['story_filtering'], ['4k'], n=1)\n"
        "print([name for name in ('datasets', 'pandas', 'torch', 'transformers') if name in sys.modules])"
    )
    out, err = python("-c", script).communicate()
    assert out.strip() == "[]", err


def test_list_names_tasks_and_knobs(cli):
    status, out, _ = cli("list")
    assert status == 0
    assert "toy_words (version 1, toys/words, configs words_LENGTH)\n  Which number does the text name?\n" in out
    assert "colour = 'red': red | blue. What the number is painted in." in out
    described = {task["name"]: task for task in json.loads(cli("list", "--json")[1])}
    assert described.keys() == task_types().keys()
    assert {knob["name"]: knob["default"] for knob in described["toy_other"]["knobs"]}["size"] == 1
    assert all(task["summary"] and all(knob["summary"] for knob in task["knobs"]) for task in described.values()
               if not task["name"].startswith("toy_"))  # fmt: skip


def test_generate_says_where_the_files_are(cli, folder):
    status, out, err = cli("generate", "toy_words", "--len", "64", "-n", "3")
    assert (status, err) == (0, "")
    assert re.match(r"toys/words: 3 rows in 1 configs \(words_64\), [\d.]+ MB, [\d.]+ s\n", out)
    assert 'load_dataset("toys/words", "words_64")' in out
    assert "3 rows were there before" in cli("generate", "toy_words", "--len", "64", "-n", "3")[1]
    assert cli("generate", "toy_words", "--len", "64", "-n", "3", "-q")[1] == ""
    assert 'load_dataset("./a", ' in cli("generate", "toy_words", "--len", "64", "--out", "a")[1]


def test_a_setting_goes_to_the_tasks_that_have_the_knob(cli, folder):
    settings = ("--set", "colour=blue", "--set", "size=2", "--set", "toy_other.colour=red")
    assert cli("generate", "toy_words", "toy_other", "--len", "64", "-n", "1", "--out", "a", *settings)[0] == 0
    params = {}
    for name in ("words", "other"):
        configs = json.loads((folder / f"a/toys/{name}/manifest.json").read_text())["configs"]
        params[name] = configs[f"{name}_64"]["params"]
    assert params["words"]["colour"] == "blue" and "size" not in params["words"]
    assert (params["other"]["colour"], params["other"]["size"]) == ("red", 2)


def test_a_failure_is_one_line_and_status_1(cli, folder, monkeypatch):
    words = ("generate", "toy_words", "--len", "64", "--set", "bad_index=1")
    assert cli(*words)[::2] == (1, "nl-tasks: sample toy_words/64/43/1 failed: LookupError: a toy broke\n")
    monkeypatch.setenv("NL_TASKS_DEBUG", "1")
    from nl_tasks.cli import main
    from nl_tasks.errors import RunError

    with pytest.raises(RunError):
        main([*words, "--resume"])


def test_a_reader_that_leaves_is_no_error_of_ours(python):
    reader, writer = os.pipe()
    process = python("-m", "nl_tasks.cli", "list", "--json", stdout=writer)
    os.close(writer)
    os.close(reader)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1 and err == ""
