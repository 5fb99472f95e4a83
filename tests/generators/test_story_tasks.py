"""The contract of every story task: exact length, purity, pairing, evidence that points at what it names."""

import pytest

from nl_tasks.generators import get_task, load_tokenizer
from nl_tasks.generators.sample import content_hash

STORIES = ("story_retrieval", "story_multihop", "story_filtering")
SHORT = {"story_retrieval": {"num_queries": 4}}


@pytest.fixture(scope="module")
def tekken():
    return load_tokenizer("tekken")


def make(name, tokenizer, *, length=4096, index=7, seed=43, **knobs):
    task = get_task(name, **{**SHORT.get(name, {}), **knobs})
    return task.sample(seed=seed, index=index, length=length, tokenizer=tokenizer)


@pytest.mark.parametrize("length", [4096, 5000, 16384, 131072])
@pytest.mark.parametrize("name", STORIES)
def test_a_prompt_has_exactly_the_tokens_asked_for(name, length, tekken):
    sample = make(name, tekken, length=length)
    assert tekken.count_reference(sample.prompt) == sample.num_tokens == length


@pytest.mark.parametrize("name", STORIES)
def test_a_sample_depends_on_its_names_alone(name, tekken):
    first = make(name, tekken)
    make(name, tekken, index=3)
    assert make(name, tekken) == first
    assert first.sha256 == content_hash(first.prompt, first.answers)


@pytest.mark.parametrize("name", STORIES)
def test_neighbouring_seeds_share_no_sample(name, tekken):
    runs = [{make(name, tekken, seed=seed, index=index).sha256 for index in range(5)} for seed in (43, 44)]
    assert not runs[0] & runs[1]


@pytest.mark.parametrize("name", ["story_retrieval", "story_multihop"])
def test_gold_and_evidence_are_the_same_at_every_length(name, tekken):
    short, long = make(name, tekken, length=8192), make(name, tekken, length=65536)
    assert short.answers == long.answers
    texts = [[sample.prompt[span.start : span.end] for span in sample.evidence] for sample in (short, long)]
    assert texts[0] == texts[1]


def test_a_length_too_short_names_the_smallest_that_works(tekken):
    task = get_task("story_retrieval", num_queries=16)
    smallest = task.smallest_length(seed=43, indices=[0], tokenizer=tekken)
    with pytest.raises(ValueError, match=f"smallest that works is {smallest}"):
        task.sample(seed=43, index=0, length=smallest - 1, tokenizer=tekken)
    assert task.sample(seed=43, index=0, length=smallest, tokenizer=tekken).num_tokens == smallest


@pytest.mark.parametrize("hops", [1, 2, 3, 4])
def test_multihop_evidence_names_the_gold(hops, tekken):
    sample = make("story_multihop", tekken, hops=hops)
    last = [sample.prompt[span.start : span.end] for span in sample.evidence if span.role == f"hop {hops}"]
    assert any(sample.answers[0] in text for text in last)
