import re

import pytest

from nl_tasks.generators import get_task, load_tokenizer

ASSIGNED = re.compile(r"\bLet ([A-Z]{5}) be (?:equal to ([A-Z]{5})|(\d{5}))\.")


@pytest.fixture(scope="module")
def tekken():
    return load_tokenizer("tekken")


def values_of(prompt):
    """Variable to value, reading the text once from beginning to end: no variable may be used before it has one."""
    values = {}
    for name, other, number in ASSIGNED.findall(prompt):
        assert name not in values
        values[name] = number or values[other]
    return values


@pytest.mark.parametrize("knobs", [{}, {"num_chains": 3, "num_hops": 10}, {"tokens_per_chain": 256}], ids=str)
def test_one_reading_of_the_prompt_gives_the_answer(knobs, tekken):
    task = get_task("ruler_vt", **knobs)
    for index in range(300 if not knobs else 30):
        sample = task.sample(seed=43, index=index, length=4096, tokenizer=tekken)
        asked = re.search(r"have the value (\d+)", sample.question)[1]
        values = values_of(sample.prompt)
        assert {name for name, value in values.items() if value == asked} == set(sample.answers)
        assert len(sample.answers) == task.num_hops + 1


def test_the_number_of_chains_may_grow_with_the_length(tekken):
    def chains(task, length):
        return len(set(values_of(task.sample(seed=43, index=0, length=length, tokenizer=tekken).prompt).values()))

    assert [chains(get_task("ruler_vt"), length) for length in (4096, 65536)] == [8, 8]
    growing = get_task("ruler_vt", tokens_per_chain=1024)
    assert [chains(growing, length) for length in (4096, 16384, 65536)] == [8, 16, 64]


def test_the_first_chains_stay_the_same_when_others_are_added(tekken):
    task = get_task("ruler_vt", tokens_per_chain=8192)
    short, long = (task.sample(seed=43, index=0, length=length, tokenizer=tekken) for length in (4096, 131072))
    assert short.answers == long.answers
    assert set(values_of(short.prompt).items()) < set(values_of(long.prompt).items())


def test_hardly_any_sentence_comes_twice(tekken):
    prompt = get_task("ruler_vt").sample(seed=43, index=0, length=131072, tokenizer=tekken).prompt
    sentences = re.findall(r"[A-Z][^.]*\.", ASSIGNED.sub("", prompt))
    assert len(set(sentences)) > 0.99 * len(sentences) > 5000


def test_a_guesser_of_variables_scores_little(tekken):
    shares = []
    for index in range(100):
        sample = get_task("ruler_vt").sample(seed=43, index=index, length=4096, tokenizer=tekken)
        first = set(list(values_of(sample.prompt))[:5])
        shares.append(len(first & set(sample.answers)) / len(first | set(sample.answers)))
    assert sum(shares) / len(shares) < 0.12  # five of forty by chance share 0.07


@pytest.mark.parametrize("knobs", [{"num_hops": 0}, {"num_chains": 0}, {"tokens_per_chain": 10}], ids=str)
def test_knobs_out_of_range_are_named(knobs):
    with pytest.raises(ValueError, match=next(iter(knobs))):
        get_task("ruler_vt", **knobs)
