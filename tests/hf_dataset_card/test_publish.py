"""Publishing and what readers get, over HTTP, with a double of the Hub; processes of their own, as its users have."""

import json
import shutil
from pathlib import Path

import pytest
from hub_double import Repo

from nl_tasks import generate_dataset, get_task, read_dataset
from nl_tasks.cli import main

# Arrow's threads may still hold a stream's file when a process ends by itself, and then abort it (apache/arrow#45214).
LOAD = """
import json, os, sys
from datasets import get_dataset_config_names, load_dataset
name, config, revision = sys.argv[1:]
everything = load_dataset(name, split="test")
one = load_dataset(name, config)["test"]
streamed = load_dataset(name, config, split="test", streaming=True)
earlier = load_dataset(name, config, split="test", revision=revision)
print(json.dumps({
    "configs": get_dataset_config_names(name),
    "all": len(everything),
    "one": one.to_list(),
    "streamed": list(streamed),
    "earlier": earlier.to_list(),
    "features": {key: str(value) for key, value in one.features.items()},
}), flush=True)
os._exit(0)
"""
# Publishes, and prints whether other threads than the main one read files of the Hub.
THREADS = """
import sys, threading
from huggingface_hub.hf_file_system import HfFileSystemFile as File
read, readers = File.read, set()
def noted(*args):
    readers.add(threading.current_thread() is threading.main_thread())
    return read(*args)
File.read = noted
from nl_tasks.cli import main
try:
    main(["publish", *sys.argv[1:]])
finally:
    print(readers)
"""
STORY = "sparse-frontier/story"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small dataset folder of two tasks."""
    folder = tmp_path_factory.mktemp("made") / "story"
    generate_dataset(["story_multihop"], ["16k"], n=2, out=folder)
    generate_dataset(["story_multihop", "story_filtering"], ["5k"], n=2, out=folder)
    return folder


@pytest.fixture
def story(made, tmp_path):
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / "story"))


def test_what_is_published_loads_whole_streaming_and_by_revision(hub, commands, python, story):
    dry, first, again = commands(
        hub,
        (["publish", story, "--repo", STORY, "--dry-run"], {"HF_TOKEN": ""}),
        (["publish", story, "--repo", STORY], {}),
        (["publish", story, "--repo", STORY], {}),
    )
    assert (dry[0], first[0], again[0]) == (0, 0, 0), (dry, first, again)
    assert "multihop_16k/test-00000-of-00001.parquet" in dry[1] and "6 files, 3 configs, would go to" in dry[1]
    assert "the first row of 3 configs was read back, with equal hashes" in first[1]
    assert "nothing had changed" in again[1]
    revisions = hub.repos[STORY].branches["main"]
    assert len(revisions) == 2  # one for the empty repo, one commit
    assert sorted(hub.tree(STORY)) == [
        ".gitattributes",
        "README.md",
        "evidence.svg",
        "filtering_5k/test-00000-of-00001.parquet",
        "manifest.json",
        "multihop_16k/test-00000-of-00001.parquet",
        "multihop_5k/test-00000-of-00001.parquet",
    ]
    old = [sample.row() for sample in read_dataset(story, "multihop_16k")]
    generate_dataset(["story_multihop"], ["16k"], n=3, out=story, overwrite=True)
    [(status, _, err)] = commands(hub, (["publish", story, "--repo", STORY], {}))
    assert status == 0, err
    found = json.loads(python(hub, LOAD, STORY, "multihop_16k", revisions[1]))
    new = [sample.row() for sample in read_dataset(story, "multihop_16k")]
    assert found["configs"] == ["default", "filtering_5k", "multihop_5k", "multihop_16k"]
    assert (found["all"], len(new)) == (7, 3)
    assert found["one"] == found["streamed"] == new
    assert found["earlier"] == old
    assert found["features"]["evidence"].startswith("List(") and found["features"]["num_tokens"] == "Value('int64')"


def test_a_server_that_dies_while_files_arrive_leaves_the_repo_as_it_was(hub, commands, story):
    hub.die_at_put = 2
    [(status, out, err)] = commands(hub, (["publish", story, "--repo", STORY], {}))
    assert (status, out) == (1, "")
    assert err.startswith(f"nl-tasks: the Hub cannot be reached at {hub.url} (") and err.count("\n") == 1
    assert list(hub.tree(STORY)) == [".gitattributes"]
    arrived = set(hub.large)
    assert arrived  # and are not sent again
    with hub:
        puts = hub.puts
        [(status, out, err)] = commands(hub, (["publish", story, "--repo", STORY], {}))
        assert (status, err) == (0, "")
    assert len(hub.tree(STORY)) == 7
    assert hub.puts - puts == 3 - len(arrived)


@pytest.fixture
def two_tokenizers(tmp_path):
    """A dataset folder with configs of tekken and of a tokenizer that takes words apart at spaces."""
    import tokenizers

    library = tokenizers.Tokenizer(tokenizers.models.WordLevel({"?": 0}, unk_token="?"))
    library.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    (tmp_path / "words").mkdir()
    library.save(str(tmp_path / "words" / "tokenizer.json"))
    names = ["tekken", f"by-word={tmp_path / 'words'}"]
    generate_dataset(["story_multihop"], ["5k"], n=2, tokenizer=names, out=tmp_path / "two")
    return tmp_path / "two"


def test_what_the_hub_refuses_is_one_line_and_the_token_is_nowhere(hub, commands, story, two_tokenizers, tmp_path):
    publish = ["publish", story, "--repo", STORY]
    wrong = "hf_of_nobody_0123456789"
    missing, refused, reader, unnamed, private, public, taken = commands(
        hub,
        (publish, {"HF_TOKEN": ""}),
        (publish, {"HF_TOKEN": wrong}),
        (publish, {"HF_TOKEN": "hf_reader_0123456789"}),
        (["publish", story, "--repo", "no-owner"], {}),
        (["publish", two_tokenizers, "--repo", "sparse-frontier/hidden", "--private", "--branch", "next"], {}),
        (publish, {}),
        ([*publish, "--private"], {}),
    )
    assert missing[0] == 1 and "no token of the Hub: log in with `hf auth login`, or set HF_TOKEN" in missing[2]
    assert refused[0] == 1 and "the Hub refused the token (HF_TOKEN): is it expired, or revoked?" in refused[2]
    assert reader[0] == 1 and f"has the token the right to write to {STORY}?" in reader[2]
    assert unnamed[0] == 2 and "--repo no-owner: write OWNER/NAME" in unnamed[2]
    assert (private[0], public[0]) == (0, 0)
    assert hub.repos["sparse-frontier/hidden"].private
    assert [path for path in hub.tree("sparse-frontier/hidden", "next") if path.endswith(".parquet")] == [
        "multihop_5k/test-00000-of-00001.parquet",
        "multihop_5k_by-word/test-00000-of-00001.parquet",
    ]
    assert b"`multihop_5k_by-word`: 2, " in hub.tree("sparse-frontier/hidden", "next")["README.md"]
    assert "the first row of 2 configs was read back, with equal hashes" in private[1]
    assert list(hub.tree("sparse-frontier/hidden")) == [".gitattributes"]
    assert taken[0] == 1 and f"{STORY} is public: make it private" in taken[2]
    for _, out, err in (missing, refused, reader, unnamed, taken):
        assert (out, err.count("\n")) == ("", 1)
    results = [missing, refused, reader, unnamed, private, public, taken]
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for token in (wrong, "hf_writer_0123456789", "hf_reader_0123456789"):
        assert token not in json.dumps(results)
        assert not any(token.encode() in text for text in written)


def test_no_network_is_one_line(hub, commands, story):
    publish = ["publish", story, "--repo", STORY]
    [(status, out, err)] = commands(hub, (publish, {}), HF_HUB_OFFLINE="1")
    assert (status, out) == (1, "") and err == "nl-tasks: HF_HUB_OFFLINE is set: nothing can be published while it is\n"
    hub.__exit__()
    gone, other = commands(hub, (publish, {}), (["publish", story.parent, "--repo", STORY], {}))
    assert gone[0] == 1 and gone[2].startswith(f"nl-tasks: the Hub cannot be reached at {hub.url} (")
    assert gone[2].count("\n") == 1
    assert other[0] == 2 and "is not a dataset folder" in other[2]


def test_configs_that_the_repo_has_alone_go_only_when_told(hub, commands, story, tmp_path):
    generate_dataset(["story_filtering"], ["5k"], n=1, out=tmp_path / "less")
    less = ["publish", tmp_path / "less", "--repo", STORY]
    hub.repos["me/poems"] = Repo(private=False)
    hub.repos["me/poems"].commit("main", {"README.md": b"mine"})
    _, kept, replaced, foreign = commands(
        hub,
        (["publish", story, "--repo", STORY], {}),
        (less, {}),
        ([*less, "--replace"], {}),
        (["publish", story, "--repo", "me/poems"], {}),
    )
    assert foreign[0] == 2 and "me/poems holds files, and not of a dataset that nl-tasks wrote" in foreign[2]
    assert hub.tree("me/poems") == {"README.md": b"mine"}
    assert kept[0] == 2 and "configs that are not in this folder (multihop_5k, multihop_16k)" in kept[2]
    assert replaced[0] == 0 and "2 old files went" in replaced[1]
    assert [path for path in hub.tree(STORY) if path.endswith(".parquet")] == [
        "filtering_5k/test-00000-of-00001.parquet"
    ]


def test_a_row_that_comes_back_different_is_named(hub, commands, story):
    manifest = json.loads((story / "manifest.json").read_text())
    other = Path(manifest["configs"]["multihop_5k"]["files"][0]["path"])
    same = Path(manifest["configs"]["filtering_5k"]["files"][0]["path"])
    swapped = (story / same).read_bytes()
    real = hub.large
    hub.large = _Swapping(real, (story / other).read_bytes(), swapped)
    [(status, _, err)] = commands(hub, (["publish", story, "--repo", STORY], {}))
    assert status == 1 and "multihop_5k: the first row that the Hub gives has the hash" in err


class _Swapping(dict):
    """Large files of which one is given out in place of another."""

    def __init__(self, files, wanted, given):
        super().__init__(files)
        self._wanted, self._given = wanted, given

    def __getitem__(self, oid):
        found = super().__getitem__(oid)
        return self._given if found == self._wanted else found


@pytest.mark.parametrize("file_format", ["parquet", "jsonl"])
def test_rows_are_read_back_without_threads_that_could_outlive_the_command(hub, python, tmp_path, file_format):
    generate_dataset(["story_multihop"], ["5k"], n=2, file_format=file_format, out=tmp_path / "story")
    printed = python(hub, THREADS, str(tmp_path / "story"), "--repo", STORY, HF_TOKEN="hf_writer_0123456789")
    assert "the first row of 1 configs was read back, with equal hashes" in printed
    assert printed.splitlines()[-1] == "{True}"


def test_a_folder_that_was_changed_is_not_published(story, capsys):
    def refused():
        with pytest.raises(SystemExit) as ended:
            main(["publish", str(story), "--repo", STORY, "--dry-run"])
        out, err = capsys.readouterr()
        assert (ended.value.code, out) == (2, "")
        return err

    path = story / "multihop_5k/test-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes() + b" ")
    assert "was changed since it was written" in refused()
    (story / ".nl-tasks-unfinished.json").write_text("{}")
    assert "holds an unfinished run" in refused()


def test_paths_of_this_machine_are_pointed_out(tmp_path, capsys):
    corpus = Path(__file__).parents[1] / "generators" / "corpora" / "toefl.jsonl"
    generate_dataset([get_task("qa_toefl", source=str(corpus))], ["2k"], n=1, out=tmp_path / "qa")
    with pytest.raises(SystemExit):
        main(["publish", str(tmp_path / "qa"), "--repo", "me/qa", "--private", "--dry-run"])
    out, err = capsys.readouterr()
    assert f"note: the rows name {corpus}, which readers of the dataset will not have" in err
    assert "would go to a private repo datasets/me/qa, branch main" in out
