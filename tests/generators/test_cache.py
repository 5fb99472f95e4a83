"""Folders that appear whole or not at all, and where they are kept."""

from pathlib import Path

import pytest

from nl_tasks.generators.cache import cache_root, whole_folder


def test_a_folder_appears_when_it_is_whole(tmp_path):
    folder = tmp_path / "kept" / "model"
    with whole_folder(folder) as scratch:
        (scratch / "weights").write_text("all")
        assert not folder.exists()
    assert (folder / "weights").read_text() == "all"
    assert list(folder.parent.iterdir()) == [folder]
    (tmp_path / "plain").mkdir()
    assert folder.stat().st_mode == (tmp_path / "plain").stat().st_mode  # others may read it as any folder


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_what_fails_leaves_nothing(tmp_path, error):
    with pytest.raises(type(error)), whole_folder(tmp_path / "model") as scratch:
        (scratch / "weights").write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_who_comes_second_leaves_what_is_there(tmp_path):
    with whole_folder(tmp_path / "model") as scratch:
        (scratch / "weights").write_text("second")
        with whole_folder(tmp_path / "model") as other:
            (other / "weights").write_text("first")
    assert (tmp_path / "model" / "weights").read_text() == "first"
    assert list(tmp_path.iterdir()) == [tmp_path / "model"]


def test_a_place_that_cannot_be_taken_is_an_error(tmp_path):
    (tmp_path / "model").write_text("a file")
    with pytest.raises(OSError, match="model"), whole_folder(tmp_path / "model"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_cache_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("NL_TASKS_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    monkeypatch.setenv("NL_TASKS_CACHE", "")
    assert cache_root() == Path.home() / ".cache" / "nl-tasks"
