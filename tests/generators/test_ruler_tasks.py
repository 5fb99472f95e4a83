"""The contract of every RULER task: exact length, purity, pairing, balance, evidence that points at what it names."""

import re

import numpy as np
import pytest

from nl_tasks.generators import get_task, load_tokenizer, task_types
from nl_tasks.generators.sample import content_hash
from nl_tasks.gold import gold_prediction
from nl_tasks.scoring import get_scorer

RULER = sorted(name for name, cls in task_types().items() if cls.dataset == "sparse-frontier/ruler")
PAIRED = sorted(set(RULER) - {"ruler_fwe"})
BALANCED = PAIRED


@pytest.fixture(scope="module")
def tekken():
    return load_tokenizer("tekken")


@pytest.fixture(scope="module")
def bpe(tiny_llama):
    """A tokenizer of another kind: its own merges, and a chat template."""
    return load_tokenizer(tiny_llama())


def make(name, tokenizer, *, length=4096, index=7, seed=43, **knobs):
    return get_task(name, **knobs).sample(seed=seed, index=index, length=length, tokenizer=tokenizer)


@pytest.mark.parametrize("length", [4096, 5000, 8192, 131072])
@pytest.mark.parametrize("name", RULER)
def test_a_prompt_has_exactly_the_tokens_asked_for(name, length, tekken):
    sample = make(name, tekken, length=length)
    assert tekken.count_reference(sample.prompt) == sample.num_tokens == length


@pytest.mark.parametrize("style", ["chat", "plain"])
@pytest.mark.parametrize("name", RULER)
def test_other_tokenizers_count_the_same_length(name, style, bpe):
    for index in range(3):
        sample = make(name, bpe, length=8192, index=index, style=style)
        assert bpe.count_reference(sample.prompt, chat=style == "chat") == 8192


@pytest.mark.parametrize("name", RULER)
def test_every_length_works_from_the_smallest_on(name, tekken):
    task = get_task(name)
    smallest = task.smallest_length(seed=43, indices=[0], tokenizer=tekken)
    for length in range(smallest, smallest + 40):
        assert tekken.count(task.sample(seed=43, index=0, length=length, tokenizer=tekken).prompt) == length
    with pytest.raises(ValueError, match=f"smallest that works is {smallest}"):
        task.sample(seed=43, index=0, length=smallest - 1, tokenizer=tekken)


@pytest.mark.parametrize("name", RULER)
def test_a_sample_depends_on_its_names_alone(name, tekken):
    first = make(name, tekken)
    make(name, tekken, index=3)
    assert make(name, tekken) == first
    assert first.sha256 == content_hash(first.prompt, first.answers)


@pytest.mark.parametrize("name", RULER)
def test_neighbouring_seeds_share_no_sample(name, tekken):
    runs = [{make(name, tekken, seed=seed, index=index).sha256 for index in range(5)} for seed in (43, 44)]
    assert not runs[0] & runs[1]


@pytest.mark.parametrize("name", RULER)
def test_gold_is_the_same_at_every_length_and_for_every_tokenizer(name, tekken, bpe):
    short, long, other = make(name, tekken), make(name, tekken, length=65536), make(name, bpe, length=8192)
    assert short.answers == long.answers == other.answers


@pytest.mark.parametrize("name", sorted({"ruler_niah", "ruler_vt"} & set(RULER)))
def test_evidence_is_the_same_at_every_length_and_for_every_tokenizer(name, tekken, bpe):
    samples = [make(name, tekken), make(name, tekken, length=65536), make(name, bpe, length=8192)]
    texts = [[sample.prompt[span.start : span.end] for span in sample.evidence] for sample in samples]
    assert texts[0] == texts[1] == texts[2]


@pytest.mark.parametrize("style", ["chat", "plain"])
@pytest.mark.parametrize("name", RULER)
def test_gold_scores_one_and_garbage_nothing(name, style, tekken):
    sample = make(name, tekken, style=style)
    score = get_scorer(sample.metric)
    assert score(gold_prediction(sample.metric, sample.answers), sample.answers).value == 1
    for garbage in ("", "I do not know.", "<answer></answer>", sample.question):
        assert score(garbage, sample.answers).value == 0


@pytest.mark.parametrize("name", BALANCED)
def test_every_tenth_of_the_context_holds_its_share_of_the_evidence(name, tekken):
    task = get_task(name)
    depths = [
        depth
        for index in range(200)
        for depth in task.sample(seed=43, index=index, length=8192, tokenizer=tekken).depths
    ]
    shares = np.histogram(depths, bins=10, range=(0, 1))[0] / len(depths)
    assert shares.min() >= 0.08 and shares.max() <= 0.12, shares


@pytest.mark.parametrize("name", RULER)
def test_texts_are_clean(name, tekken):
    for index in range(3):
        sample = make(name, tekken, index=index)
        assert not re.search(r" {2}|\n{3}| \n|[{}]|\bNone\b|\s[.,]", sample.prompt)
        assert sample.prompt == sample.prompt.strip()
        assert sample.prompt.count(sample.question) == 2
        context = sample.prompt.partition("<context>\n")[2].partition("\n</context>")[0]
        assert context == context.strip()
        assert context.isascii()


@pytest.mark.parametrize("name", RULER)
def test_gold_is_named_nowhere_but_in_the_context(name, tekken):
    for index in range(20):
        sample = make(name, tekken, index=index)
        before, _, rest = sample.prompt.partition("<context>")
        outside = before + rest.partition("</context>")[2]
        for answer in sample.answers:
            assert not re.search(rf"\b{re.escape(answer.split(': ')[-1])}\b", outside)


@pytest.mark.parametrize("name", RULER)
def test_values_out_of_range_are_named(name):
    with pytest.raises(ValueError, match="style='loud' is out of range"):
        get_task(name, style="loud")
