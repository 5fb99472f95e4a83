import json

import pyarrow.parquet as pq
import pytest

from nl_tasks import generate_dataset, verify_dataset
from nl_tasks.manifest import rows_hash
from nl_tasks.row_format import read_rows, write_rows

FILE = "words_64/test-00000-of-00001.parquet"


@pytest.fixture
def data(toys, folder):
    generate_dataset(["toy_words"], [64, 100], n=4, out="a")
    return folder / "a"


def failed(checks):
    return {check.name: check.problems for check in checks if check.problems}


def rewrite(data, change):
    """Change the rows of a file as somebody would who hides it: the manifest follows."""
    rows = list(read_rows(data / FILE))
    change(rows)
    written = write_rows(data / FILE, rows, file_format="parquet", group=100)
    manifest = json.loads((data / "manifest.json").read_text())
    config = manifest["configs"]["words_64"]
    config["files"][0] |= {"bytes": written.size, "sha256": written.sha256}
    config["sha256"] = rows_hash(row["sha256"] for row in rows)
    (data / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_sound_dataset_passes_every_check(data, workers):
    checks = verify_dataset(data, workers=workers)
    assert failed(checks) == {}
    assert {check.name: check.checked for check in checks} == {
        "files": 2, "configs": 2, "recipe": 8, "sha256": 8, "evidence": 8, "gold": 8, "tokens": 8, "bos": 8,
        "regenerated": 8,
    }  # fmt: skip


def test_the_slow_checks_can_be_limited_to_some_rows(data):
    checks = {check.name: check for check in verify_dataset(data, sample=1)}
    assert [checks[name].checked for name in ("gold", "tokens", "bos", "regenerated")] == [8, 2, 2, 2]
    assert checks["tokens"].note == "1 rows of each config"


CHANGES = {
    "prompt": (lambda row: row.update(prompt=row["prompt"].replace(" a a", " b a", 1)), {"sha256", "regenerated"}),
    "answer": (lambda row: row.update(answers=["7"]), {"sha256", "regenerated"}),
    "tokens": (lambda row: row.update(num_tokens=63), {"tokens", "regenerated"}),
    "evidence": (
        lambda row: row.update(evidence=[{"start": 5, "end": 5000, "role": "number"}]),
        {"evidence", "regenerated"},
    ),
    "blank evidence": (
        lambda row: row.update(evidence=[{"start": 5, "end": 6, "role": "number"}]),
        {"evidence", "regenerated"},
    ),
    "depth": (lambda row: row.update(depths=[1.5]), {"evidence", "regenerated"}),
    "lost depth": (lambda row: row.update(depths=[]), {"evidence", "regenerated"}),
    "metric": (lambda row: row.update(metric="no_such"), {"gold", "regenerated"}),
    "gold that scores nothing": (lambda row: row.update(answers=[]), {"gold", "sha256", "regenerated"}),
    "name": (lambda row: row.update(id="toy_words/64/43/9"), {"recipe", "regenerated"}),
    "seed": (lambda row: row.update(seed=7), {"recipe", "regenerated"}),
}


@pytest.mark.parametrize("change, expected", CHANGES.values(), ids=CHANGES.keys())
def test_each_change_of_a_row_is_found_and_its_row_named(data, change, expected):
    rewrite(data, lambda rows: change(rows[2]))
    problems = failed(verify_dataset(data))
    assert problems.keys() == expected
    assert all(line.startswith(f"{name}: words_64 row 2: ") for name, lines in problems.items() for line in lines)


def test_rows_in_another_order_are_found(data):
    rewrite(data, lambda rows: rows.reverse())
    assert set(failed(verify_dataset(data))) == {"recipe"}


def test_a_lost_row_is_found(data):
    rewrite(data, lambda rows: rows.pop())
    assert failed(verify_dataset(data)) == {"configs": ["configs: words_64 has 3 rows, not 4"]}


def test_two_bos_tokens_are_found(data, monkeypatch):
    from nl_tasks.generators.tokenizers import load_tokenizer

    tekken = type(load_tokenizer("tekken"))
    monkeypatch.setattr(tekken, "leading_bos", lambda self, prompt, *, chat=True: 1 + (len(prompt) > 1))
    problems = failed(verify_dataset(data, sample=1))
    assert set(problems) == {"bos"} and "would read 2 BOS tokens" in problems["bos"][0]


def test_files_that_were_changed_lost_or_added_are_named(data):
    (data / FILE).write_bytes((data / FILE).read_bytes()[:-1] + b"x")
    (data / "words_100/test-00000-of-00001.parquet").unlink()
    (data / "words_64/more.parquet").write_bytes(b"")
    problems = failed(verify_dataset(data))
    assert set(problems) == {"files", "configs"}
    assert [line.split(": ", 1)[1] for line in problems["files"]] == [
        f"{FILE} was changed: its SHA-256 is not the manifest's",
        "words_64/more.parquet is not in the manifest",
        "words_100/test-00000-of-00001.parquet is missing",
    ]


def test_equal_bytes_after_recompression_are_not_the_same_file(data):
    table = pq.read_table(data / FILE)
    pq.write_table(table, data / FILE)
    assert set(failed(verify_dataset(data))) == {"files"}


def test_another_tokenizer_is_refused_and_another_place_of_the_same_is_not(data, folder):
    manifest = data / "manifest.json"
    assert failed(verify_dataset(data, tokenizer="tekken")) == {}
    manifest.write_text(manifest.read_text().replace('"fingerprint": "', '"fingerprint": "0'))
    with pytest.raises(ValueError, match="tokenizer 'tekken' is not that of words_"):
        verify_dataset(data)


def test_rows_of_another_version_are_checked_but_not_made_anew(data, toys, monkeypatch):
    monkeypatch.setattr(toys.ToyWords, "version", "2")
    checks = {check.name: check for check in verify_dataset(data)}
    assert failed(checks.values()) == {}
    assert checks["regenerated"].checked == 0
    assert checks["regenerated"].note == "toy_words is version 1 there, 2 here"


def test_the_command_names_row_and_check_and_exits_with_1(data, cli):
    status, out, _ = cli("verify", "a", "--workers", "1")
    assert status == 0 and "regenerated" in out and "FAILED" not in out
    rewrite(data, lambda rows: rows[1].update(num_tokens=63))
    status, out, err = cli("verify", "a", "--workers", "1")
    assert (status, err) == (1, "")
    assert "tokens: words_64 row 1: 64 tokens were counted; num_tokens=63, target_tokens=64" in out
    assert cli("verify", "a", "--sample", "0")[0] == 2
