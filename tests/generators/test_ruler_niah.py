import re

import pytest

from nl_tasks.generators import get_task, load_tokenizer

CODE = re.compile(r"^(?:The|One) code for ([\w-]+) is ([\w-]+)\.", re.MULTILINE)


@pytest.fixture(scope="module")
def tekken():
    return load_tokenizer("tekken")


def solve(prompt):
    """Key to its codes in the order of the text; and the keys asked for. Reads the prompt and nothing else."""
    found = {}
    for key, value in CODE.findall(prompt):
        found.setdefault(key, []).append(value)
    return found, re.findall(r"^\d+\. ([\w-]+)$", prompt.partition("<context>")[0], re.MULTILINE)


@pytest.mark.parametrize("keys", ["uuid", "words", "numbers"])
def test_a_reader_of_the_prompt_finds_every_code(keys, tekken):
    task = get_task("ruler_niah", keys=keys)
    for index in range(100):
        sample = task.sample(seed=43, index=index, length=4096, tokenizer=tekken)
        found, asked = solve(sample.prompt)
        assert len(asked) == 4
        assert all(len(values) == 1 for values in found.values())
        assert sample.answers == [f"{key}: {found[key][0]}" for key in asked]


def test_several_codes_of_a_key_are_asked_for_in_the_order_of_the_text(tekken):
    task = get_task("ruler_niah", num_queries=2, num_values=3, values="words")
    for index in range(50):
        sample = task.sample(seed=43, index=index, length=4096, tokenizer=tekken)
        found, asked = solve(sample.prompt)
        assert sample.answers == found[asked[0]] + found[asked[1]]
        assert sum(len(values) == 3 for values in found.values()) > len(found) / 2
        assert max(map(len, found.values())) == 3


@pytest.mark.parametrize("kind", ["uuid", "words", "numbers"])
@pytest.mark.parametrize("num_values", [1, 2])
def test_no_code_is_given_twice_and_none_is_a_key(kind, num_values, tekken):
    task = get_task("ruler_niah", keys=kind, values=kind, num_values=num_values)
    found, _ = solve(task.sample(seed=43, index=0, length=131072, tokenizer=tekken).prompt)
    values = [value for group in found.values() for value in group]
    assert len(values) == len(set(values)) > 1000
    assert not set(values) & set(found)


def test_needles_look_like_all_other_statements(tekken):
    sample = get_task("ruler_niah").sample(seed=43, index=0, length=8192, tokenizer=tekken)
    shapes = {re.sub(r"[a-z0-9]{8}", "x", f"{key} {value}") for key, value in CODE.findall(sample.prompt)}
    assert shapes == {"x-x-x-x x-x-x-x"}


def test_a_text_that_needs_more_codes_than_there_are_is_refused(tekken):
    with pytest.raises(ValueError, match="the kind words is good for"):
        get_task("ruler_niah", keys="words", values="words").sample(
            seed=43, index=0, length=8 * 1024**2, tokenizer=tekken
        )
