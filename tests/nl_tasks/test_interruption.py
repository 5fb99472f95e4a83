import random
import signal
import time
from functools import partial

import psutil
import pytest

LENGTHS = ",".join(str(length) for length in range(64, 80))
RUN = ("generate", "toy_words", "--len", LENGTHS, "-n", "6", "--set", "pause=0.03", "--out", "a")


def wait_until(condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_five_times_and_resumed_the_bytes_are_the_same(command, folder, hashes, toy_mark, workers):
    whole = command(*RUN[:-1], "whole", "--workers", "1")
    assert whole.wait(300) == 0
    moments = random.Random(workers)

    def files():
        return len(list((folder / "a").glob("words_*/test-*")))

    for killed in range(5):
        toy_mark.unlink(missing_ok=True)
        process = command(*RUN, "--resume", "--workers", workers)
        wait_until(toy_mark.exists)
        time.sleep(moments.uniform(0, 0.3))
        if killed == 4:  # whatever the moments were, the last run continues from whole files
            wait_until(files)
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        psutil.wait_procs(children, timeout=60)
        assert not [child for child in children if child.is_running()]
        assert (folder / "a/.nl-tasks-unfinished.json").exists(), "the run was over before it was killed"
    process = command(*RUN, "--resume", "--workers", workers)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert hashes(folder / "a") == hashes(folder / "whole")


def test_a_killed_run_is_not_taken_for_a_finished_one(command, cli, folder):
    process = command(*RUN, "--workers", "1")
    wait_until(lambda: len(list((folder / "a").glob("words_*/test-*"))) >= 2)
    process.kill()
    process.wait(60)
    status, _, err = cli(*RUN)
    assert (status, err) == (
        2,
        "nl-tasks: a holds an unfinished run: continue with --resume, or start over with --overwrite\n",
    )
    status, _, err = cli(*RUN, "--resume", "--seed", "44")
    assert status == 2 and "an unfinished run of other options (words_64 with seed=43 there, 44 now)" in err
    status, _, err = cli(*RUN[:-4], "--out", "a", "--overwrite")
    assert status == 0, err
    assert not list(folder.rglob("*.tmp")) and not (folder / "a/.nl-tasks-unfinished.json").exists()


def test_ctrl_c_leaves_no_half_file_and_says_so(command, folder):
    # So slow that it cannot be over before the signal, however busy the machine
    heard = partial(
        signal.signal, signal.SIGINT, signal.SIG_DFL
    )  # in the background it is ignored, and children inherit that
    process = command(*RUN, "--workers", "2", "--set", "pause=0.3", preexec_fn=heard)
    wait_until(lambda: len(list((folder / "a").glob("words_*/test-*"))) >= 1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err.startswith("nl-tasks: interrupted; finished files are kept, --resume continues") and err.count("\n") == 1
    assert not list(folder.rglob("*.tmp"))
