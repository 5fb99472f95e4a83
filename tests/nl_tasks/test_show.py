import io

import pytest
from rich.console import Console

from nl_tasks import generate_dataset, read_dataset
from nl_tasks.generators.sample import Evidence
from nl_tasks.show import find_sample, marked_prompt


@pytest.fixture
def data(toys, folder):
    generate_dataset(["toy_words"], [64, 2048], n=3, out="a")
    return folder / "a"


def test_evidence_is_marked_and_the_rest_left_out(data):
    sample = find_sample(data, config="words_2k", index=1)
    text = marked_prompt(sample).plain
    span = sample.evidence[0]
    assert f"[[{sample.prompt[span.start : span.end]}]](number)" in text
    assert "characters ...]" in text and len(text) < len(sample.prompt)
    assert text.startswith(sample.prompt[:100]) and text.endswith(sample.prompt[-100:])


def test_nothing_is_left_out_if_asked_for(data):
    sample = find_sample(data, config="words_2k")
    assert marked_prompt(sample, full=True).plain.replace("[[", "").replace("]](number)", "") == sample.prompt


def test_evidence_within_evidence_is_marked_once(data):
    sample = find_sample(data)
    span = sample.evidence[0]
    sample.evidence.append(Evidence(span.start + 2, span.end - 2, "inner"))
    assert marked_prompt(sample, full=True).plain.count("[[") == 1


def test_rows_are_found_by_config_and_index(data):
    rows = list(read_dataset(data, "words_2k"))
    assert find_sample(data, config="words_2k", index=2) == rows[2]
    assert find_sample(data / "words_2k/test-00000-of-00001.parquet", index=1) == rows[1]


def test_rows_that_are_not_there_are_refused(data):
    for index in (3, -1):
        with pytest.raises(ValueError, match=rf"has no row {index} in words_64: its 3 rows are counted from 0"):
            find_sample(data, index=index)
    with pytest.raises(ValueError, match="has no config 'words_1k': it has words_64, words_2k"):
        find_sample(data, config="words_1k")


@pytest.mark.parametrize("name", ["rows.parquet", "rows.jsonl"])
def test_files_that_hold_something_else_are_refused(folder, name):
    (folder / name).write_bytes(b"\xff\xfe not rows")
    with pytest.raises(ValueError, match=f"{name} cannot be read as"):
        find_sample(folder / name)


def test_the_command_says_what_the_sample_is(data, cli):
    status, out, _ = cli("show", "a", "--config", "words_2k", "--index", "1")
    assert status == 0
    for part in ("toy_words/2048/43/1 (version 1)", "2048 (tekken)", "Which number is it?", "number at 0.", "[["):
        assert part in out
    assert cli("show", "a", "--full")[1].count("characters ...]") == 0


def test_markup_in_a_prompt_is_text(data):
    sample = find_sample(data)
    object.__setattr__(sample, "prompt", "[bold]" + sample.prompt)
    console = Console(record=True, width=200, file=io.StringIO())
    console.print(marked_prompt(sample, full=True))
    assert console.export_text().startswith("[bold]")
