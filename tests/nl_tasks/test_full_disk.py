import builtins
import errno
import resource

import pytest

from nl_tasks import generate_dataset, read_dataset

WORDS = ("generate", "toy_words", "--len", "64,500,600", "-n", "20", "--out", "a")


class SmallDisk:
    """Stands in for `open`: data files take so many bytes in all, then the disk is full."""

    def __init__(self, space):
        self.space = space

    def __call__(self, path, mode):
        file = builtins.open(path, mode)  # noqa: SIM115 - the caller closes it
        if ".parquet" in path.name:
            write = file.write

            class Limited:
                def write(_, data):
                    self.space -= len(data)
                    if self.space < 0:
                        raise OSError(errno.ENOSPC, "No space left on device")
                    return write(data)

                def __getattr__(_, name):
                    return getattr(file, name)

            return Limited()
        return file


def test_files_that_were_whole_stay_and_resume_finishes(toys, cli, folder, monkeypatch, hashes):
    assert cli(*WORDS[:-1], "whole")[0] == 0
    sizes = [path.stat().st_size for path in sorted((folder / "whole").rglob("*.parquet"))]
    with monkeypatch.context() as patched:
        patched.setattr("nl_tasks.atomic_file.open", SmallDisk(sizes[-1] + 100), raising=False)
        status, _, err = cli(*WORDS)
    assert status == 1
    assert err.startswith("nl-tasks: a/words_500/") and "No space left on device" in err and "--resume" in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in (folder / "a").rglob("*") if path.is_file()) == [
        ".nl-tasks-unfinished.json",
        "test-00000-of-00001.parquet",
    ]
    first = folder / "a/words_64/test-00000-of-00001.parquet"
    assert len(list(read_dataset(first))) == 20
    stamp = first.stat().st_mtime_ns
    assert cli(*WORDS, "--resume")[0] == 0
    assert first.stat().st_mtime_ns == stamp
    assert hashes(folder / "a") == hashes(folder / "whole")


def test_a_limit_of_the_system_is_a_failure_too(command, folder):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    process = command(*WORDS, preexec_fn=limit)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "File too large" in err and err.count("\n") == 1
    assert [path.name for path in folder.rglob("*") if path.suffix in (".parquet", ".tmp")] == []


def test_a_folder_that_may_not_be_written_is_a_failure(toys, folder, monkeypatch):
    def refuse(path, mode):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("nl_tasks.atomic_file.open", refuse, raising=False)
    with pytest.raises(PermissionError):
        generate_dataset(["toy_words"], [64], n=1, out="a")
