"""Where the documents come from: files in their original formats, and datasets on the Hub."""

import json

import pytest

from nl_tasks.generators import get_task, load_tokenizer
from nl_tasks.generators.qa_corpus import Found, _from_hub, unique_corpus
from nl_tasks.generators.qa_quality import read_row as quality_row
from nl_tasks.generators.qa_squad import read_file as squad_file
from nl_tasks.generators.qa_squad import read_row as squad_row
from nl_tasks.generators.qa_toefl import read_row as toefl_row

TEXT = "  Rome was not built in a day.\nIt took longer. "


def test_squad_files_and_rows_read_the_same():
    answers = [{"text": "a day", "answer_start": TEXT.index("a day")}, {"text": "one day", "answer_start": 0}]
    questions = [
        {"question": " How long? ", "answers": answers},
        {"question": "Why?", "answers": [], "is_impossible": True},
    ]
    file = json.dumps({"data": [{"paragraphs": [{"context": TEXT, "qas": questions}]}]})
    columns = {"text": ["a day", "one day"], "answer_start": [TEXT.index("a day"), 0]}
    row = {"context": TEXT, "question": " How long? ", "answers": columns}
    from_file, from_row = unique_corpus(squad_file(file)), unique_corpus(squad_row(row))
    assert from_file.sha256 == from_row.sha256
    (question,) = from_file.questions
    assert question.answers == ("a day", "one day") and question.text == "How long?"
    start, end = question.span
    assert from_file.documents == (TEXT.strip(),) and TEXT.strip()[start:end] == "a day"


def test_quality_labels_count_from_one_and_the_answers_of_its_copy_from_nought():
    row = {"article": TEXT, "question": "Q?", "options": ["w", "x", "y", "z"]}
    assert next(quality_row({**row, "gold_label": 2})).answers == ("B",)
    assert next(quality_row({**row, "answer": 1})).answers == ("B",)


def test_toefl_options_are_found_in_their_order():
    question = "Question: who  said A.B.? Options: A.plan C. now B.D. Jones C.vitamin C D.nobody "
    (found,) = toefl_row({"context": TEXT, "questions": [question], "answer": ["AC"]})
    assert found == Found(TEXT, "who  said A.B.?", ("AC",), ("plan C. now", "D. Jones", "vitamin C", "nobody"))


def test_equal_documents_become_one_and_questions_without_answers_none():
    corpus = unique_corpus([Found("a b", "q", ("x",)), Found(" a b ", "r", ("y", "y ")), Found("c", "s", ())])
    assert corpus.documents == ("a b", "c")
    assert [(q.document, q.text, q.answers) for q in corpus.questions] == [(0, "q", ("x",)), (0, "r", ("y",))]


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "holds no question"), ("{}", "not in the original format"), ("no json", "not in the original format")],
)
@pytest.mark.parametrize("name", ["qa_squad", "qa_quality", "qa_toefl"])
def test_other_formats_are_refused_in_one_line(name, text, message, tmp_path):
    if name == "qa_squad" and not text:
        text, message = '{"data": []}', "holds no question"
    file = tmp_path / "file"
    file.write_text(text)
    with pytest.raises(ValueError, match=message) as raised:
        get_task(name, source=str(file)).sample(seed=1, index=0, length=4096, tokenizer=load_tokenizer("tekken"))
    assert name in str(raised.value) and "\n" not in str(raised.value)


def test_a_source_that_is_no_file_is_named():
    with pytest.raises(ValueError, match=r"'nowhere\.json' is not a file, nor a dataset id"):
        get_task("qa_squad", source="nowhere.json").corpus  # noqa: B018
    with pytest.raises(ValueError, match="qa_toefl: source is empty"):
        get_task("qa_toefl").corpus  # noqa: B018


def test_tasks_can_be_made_and_listed_without_their_source():
    for name in ("qa_squad", "qa_quality", "qa_toefl"):
        assert get_task(name).metric in ("squad_f1", "choice")


@pytest.mark.parametrize(("name", "dataset"), [("qa_squad", "rajpurkar/squad"), ("qa_quality", "emozilla/quality")])
def test_the_default_is_a_dataset_on_the_hub(name, dataset, monkeypatch):
    asked = []
    rows = {
        "qa_squad": {"context": TEXT, "question": "Q?", "answers": {"text": ["Rome"], "answer_start": [2]}},
        "qa_quality": {"article": TEXT, "question": "Q?", "options": ["w", "x", "y", "z"], "answer": 0},
    }

    def load_dataset(path, *, split):
        asked.append((path, split))
        return [rows[name], {**rows[name], "question": "Again?"}]

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    _from_hub.cache_clear()
    try:
        assert [question.text for question in get_task(name).corpus.questions] == ["Q?", "Again?"]
        assert get_task(name).corpus is get_task(name).corpus
        assert asked == [(dataset, "validation")]
    finally:
        _from_hub.cache_clear()


def test_a_hub_out_of_reach_says_how_to_do_without(monkeypatch):
    def load_dataset(path, *, split):
        raise ConnectionError("offline\nwith details")

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    with pytest.raises(ValueError, match=r"cannot load 'me/mine' from the Hub \(offline\).*source=FILE"):
        get_task("qa_squad", source="me/mine").corpus  # noqa: B018
