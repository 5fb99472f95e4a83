"""The layout: folders at the top, one package in the wheel, imports one way, a base install without torch."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]
FOLDERS = {
    "generators": {"generators"},
    "scoring": {"scoring"},
    "kernels": {"kernels"},
    "sparse_backends": {"sparse_backends", "kernels"},
    "hf_dataset_card": {"hf_dataset_card", "generators"},
}
"""Folders at the top, and whose modules each may import; `nl_tasks` itself may import all."""

HEAVY = (
    "torch",
    "transformers",
    "accelerate",
    "triton",
    "lm_eval",
    "gguf",
    "matplotlib",
    "scipy",
    "statsmodels",
    "ray",
)
"""What extras bring."""


def files(folder):
    """All files of a folder at the top but what Python leaves there; those of `nl_tasks` without its links."""
    for path in sorted((ROOT / folder).rglob("*")):
        parts = path.relative_to(ROOT).parts
        linked = parts[0] == "nl_tasks" and parts[1] in FOLDERS
        if path.is_file() and not linked and "__pycache__" not in parts:
            yield path.relative_to(ROOT)


def sources(folder):
    """Python files of a folder at the top."""
    return [path for path in files(folder) if path.suffix == ".py"]


def imported(path):
    """Dotted names of all modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_packages_are_the_folders_that_hold_python_files():
    mapped = set(SETUPTOOLS["package-dir"])
    assert mapped == {f"nl_tasks.{name}" for name in FOLDERS}
    assert all(folder == name.removeprefix("nl_tasks.") for name, folder in SETUPTOOLS["package-dir"].items())
    own = {".".join(path.parent.parts) for path in sources("nl_tasks")}
    assert set(SETUPTOOLS["packages"]) == mapped | own


@pytest.mark.parametrize("name", FOLDERS)
def test_each_folder_is_flat_and_linked_to_from_the_package(name):
    link = ROOT / "nl_tasks" / name
    assert link.is_symlink() and os.readlink(link) == f"../{name}"
    assert link.resolve() == ROOT / name
    assert {path.parent.as_posix() for path in sources(name)} == {name}


def test_kernels_stays_a_folder_that_no_import_prefers_to_hugging_face_s_package():
    assert not (ROOT / "kernels/__init__.py").exists()


@pytest.mark.parametrize("name", FOLDERS)
def test_imports_run_one_way(name):
    allowed = tuple(f"nl_tasks.{other}" for other in FOLDERS[name])
    for path in sources(name):
        for module in imported(path):
            if module.partition(".")[0] == "nl_tasks" and module != "nl_tasks":
                assert module.startswith(allowed), f"{path} imports {module}"
            assert module != "nl_tasks", f"{path} imports the face"
            assert module.partition(".")[0] not in FOLDERS or name == "kernels", f"{path} imports {module}"


@pytest.mark.parametrize("name", ["generators", "scoring", "hf_dataset_card"])
def test_tasks_scores_and_cards_need_no_torch(name):
    for path in sources(name):
        assert not {module.partition(".")[0] for module in imported(path)} & {"torch", "triton", "lm_eval"}, path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel built from a copy of the tree without its links, as a checkout without symlinks has it."""
    place = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place)
    unwanted = shutil.ignore_patterns("__pycache__", *FOLDERS)
    shutil.copytree(ROOT / "nl_tasks", place / "nl_tasks", ignore=unwanted)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", "out", "."]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [built] = (place / "out").glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {path.as_posix() for path in files("nl_tasks")}
    expected |= {f"nl_tasks/{path.as_posix()}" for name in FOLDERS for path in files(name)}
    assert names == expected
    assert {name.partition("/")[0] for name in names} == {"nl_tasks"}


WORK = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from nl_tasks.cli import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    assert not set(sys.modules) & set({HEAVY!r})
    raise
"""


def test_the_wheel_works_where_only_the_base_install_is(wheel, tmp_path):
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    environment = {**os.environ, "PYTHONPATH": str(site), "HF_HUB_OFFLINE": "1"}

    def run(*words):
        done = subprocess.run(
            [sys.executable, "-P", "-c", WORK, *words], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    assert "story_multihop" in run("list")
    assert "1 rows" in run("generate", "story_multihop", "--len", "3k", "-n", "1", "--out", "made")
    assert "Tamsin" in run("show", "made")
    run("verify", "made", "--workers", "1")
    place = "from nl_tasks import generate; print(generate.__file__)"
    found = subprocess.run(
        [sys.executable, "-P", "-c", place], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert found.stdout.startswith(str(site)), "the wheel was not what ran"
