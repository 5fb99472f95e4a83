"""What holds of every metric and any text."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nl_tasks.scoring import Score, breakdown, get_scorer, scorers, summarise

GOLDS = {
    "exact_match": ["a carved oak flask"],
    "items": ["Duskwick Forge", "Theresa Wolfman", "carved oak flask"],
    "iou": ["3", "17", "120"],
    "choice": ["A", "C"],
    "squad_em": ["the Eiffel Tower", "Eiffel Tower, Paris"],
    "squad_f1": ["the Eiffel Tower"],
    "pairs": ["red-fox: 123-45", "grey-owl: 67"],
}
WORDS = {
    "exact_match": lambda golds: golds[0],
    "items": lambda golds: "\n".join(f"{n}. {gold}" for n, gold in enumerate(golds, 1)),
    "iou": ", ".join,
    "choice": ", ".join,
    "squad_em": lambda golds: golds[0],
    "squad_f1": lambda golds: golds[0],
    "pairs": "\n".join,
}
METRICS = sorted(GOLDS)
relaxed = settings(derandomize=True, deadline=None, max_examples=200)


def test_every_metric_is_covered():
    assert sorted({name.removesuffix(":plain") for name in scorers()}) == METRICS


@pytest.mark.parametrize("metric", METRICS)
@given(text=st.text() | st.text(alphabet="<>/answer 123.:,;AB\n*"))
@relaxed
def test_scorers_are_total(metric, text):
    for name in (metric, f"{metric}:plain"):
        for prediction in (text, f"<answer>{text}</answer>"):
            score = get_scorer(name)(prediction, GOLDS[metric])
            assert 0 <= score.value <= 1
            assert score.parsed or score.value == 0


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("nothing", ["", None, " \n", "<answer> </answer>", "</answer><answer>", "```\n```"])
def test_nothing_scores_nothing(metric, nothing):
    assert get_scorer(metric)(nothing, GOLDS[metric]) == Score(0.0, False, "")


@pytest.mark.parametrize("metric", METRICS)
def test_gold_scores_one_tagged_and_plain(metric):
    said = WORDS[metric](GOLDS[metric])
    assert (
        get_scorer(metric)(
            f"<think>hm</think><explanation>so</explanation><answer>{said}</answer>", GOLDS[metric]
        ).value
        == 1
    )
    assert get_scorer(f"{metric}:plain")(f" {said}\n\nQuestion: another one? It goes on.", GOLDS[metric]).value == 1


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dress", ["```\n{}\n```", "\n\n{}\n\n", "{}\n", "\t{} "])
def test_dress_around_the_answer_changes_nothing(metric, dress):
    said = dress.format(WORDS[metric](GOLDS[metric]))
    for tags in (
        "<answer>{}</answer>",
        "<ANSWER >{}</ Answer>",
        '<answer type="final">{}</answer>',
        "**<answer>**{}</answer>",
    ):
        if "**" not in tags:
            assert get_scorer(metric)(tags.format(said), GOLDS[metric]).value == 1


name = st.from_regex(r"[A-Za-z]{2,8}( [A-Za-z]{2,8}){0,2}", fullmatch=True)


@given(golds=st.lists(name, min_size=1, max_size=20))
@relaxed
def test_any_gold_list_scores_one_and_a_changed_letter_less(golds):
    said = WORDS["items"](golds)
    assert get_scorer("items")(f"<answer>{said}</answer>", golds).value == 1
    changed = WORDS["items"]([golds[0] + "q", *golds[1:]])
    assert get_scorer("items")(f"<answer>{changed}</answer>", golds).value < 1


@given(golds=st.sets(st.integers(0, 10**6), min_size=1, max_size=30), other=st.integers(0, 10**6))
@relaxed
def test_sets_of_numbers(golds, other):
    texts = [str(number) for number in sorted(golds)]
    scorer = get_scorer("iou")
    assert scorer(f"<answer>{'; '.join(texts)}</answer>", texts).value == 1
    if other not in golds:
        assert scorer(f"<answer>{'; '.join([*texts, str(other)])}</answer>", texts).value == len(texts) / (
            len(texts) + 1
        )


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    "giant",
    ["<answer", "<answer>", "1. a\n", "a" * 100, "( ", "key: ", "*_", "  ", "the ", "1" * 50, "a: a ", "\n", "A, "],
)
def test_a_giant_answer_takes_moments(metric, giant):
    """By the processor's time: 100,000 characters in linear time take tens of milliseconds, in square time minutes."""
    text = giant * (100_000 // len(giant))
    for prediction in (text, f"<answer>{text}</answer>"):
        for which in (metric, f"{metric}:plain"):
            began = time.process_time()
            get_scorer(which)(prediction, GOLDS[metric])
            assert time.process_time() - began < 2


def test_listing_everything_does_not_pay():
    everything = ", ".join(map(str, range(1, 201)))
    assert get_scorer("iou")(f"<answer>{everything}</answer>", ["3", "5"]).value == 0.01


def test_an_echo_of_the_prompt_is_no_answer():
    form = "Explain, then answer in this form:\n<answer>\n1. answer to question 1\n2. answer to question 2\n</answer>"
    assert get_scorer("items")(form, ["Rome", "Oslo"]).value == 0


def test_plain_lists_end_where_the_model_goes_on():
    said = " 1. Rome\n2. Oslo\n\n1. Bern\n2. Bern\n"
    assert get_scorer("items:plain")(said, ["Rome", "Oslo"]).value == 1
    assert get_scorer("items:plain")("Rome\nOslo\n\nBern\n", ["Rome", "Oslo"]).value == 1
    assert get_scorer("exact_match:plain")("Rome\nOslo", ["Rome"]).value == 1


def test_unknown_metrics_name_their_neighbours():
    with pytest.raises(ValueError, match="exact_match"):
        get_scorer("exact_macth")


def test_malformed_golds_are_an_error():
    with pytest.raises(ValueError, match="key: value"):
        get_scorer("pairs")("<answer>x</answer>", ["no colon"])


# Statistics


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (1, 1, 0.2065, 1.0),
        (95, 100, 0.8882, 0.9785),
    ],
)
def test_wilson_by_known_values(right, n, low, high):
    summary = summarise([Score(1.0, True, "")] * right + [Score(0.0, True, "")] * (n - right))
    assert (summary.low, summary.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_bootstrap_covers_the_true_mean_about_as_often_as_it_says():
    draw = np.random.Generator(np.random.Philox(key=7))
    hits = 0
    for _ in range(300):
        summary = summarise([Score(float(value), True, "") for value in draw.integers(0, 5, 60) / 4])
        hits += summary.low <= 0.5 <= summary.high
    assert 0.90 <= hits / 300 <= 0.98


def test_bootstrap_is_the_same_every_time_and_one_score_proves_nothing():
    scores = [Score(value, True, "") for value in (0.25, 0.5, 1.0)]
    assert summarise(scores) == summarise(scores)
    single = summarise([Score(0.5, True, "")])
    assert (single.low, single.high, single.stderr) == (0.0, 1.0, None)
    with pytest.raises(ValueError, match="at least one"):
        summarise([])


def test_breakdown_groups_in_order_of_appearance():
    scores = [Score(1.0, True, ""), Score(0.0, True, ""), Score(0.0, False, "")]
    groups = breakdown(scores, ["8k", "4k", "8k"])
    assert list(groups) == ["8k", "4k"]
    assert (groups["8k"].mean, groups["8k"].unparsed, groups["4k"].n) == (0.5, 0.5, 1)
