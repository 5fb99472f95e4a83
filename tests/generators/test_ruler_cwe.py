import re
from collections import Counter

import pytest

from nl_tasks.generators import get_task, load_tokenizer

ENTRY = re.compile(r"^(\d+)\. ([a-z]+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def tekken():
    return load_tokenizer("tekken")


def listed(sample):
    entries = ENTRY.findall(sample.prompt)
    assert [int(number) for number, _ in entries] == list(range(1, len(entries) + 1))
    return [word for _, word in entries]


@pytest.fixture(scope="module")
def samples(tekken):
    task = get_task("ruler_cwe")
    return [task.sample(seed=43, index=index, length=4096, tokenizer=tekken) for index in range(300)]


def test_counting_the_words_of_the_prompt_gives_the_answer(samples):
    for sample in samples:
        counts = Counter(listed(sample))
        assert [count for _, count in counts.most_common(11)] == [30] * 10 + [3]
        assert {word for word, _ in counts.most_common(10)} == set(sample.answers)
        assert sum(count < 3 for count in counts.values()) < 16


def test_no_two_samples_share_the_places_of_the_common_words(tekken):
    task, places = get_task("ruler_cwe"), []
    for index in range(100):
        sample = task.sample(seed=43, index=index, length=16384, tokenizer=tekken)
        golds = set(sample.answers)
        places.append(frozenset(number for number, word in enumerate(listed(sample)) if word in golds))
    assert len(set(places)) == 100
    shared = [len(a & b) / 300 for number, a in enumerate(places) for b in places[:number]]
    assert max(shared) < 0.25  # one entry in eight is a common word


def test_evidence_names_every_occurrence(samples):
    for sample in samples[:20]:
        spans = Counter(sample.prompt[span.start : span.end] for span in sample.evidence)
        assert spans == dict.fromkeys(sample.answers, 30)
        assert {span.role for span in sample.evidence} == {f"word {number}" for number in range(1, 11)}


def test_other_words_grow_with_the_length_and_common_ones_do_not(tekken):
    long = get_task("ruler_cwe").sample(seed=43, index=0, length=131072, tokenizer=tekken)
    counts = Counter(listed(long))
    assert sorted(counts.values(), reverse=True)[:11] == [30] * 10 + [3]
    assert len(counts) > 4000


def test_a_guesser_of_listed_words_scores_little(tekken):
    shares = []
    for index in range(50):
        sample = get_task("ruler_cwe").sample(seed=43, index=index, length=32768, tokenizer=tekken)
        guessed = set(list(dict.fromkeys(listed(sample)))[:10])
        shares.append(len(guessed & set(sample.answers)) / len(guessed | set(sample.answers)))
    assert sum(shares) / len(shares) < 0.1


def test_a_gap_that_no_words_close_makes_the_list_shorter(tekken):
    # With numbers of six digits the words at the end cost 20 to 25 tokens, 30 to 36, 41 to 47 ...: none sum to 50 or 71
    sample = get_task("ruler_cwe").sample(seed=43, index=10, length=1024**2, tokenizer=tekken)
    assert tekken.count(sample.prompt) == 1024**2


def test_a_list_that_needs_more_words_than_there_are_names_the_longest(tekken):
    task = get_task("ruler_cwe", others=1, common=2, num_words=1)
    with pytest.raises(ValueError, match=r"longest that works is \d+") as raised:
        task.sample(seed=43, index=0, length=8 * 1024**2, tokenizer=tekken)
    longest = int(re.search(r"longest that works is (\d+)", str(raised.value))[1])
    assert tekken.count(task.sample(seed=43, index=0, length=longest, tokenizer=tekken).prompt) == longest
    with pytest.raises(ValueError, match=f"longest that works is {longest}"):
        task.sample(seed=43, index=0, length=longest + 1, tokenizer=tekken)


@pytest.mark.parametrize("knobs", [{"num_words": 0}, {"common": 1}, {"others": 30}], ids=str)
def test_knobs_out_of_range_are_named(knobs):
    with pytest.raises(ValueError, match=next(iter(knobs))):
        get_task("ruler_cwe", **knobs)
