import dataclasses
import json

import pyarrow.parquet as pq
import pytest

import nl_tasks.plan
from nl_tasks import generate_dataset, get_task, load_tokenizer, read_dataset
from nl_tasks.errors import RunError
from nl_tasks.generators.sample import Sample
from nl_tasks.row_format import SCHEMA


def test_rows_are_the_samples_of_the_tasks(toys, folder):
    [written] = generate_dataset(["toy_words"], ["64", 300], n=3, seed=5)
    assert (written.folder.as_posix(), written.rows, written.new_rows) == ("toys/words", 6, 6)
    task, tokenizer = toys.ToyWords(), load_tokenizer("tekken")
    for length, config in ((64, "words_64"), (300, "words_300")):
        expected = [task.sample(seed=5, index=i, length=length, tokenizer=tokenizer) for i in range(3)]
        assert list(read_dataset("toys/words", config)) == expected
        assert [sample.num_tokens for sample in expected] == [length] * 3


def test_a_sample_of_a_run_is_the_sample_alone(folder):
    generate_dataset(["story_multihop"], ["3k"], n=100, out="a")
    alone = get_task("story_multihop").sample(seed=43, index=7, length=3072, tokenizer=load_tokenizer("tekken"))
    rows = list(read_dataset("a"))
    assert (len(rows), rows[7]) == (100, alone)


def test_columns_are_those_of_a_sample():
    assert SCHEMA.names == [field.name for field in dataclasses.fields(Sample)]


@pytest.mark.parametrize("file_format", ["parquet", "jsonl"])
def test_bytes_do_not_depend_on_workers(toys, folder, hashes, file_format):
    for workers in (1, 2, 3):
        generate_dataset(["toy_words"], [64, 100], n=20, out=f"out{workers}", workers=workers, file_format=file_format)
    assert hashes(folder / "out1") == hashes(folder / "out2") == hashes(folder / "out3")
    assert len(hashes(folder / "out1")) == 5  # card, picture, manifest and two data files


def test_both_formats_hold_the_same_rows(toys, folder):
    generate_dataset(["toy_words"], [64], n=5, out="a")
    generate_dataset(["toy_words"], [64], n=5, out="b", file_format="jsonl")
    assert list(read_dataset("a")) == list(read_dataset("b"))
    configs = [json.loads((folder / name / "manifest.json").read_text())["configs"]["words_64"] for name in "ab"]
    assert configs[0]["sha256"] == configs[1]["sha256"]


def test_large_configs_are_cut_into_files_and_row_groups(toys, folder, monkeypatch, hashes):
    monkeypatch.setattr(nl_tasks.plan, "SHARD_BYTES", 64 * 5 * 4)
    monkeypatch.setattr(nl_tasks.plan, "GROUP_BYTES", 64 * 5 * 3)
    generate_dataset(["toy_words"], [64], n=10, out="a")
    names = [f"words_64/test-{shard:05d}-of-00003.parquet" for shard in range(3)]
    assert sorted(hashes(folder / "a")) == ["README.md", "evidence.svg", "manifest.json", *names]
    files = [pq.ParquetFile(folder / "a" / name) for name in names]
    assert [file.metadata.num_rows for file in files] == [3, 3, 4]
    assert [files[2].metadata.row_group(group).num_rows for group in range(2)] == [3, 1]
    assert [sample.index for sample in read_dataset("a")] == list(range(10))


def test_a_later_run_adds_configs_and_changes_no_byte_of_the_others(toys, folder, hashes):
    generate_dataset(["toy_words"], [100], n=2, out="a")
    before = hashes(folder / "a")
    generate_dataset(["toy_words"], [64, 100], n=2, out="a")
    after = hashes(folder / "a")
    assert after["words_100/test-00000-of-00001.parquet"] == before["words_100/test-00000-of-00001.parquet"]
    generate_dataset(["toy_words"], [64, 100], n=2, out="b")
    assert after == hashes(folder / "b")


def test_the_same_run_again_writes_nothing(toys, folder):
    generate_dataset(["toy_words"], [64], n=2)
    stamps = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    [written] = generate_dataset(["toy_words"], [64], n=2)
    assert (written.rows, written.new_rows) == (2, 0)
    assert stamps == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_each_dataset_has_its_folder(toys, folder):
    places = [written.folder.as_posix() for written in generate_dataset(["toy_words", "toy_other"], [64], n=1)]
    assert places == ["toys/words", "toys/other"]
    places = [written.folder.as_posix() for written in generate_dataset(["toy_words", "toy_other"], [64], n=1, out="x")]
    assert places == ["x/toys/words", "x/toys/other"]


def test_a_damaged_file_is_named_and_resume_writes_it_anew(toys, folder, hashes):
    generate_dataset(["toy_words"], [64, 100], n=2, out="a")
    before = hashes(folder / "a")
    (folder / "a/words_64/test-00000-of-00001.parquet").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"words_64/test-00000-of-00001\.parquet is missing or was changed: --resume"):
        generate_dataset(["toy_words"], [64, 100], n=2, out="a")
    [written] = generate_dataset(["toy_words"], [64, 100], n=2, out="a", resume=True)
    assert written.new_rows == 2
    assert hashes(folder / "a") == before


def test_overwrite_replaces_what_cannot_stay_and_keeps_the_rest(toys, folder, hashes):
    generate_dataset(["toy_words"], [64, 100], n=2, out="a")
    (folder / "a/notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="words_64 already, with n=2 there, 3 now"):
        generate_dataset(["toy_words"], [64], n=3, out="a")
    generate_dataset(["toy_words"], [64], n=3, out="a", overwrite=True)
    assert [(sample.target_tokens, sample.index) for sample in read_dataset("a")] == [
        (64, 0), (64, 1), (64, 2), (100, 0), (100, 1),
    ]  # fmt: skip
    generate_dataset(["toy_words"], [64], n=1, seed=7, out="a", overwrite=True)
    assert sorted(hashes(folder / "a")) == [
        "README.md", "evidence.svg", "manifest.json", "notes.txt", "words_64/test-00000-of-00001.parquet",
    ]  # fmt: skip


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_task_names_the_sample_and_leaves_no_half_file(toys, folder, workers):
    task = toys.ToyWords(bad_index=3)
    with pytest.raises(RunError, match="sample toy_words/64/43/3 failed: LookupError: a toy broke"):
        generate_dataset([task], [64], n=6, out="a", workers=workers)
    assert [path.name for path in (folder / "a").rglob("*") if path.suffix in (".parquet", ".tmp")] == []


def test_a_manifest_cannot_make_overwrite_delete_elsewhere(toys, folder):
    generate_dataset(["toy_words"], [64], n=1, out="a")
    precious = folder / "precious.parquet"
    precious.write_text("mine")
    manifest = folder / "a/manifest.json"
    manifest.write_text(manifest.read_text().replace("words_64/test-00000-of-00001.parquet", "../precious.parquet"))
    with pytest.raises(ValueError, match="leads out of the dataset folder"):
        generate_dataset(["toy_words"], [64], n=2, out="a", overwrite=True)
    assert precious.exists()
