"""What scorers of earlier releases got wrong, each with the right behaviour (numbered as in the project's notes)."""

import pytest

from nl_tasks.scoring import get_scorer, summarise


def tagged(text):
    return f"<explanation>because</explanation>\n<answer>\n{text}\n</answer>"


def score(metric, text, golds):
    return get_scorer(metric)(tagged(text), golds).value


@pytest.mark.parametrize(
    ("metric", "golds", "right"),
    [("exact_match", ["Rome"], "Rome"), ("iou", ["3", "7"], "3, 7"), ("items", ["a b", "c d"], "1. a b\n2. c d")],
)
@pytest.mark.parametrize("wrong", ["I do not know.", "", None, "<answer></answer>", "<answer>never closed"])
def test_24_25_26_an_unreadable_answer_counts_as_wrong_and_as_unparsed(metric, golds, right, wrong):
    scorer = get_scorer(metric)
    scores = [scorer(tagged(right), golds), *[scorer(wrong, golds)] * 9]
    summary = summarise(scores)
    assert (summary.n, summary.mean, summary.unparsed) == (10, pytest.approx(0.1), 0.9)


def test_26_unclosed_tag_does_not_let_a_numbered_explanation_answer():
    text = "<explanation>\n1. Rome\n2. Oslo\n</explanation><answer>\n1. Rome\n2. Oslo"
    assert not get_scorer("items")(text, ["Rome", "Oslo"]).parsed


def test_27_the_last_well_formed_answer_wins():
    text = "I will write <answer></answer>, first thought <answer>Oslo</answer>.\n<answer>Rome</answer> done <answer>"
    assert get_scorer("exact_match")(text, ["Rome"]).value == 1
    assert get_scorer("exact_match")(text, ["Oslo"]).value == 0


@pytest.mark.parametrize(
    "dressed",
    [
        "Rome.", "**Rome**", "*Rome*", "`Rome`", '"Rome"', "“Rome”", "'Rome'", "1. Rome", "- Rome", "the Rome", "ROME",
        "# Rome", "__Rome__", "<Rome>", "(Rome)", "Answer: Rome", "1. **Rome**.", "**Answer:** Rome", "  Rome \n",
    ],
)  # fmt: skip
def test_28_dress_does_not_count(dressed):
    assert score("exact_match", dressed, ["Rome"]) == 1
    assert score("items", f"1. {dressed.strip()}\n2. Oslo", ["Rome", "Oslo"]) == 1


@pytest.mark.parametrize("other", ["Romes", "Rom", "It was Rome", "Rome or Oslo", "Oslo", "not Rome", "Rome, Italy"])
def test_28_content_counts(other):
    assert score("exact_match", other, ["Rome"]) == 0
    assert score("items", f"1. {other}\n2. Oslo", ["Rome", "Oslo"]) == 0.5


@pytest.mark.parametrize(
    "listed",
    [
        "1. Rome\n2. New Oslo\n3. Bern",
        "1) Rome\n2) New Oslo\n3) Bern",
        "(1) Rome\n(2) New Oslo\n(3) Bern",
        "1 - Rome\n2 - New Oslo\n3 - Bern",
        "1: Rome\n2: New Oslo\n3: Bern",
        "1 Rome\n2 New Oslo\n3 Bern",
        "**1.** Rome\n**2.** New Oslo\n**3.** Bern",
        "**1. Rome**\n**2. New Oslo**\n**3. Bern**",
        "- 1. Rome\n- 2. New Oslo\n- 3. Bern",
        "Q1: Rome\nQ2: New Oslo\nQ3: Bern",
        "Answer 1: Rome\nAnswer 2: New Oslo\nAnswer 3: Bern",
        "1. Chapter 3: Rome\n2. Chapter 9: New Oslo\n3. Chapter 12: Bern",
        "Chapter 3: Rome\nChapter 9: New Oslo\nChapter 12: Bern",
        "Rome\nNew Oslo\nBern",
        "* Rome\n* New Oslo\n* Bern",
        "Rome; New Oslo; Bern",
        "Rome, New Oslo, Bern",
        "1. Rome 2. New Oslo 3. Bern",
        "1. Rome, 2. New Oslo, 3. Bern",
        "1.\nRome\n2.\nNew Oslo\n3.\nBern",
        "1. Rome\n\n2. New Oslo\n\n3. Bern",
        "3. Bern\n2. New Oslo\n1. Rome",
        "1. Oslo\n2. New Oslo\n3. Bern\n1. Rome",
        "```\n1. Rome\n2. New Oslo\n3. Bern\n```",
        "Here are the answers:\n1. Rome\n2. New Oslo\n3. Bern\n4. Extra",
    ],
)
def test_28_lists_in_any_dress(listed):
    assert score("items", listed, ["Rome", "New Oslo", "Bern"]) == 1


@pytest.mark.parametrize(
    ("listed", "value"),
    [("1. Rome\n3. Bern", 2 / 3), ("Rome\nBern", 0), ("1. Bern\n2. New Oslo\n3. Rome", 1 / 3), ("2. New Oslo", 1 / 3)],
)
def test_28_wrong_places_are_wrong(listed, value):
    assert score("items", listed, ["Rome", "New Oslo", "Bern"]) == pytest.approx(value)


@pytest.mark.parametrize(
    "listed",
    [
        "3;7;12", "3/7/12", "3-7-12", "Chapter 3, 7, 12", "1. 3\n2. 7\n3. 12", "3, 7and12", "Chapters 3, 7 and 12.",
        "**3**, **7**, **12**", "- Chapter 3\n- Chapter 7\n- Chapter 12", "12 7 3", "{3, 7, 12}", "03, 07, 12",
        "1. Chapter 3\n2. Chapter 7\n3. Chapter 12", "3\n7\n12",
    ],
)  # fmt: skip
def test_29_numbers_by_any_separator(listed):
    assert score("iou", listed, ["3", "7", "12"]) == 1


def test_29_overlap_is_over_the_union():
    assert score("iou", "3, 7, 8", ["3", "7", "12"]) == 2 / 4
    assert score("iou", ", ".join(map(str, range(1, 101))), ["3", "7", "12"]) == 3 / 100
    assert score("iou", "none", ["3"]) == 0
    assert score("iou", "none", []) == 1
    assert not get_scorer("iou")(tagged("no idea"), ["3"]).parsed


@pytest.mark.parametrize(
    "listed",
    [
        "ABCDE, FGHIJ", "**ABCDE**, **FGHIJ**", "- ABCDE\n- FGHIJ", "ABCDE FGHIJ", "ABCDE; FGHIJ", "ABCDE and FGHIJ.",
        "1. FGHIJ\n2. ABCDE", "The variables are: ABCDE, FGHIJ", "`ABCDE`\n`FGHIJ`",
        "ABCDE (30 times), FGHIJ (30 times)",
    ],
)  # fmt: skip
def test_30_31_names_in_any_dress(listed):
    assert score("iou", listed, ["ABCDE", "FGHIJ"]) == 1


def test_31_counts_beside_words_are_dress():
    assert score("iou", "1. alpha: 30\n2. beta: 30\n3. gamma x 3", ["alpha", "beta", "gamma"]) == 1


@pytest.mark.parametrize(
    "said",
    [
        "red-fox: 123\ngrey-owl: 456", "grey-owl: 456\nred-fox: 123", "<red-fox>: <123>\n<grey-owl>: <456>",
        "**red-fox**: **123**\n**grey-owl**: **456**", "1) red-fox = 123\n2) grey-owl = 456", "1. 123\n2. 456",
        "The answer for red-fox is 123.\nThe answer for grey-owl is 456.", "`red-fox` -> `123`; `grey-owl` -> `456`",
        "red-fox: 123, grey-owl: 456", "key red-fox: value 123 and key grey-owl: value 456", "123\n456",
        "red-fox: 999\nred-fox: 123\ngrey-owl: 456",
    ],
)  # fmt: skip
def test_32_pairs_in_any_dress(said):
    assert score("pairs", said, ["red-fox: 123", "grey-owl: 456"]) == 1


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("red-fox: 456\ngrey-owl: 123", 0),
        ("red-fox: 1234\ngrey-owl: 456", 0.5),
        ("grey-owl: 456", 0.5),
        ("2. 456", 0.5),
    ],
)
def test_32_wrong_pairs_are_wrong(said, value):
    assert score("pairs", said, ["red-fox: 123", "grey-owl: 456"]) == value


@pytest.mark.parametrize(
    "said",
    [
        "B", "b", "B.", "(B)", "**B**", "B) Because", "B. The dog barked", "The correct answer is B.", "Answer: B",
        "Option B", "A dog barked, so B", "[B]", "B: A dog", "I choose B",
    ],
)  # fmt: skip
def test_33_one_letter_in_any_dress(said):
    assert score("choice", said, ["B"]) == 1
    assert get_scorer("choice")(f"<ANSWER>{said}</ANSWER>", ["C"]).value == 0


@pytest.mark.parametrize("said", ["A, C", "A and C", "AC", "A. One\nC. Three", "C, A", "(A) (C)"])
def test_33_several_letters(said):
    assert score("choice", said, ["A", "C"]) == 1
    assert score("choice", said, ["A"]) == 0


def test_34_f1_counts_tokens_as_often_as_they_come():
    assert score("squad_f1", "york new new new", ["new york"]) == pytest.approx(2 * 2 / 6)
    assert score("squad_f1", "The New York", ["new york", "Boston"]) == 1


@pytest.mark.parametrize("gold", ["to", "and", "the", "A", "!"])
def test_34_golds_of_stop_words_can_be_answered(gold):
    assert score("squad_em", gold, [gold]) == 1
    assert score("squad_f1", gold, [gold]) == 1
    assert score("squad_em", "something", [gold]) == 0


def test_35_a_summary_has_n_error_interval_and_unparsed_rate():
    scorer = get_scorer("exact_match")
    summary = summarise([scorer(tagged("Rome"), ["Rome"])] * 8 + [scorer("?", ["Rome"]), scorer(tagged("x"), ["Rome"])])
    assert (summary.n, summary.mean, summary.unparsed) == (10, 0.8, 0.1)
    assert summary.stderr == pytest.approx(0.4216 / 10**0.5, abs=1e-3)
    assert summary.low == pytest.approx(0.4902, abs=1e-4)
    assert summary.high == pytest.approx(0.9433, abs=1e-4)
