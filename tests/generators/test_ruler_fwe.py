import re
from collections import Counter

import pytest

from nl_tasks.generators import get_task, load_tokenizer


@pytest.fixture(scope="module")
def tekken():
    return load_tokenizer("tekken")


def counted(prompt):
    context = prompt.partition("<context>\n")[2].partition("\n</context>")[0]
    return Counter(re.findall(r"[a-z]+", context)).most_common()


@pytest.mark.parametrize("knobs", [{}, {"alpha": 1.5}, {"num_words": 8}], ids=str)
def test_counting_the_words_of_the_prompt_gives_the_answer(knobs, tekken):
    task = get_task("ruler_fwe", **knobs)
    for index in range(300 if not knobs else 30):
        sample = task.sample(seed=43, index=index, length=8192, tokenizer=tekken)
        counts = counted(sample.prompt)
        asked = task.num_words
        assert [word for word, _ in counts[:asked]] == sample.answers
        assert counts[asked - 1][1] >= counts[asked][1] + 3


@pytest.mark.parametrize("length", [16384, 131072])
def test_frequency_falls_with_rank_as_alpha_says(length, tekken):
    for alpha in (1.5, 2.0, 3.0):
        sample = get_task("ruler_fwe", alpha=alpha).sample(seed=43, index=0, length=length, tokenizer=tekken)
        counts = [count for _, count in counted(sample.prompt)]
        for rank in (2, 3, 5):
            assert counts[rank - 1] == pytest.approx(counts[0] / rank**alpha, abs=1)


def test_the_smallest_text_still_sets_the_words_apart(tekken):
    task = get_task("ruler_fwe")
    for index in range(20):
        smallest = task.smallest_length(seed=43, indices=[index], tokenizer=tekken)
        counts = counted(task.sample(seed=43, index=index, length=smallest, tokenizer=tekken).prompt)
        assert counts[2][1] >= counts[3][1] + 3


def test_the_whole_context_is_the_evidence(tekken):
    sample = get_task("ruler_fwe").sample(seed=43, index=0, length=4096, tokenizer=tekken)
    (span,) = sample.evidence
    assert sample.prompt[: span.start].endswith("<context>\n")
    assert sample.prompt[span.end :].startswith("\n</context>")


def test_a_guesser_of_words_of_the_text_scores_little(tekken):
    shares = []
    for index in range(50):
        sample = get_task("ruler_fwe").sample(seed=43, index=index, length=16384, tokenizer=tekken)
        guessed = {word for word, _ in sorted(counted(sample.prompt))[:3]}  # any words: the first by the alphabet
        shares.append(len(guessed & set(sample.answers)) / 3)
    assert sum(shares) / len(shares) < 0.1


@pytest.mark.parametrize("knobs", [{"num_words": 0}, {"alpha": 1.0}], ids=str)
def test_knobs_out_of_range_are_named(knobs):
    with pytest.raises(ValueError, match=next(iter(knobs))):
        get_task("ruler_fwe", **knobs)
