"""What a user may get wrong: one clear line on stderr, exit status 2, nothing written."""

import re

import pytest

WRONG = {
    "no length": (["generate", "toy_words"], r"Missing option '--len'"),
    "unknown command": (["genrate"], r"No such command 'genrate'"),
    "unknown option": (["generate", "--len", "64", "--lenght", "3"], r"No such option.*--lenght"),
    "option of a wrong type": (["generate", "--len", "64", "-n", "many"], r"Invalid value for '-n'"),
    "unknown task": (["generate", "story_multihope", "--len", "64"], r"unknown task .*did you mean story_multihop"),
    "task named twice": (["generate", "toy_words", "toy_words", "--len", "64"], r"'toy_words' is named twice"),
    "bad length": (
        ["generate", "toy_words", "--len", "64kb"],
        r"length '64kb' is not a number of tokens: write 4096, ",
    ),
    "length zero": (["generate", "toy_words", "--len", "0"], r"length '0' is not a number of tokens"),
    "empty length": (["generate", "toy_words", "--len", "64,"], r"length '' is not a number of tokens"),
    "length too short": (
        ["generate", "toy_words", "--len", "64,30", "-n", "2"],
        r"30 tokens are too few .*at least 41",
    ),
    "length too short for a story": (
        ["generate", "story_retrieval", "--len", "200", "-n", "2"],
        r"200 tokens are too few for story_retrieval: these 2 samples need at least \d+",
    ),
    "length too long for the source": (
        ["generate", "toy_short", "--len", "64,4k", "-n", "2"],
        r"4k tokens are too many for the documents of toy_short: they fill at most 999; --allow-repeat lets",
    ),
    "no samples": (["generate", "toy_words", "--len", "64", "-n", "0"], r"n=0 is out of range: at least 1"),
    "negative seed": (["generate", "toy_words", "--len", "64", "--seed", "-1"], r"seed=-1 is out of range"),
    "no workers": (["generate", "toy_words", "--len", "64", "--workers", "0"], r"workers=0 is out of range"),
    "unknown format": (
        ["generate", "toy_words", "--len", "64", "--format", "csv"],
        r"'csv' is unknown: one of parquet",
    ),
    "unknown tokenizer": (
        ["generate", "toy_words", "--len", "64", "--tokenizer", "bert"],
        r"unknown tokenizer 'bert': give tekken, tiktoken:NAME, gguf:FILE",
    ),
    "tokenizer folder that is not there": (
        ["generate", "toy_words", "--len", "64", "--tokenizer", "./bert"],
        r"tokenizer './bert': there is no such folder",
    ),
    "Hub tokenizer without network": (
        ["generate", "toy_words", "--len", "64", "--tokenizer", "some-one/some-model"],
        r"could not be had from the Hub .*without network use tekken, a local folder",
    ),
    "two tokenizers of one label": (
        ["generate", "toy_words", "--len", "64", "--tokenizer", "a=tekken", "--tokenizer", "a=tekken"],
        r"tokenizers 'tekken' and 'tekken' would share their configs' names",
    ),
    "setting without a value": (["generate", "toy_words", "--len", "64", "--set", "colour"], r"write knob=value"),
    "unknown knob": (
        ["generate", "toy_words", "--len", "64", "--set", "color=red"],
        r"no chosen task has a knob 'color'; there are .*colour",
    ),
    "knob of a task that was not chosen": (
        ["generate", "toy_words", "--len", "64", "--set", "toy_other.size=2"],
        r"'toy_other' is not one of the chosen tasks \(toy_words\)",
    ),
    "unknown knob of one task": (
        ["generate", "toy_words", "--len", "64", "--set", "toy_words.size=2"],
        r"toy_words has no knob 'size'",
    ),
    "knob out of its choices": (
        ["generate", "toy_words", "--len", "64", "--set", "colour=green"],
        r"toy_words: colour='green' is out of range: one of red, blue",
    ),
    "knob out of its range": (
        ["generate", "toy_words", "--len", "64", "--set", "pause=2"],
        r"toy_words: pause=2.0 is out of range: 0 to 1 seconds",
    ),
    "knob of a wrong type": (
        ["generate", "toy_other", "--len", "64", "--set", "size=big"],
        r"toy_other: size='big' is not of type int",
    ),
    "two tasks of one config": (
        ["generate", "toy_words", "toy_twin", "--len", "64"],
        r"toy_words and toy_twin would both write the config words_64",
    ),
    "resume and overwrite": (
        ["generate", "toy_words", "--len", "64", "--resume", "--overwrite"],
        r"choose one of them",
    ),
    "show nothing": (["show", "nowhere"], r"nowhere: there is no such file or folder"),
    "show a folder without a dataset": (["show", "."], r"\. is not a dataset folder: it has no manifest\.json"),
    "verify a folder without a dataset": (["verify", "."], r"\. is not a dataset folder"),
    "score without predictions": (["score", "none.jsonl", "--data", "."], r"none\.jsonl: there is no such file"),
}


@pytest.mark.parametrize("words, complaint", WRONG.values(), ids=WRONG.keys())
def test_wrong_use_is_one_line_and_status_2_and_writes_nothing(cli, folder, words, complaint):
    status, out, err = cli(*words)
    assert (status, out) == (2, "")
    assert err.startswith("nl-tasks: ") and err.count("\n") == 1
    assert re.search(complaint, err), err
    assert list(folder.iterdir()) == []


def test_the_smallest_length_that_is_named_works(cli, folder):
    words = ["generate", "story_retrieval", "-n", "3", "--set", "num_queries=2", "--len"]
    _, _, err = cli(*words, 200)
    smallest = re.search(r"at least (\d+)", err)[1]
    assert cli(*words, int(smallest) - 1)[0] == 2
    assert cli(*words, smallest)[0] == 0


def test_a_folder_with_other_things_in_it_is_refused(cli, folder, hashes):
    (folder / "a").mkdir()
    (folder / "a/thesis.tex").write_text("years of work")
    before = hashes(folder)
    status, _, err = cli("generate", "toy_words", "--len", "64", "--out", "a")
    assert (status, err) == (
        2, "nl-tasks: a holds other files and no dataset: choose another --out, or add --overwrite\n",
    )  # fmt: skip
    assert hashes(folder) == before
    assert cli("generate", "toy_words", "--len", "64", "--out", "a", "--overwrite")[0] == 0
    assert (folder / "a/thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(
    "change, complaint",
    [
        (["--len", "64", "-n", "3"], r"a holds words_64 already, with n=2 there, 3 now"),
        (["--len", "64", "--seed", "44"], r"a holds words_64 already, with seed=43 there, 44 now"),
        (["--len", "64", "--set", "colour=blue"], r"a holds words_64 already, with params="),
        (["--len", "80", "--seed", "44"], r"a holds words_64, which cannot be in one dataset with this run \(seed=43"),
        (["--len", "80", "--format", "jsonl"], r"cannot be in one dataset .*file_format=parquet there, jsonl now"),
    ],
    ids=["n", "seed", "knob", "seed of another length", "format"],
)
def test_another_dataset_in_the_folder_is_refused_unless_overwritten(cli, folder, hashes, change, complaint):
    assert cli("generate", "toy_words", "-n", "2", "--len", "64", "--out", "a")[0] == 0
    before = hashes(folder)
    words = ["generate", "toy_words", "-n", "2", "--out", "a", *change]
    status, _, err = cli(*words)
    assert status == 2 and err.count("\n") == 1
    assert re.search(complaint, err), err
    assert "--overwrite" in err
    assert hashes(folder) == before
    assert cli(*words, "--overwrite")[0] == 0
    assert cli("verify", "a", "--workers", "1")[0] == 0


def test_another_dataset_of_ours_is_refused(cli, folder, hashes):
    assert cli("generate", "toy_other", "-n", "2", "--len", "64", "--out", "a")[0] == 0
    before = hashes(folder)
    status, _, err = cli("generate", "toy_words", "-n", "2", "--len", "64", "--out", "a")
    assert status == 2 and "dataset=toys/other there, toys/words now" in err
    assert hashes(folder) == before


def test_a_file_in_the_place_of_the_folder_is_refused(cli, folder):
    (folder / "a").write_text("")
    status, _, err = cli("generate", "toy_words", "--len", "64", "--out", "a")
    assert (status, err) == (2, "nl-tasks: a is a file: choose another --out\n")


def test_statuses_hold_for_the_installed_command(command):
    process = command("generate", "story_multihope", "--len", "64")
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (2, "")
    assert err.startswith("nl-tasks: unknown task 'story_multihope'") and err.count("\n") == 1
