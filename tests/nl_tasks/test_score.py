import json

import pytest

from nl_tasks import generate_dataset, read_dataset, score_predictions
from nl_tasks.gold import gold_prediction


@pytest.fixture
def data(toys, folder):
    generate_dataset([toys.ToyWords(), toys.ToyOther()], [64, 100], n=5, out="a")
    return folder / "a/toys/words"


def golds(data):
    return [{"id": each.id, "prediction": gold_prediction(each.metric, each.answers)} for each in read_dataset(data)]


@pytest.fixture
def predict(folder):
    def write(lines):
        path = folder / "predictions.jsonl"
        path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
        return path

    return write


def test_gold_scores_1_everywhere(data, predict):
    report = score_predictions(predict(golds(data)), data)
    assert (report.total.n, report.total.mean, report.total.unparsed, report.missing) == (10, 1, 0, 0)
    assert {name: summary.n for name, summary in report.by_config.items()} == {"words_64": 5, "words_100": 5}
    assert set(report.breakdowns) == {"length", "depth"}
    assert sum(summary.n for summary in report.breakdowns["depth"].values()) == 10


def test_wrong_and_unreadable_answers_count_as_wrong(data, predict):
    lines = golds(data)
    lines[0]["prediction"] = "<answer>1001</answer>"
    lines[5] |= {"prediction": "I cannot say."}
    lines[6] |= {"prediction": None}
    report = score_predictions(predict(lines), data)
    assert report.by_config["words_64"].mean == 0.8
    assert report.by_config["words_100"].mean == 0.6
    assert report.total.unparsed == 0.2
    assert report.breakdowns["length"]["64"].mean == 0.8


def test_a_file_that_is_no_text_is_named(data, folder):
    (folder / "predictions.jsonl").write_bytes(b"\x82\x00")
    with pytest.raises(ValueError, match=r"predictions\.jsonl is not text: give lines of"):
        score_predictions(folder / "predictions.jsonl", data)


def test_depths_come_in_order_and_by_where_the_evidence_is(data, predict):
    report = score_predictions(predict(golds(data)), data)
    bins = list(report.breakdowns["depth"])
    assert bins == sorted(bins) and set(bins) <= {"0.0-0.2", "0.2-0.4", "0.4-0.6", "0.6-0.8", "0.8-1.0"}
    first = next(sample for sample in report.samples if sample.depth < 0.2)
    assert first.depth == next(row.depths[0] for row in read_dataset(data) if row.id == first.id)


def test_knobs_that_differ_have_a_breakdown(toys, folder, predict):
    generate_dataset([toys.ToyWords(colour="blue"), toys.ToyShort()], [64], n=2, out="a")
    report = score_predictions(predict(golds(folder / "a")), "a")
    assert {name: summary.n for name, summary in report.breakdowns["colour"].items()} == {'"blue"': 2, '"red"': 2}
    assert "pause" not in report.breakdowns


def test_a_single_file_can_be_the_gold(data, predict):
    path = data / "words_64/test-00000-of-00001.parquet"
    report = score_predictions(predict(golds(path)), path)
    assert list(report.by_config) == ["words_64"]


WRONG = {
    "no JSON": (lambda lines: lines.__setitem__(2, "nonsense\n"), r'line 3 is not \{"id": \.\.\., "prediction"'),
    "a list": (lambda lines: lines.__setitem__(2, "[1]\n"), r"line 3 is not"),
    "no prediction": (lambda lines: lines[2].pop("prediction"), r"line 3 is not"),
    "a number": (lambda lines: lines[2].update(prediction=3), r"line 3: id and prediction must be text"),
    "given twice": (lambda lines: lines.append(lines[0]), r"line 11: a second prediction for toy_words/64/43/0"),
    "unknown": (
        lambda lines: lines.append({"id": "toy_words/64/43/99", "prediction": ""}),
        r"1 prediction \(toy_words/64/43/99\) for samples that .* does not hold",
    ),
    "missing": (lambda lines: lines.pop(3), r"1 sample \(toy_words/64/43/3\) of .* without a prediction .--allow-miss"),
    "many missing": (
        lambda lines: lines.__delitem__(slice(0, 4)),
        r"4 samples \(toy_words/64/43/0, toy_words/64/43/1, toy_words/64/43/2, \.\.\.\)",
    ),
    "none": (lambda lines: lines.clear(), r"holds no prediction for a sample of"),
}


@pytest.mark.parametrize("change, complaint", WRONG.values(), ids=WRONG.keys())
def test_predictions_that_are_not_in_order_are_refused(data, predict, change, complaint):
    lines = golds(data)
    change(lines)
    with pytest.raises(ValueError, match=complaint):
        score_predictions(predict(lines), data)


def test_missing_predictions_can_be_left_out_and_are_counted(data, predict):
    lines = golds(data)
    report = score_predictions(predict([*lines[:3], "\n", *lines[4:]]), data, allow_missing=True)
    assert (report.missing, report.total.n, report.total.mean) == (1, 9, 1)


def test_samples_for_several_tokenizers_are_scored_for_the_one_named(toys, folder, predict):
    generate_dataset(["toy_words"], [64], n=2, tokenizer=["tekken", "other=tekken"], out="a")
    manifest = json.loads((folder / "a/manifest.json").read_text())
    assert list(manifest["configs"]) == ["words_64", "words_64_other"]
    rows = [row.row() | {"tokenizer": "other"} for row in read_dataset("a", "words_64_other")]
    path = folder / "a" / manifest["configs"]["words_64_other"]["files"][0]["path"]
    from nl_tasks.row_format import write_rows

    write_rows(path, rows, file_format="parquet", group=10)
    predictions = predict(golds(folder / "a")[:2])
    with pytest.raises(ValueError, match=r"several tokenizers: choose one by --tokenizer tekken\|other"):
        score_predictions(predictions, "a")
    assert list(score_predictions(predictions, "a", tokenizer="other").by_config) == ["words_64_other"]
    with pytest.raises(ValueError, match="holds no samples for tokenizer 'bert': there are tekken, other"):
        score_predictions(predictions, "a", tokenizer="bert")


def test_the_command_prints_tables_or_json(data, predict, cli):
    predictions = predict(golds(data))
    status, out, err = cli("score", predictions, "--data", "a/toys/words")
    assert (status, err) == (0, "")
    assert "words_64" in out and "1.000" in out and "unparsed" in out and "0.0%" in out and "std. error" in out
    status, out, _ = cli("score", predictions, "--data", "a/toys/words", "--json")
    assert status == 0 and json.loads(out)["configs"]["words_64"]["n"] == 5
    status, out, err = cli("score", predict(golds(data)[1:]), "--data", "a/toys/words")
    assert (status, out) == (2, "") and err.count("\n") == 1
    status, out, _ = cli("score", predict(golds(data)[1:]), "--data", "a/toys/words", "--allow-missing")
    assert status == 0 and "1 samples without a prediction" in " ".join(out.split())
