"""A thousand stories read and answered from their text alone: the gold is right, and the story holds together."""

import re

import pytest

from nl_tasks.generators import get_task, load_tokenizer

# Most lengths are short, for speed; what can go wrong with chapters in order goes wrong there as well.
LENGTHS = (*[2048] * 4, 2500, 3000, *[4096] * 4, 5555, *[6000] * 4, *[8192] * 3, 16384, 65536)
EACH = 42
CASES = [
    ("story_retrieval", {"num_queries": 1}),
    ("story_retrieval", {"num_queries": 3, "ask_by": "relation"}),
    ("story_retrieval", {"num_queries": 4}),
    ("story_retrieval", {"num_queries": 4, "ask_by": "relation", "trade_density": 0.0}),
    ("story_retrieval", {"num_queries": 4, "trade_density": 1.0, "protagonist": "Mary Ann"}),
    ("story_retrieval", {"num_queries": 5, "ask_by": "relation", "trade_density": 0.3, "style": "plain"}),
    ("story_retrieval", {}),
    ("story_retrieval", {"ask_by": "relation"}),
    ("story_multihop", {}),
    ("story_multihop", {"max_gap": 0}),
    ("story_multihop", {"max_gap": 4, "trade_density": 0.1}),
    ("story_multihop", {"max_gap": 1, "trade_density": 1.0, "style": "plain"}),
    ("story_multihop", {"trade_density": 0.0}),
    ("story_multihop", {"hops": 2}),
    ("story_multihop", {"hops": 2, "max_gap": 2, "trade_density": 0.9, "protagonist": "Ada"}),
    ("story_multihop", {"hops": 3, "max_gap": 1}),
    ("story_multihop", {"hops": 3, "style": "plain", "protagonist": "Jean Luc Marie"}),
    ("story_multihop", {"hops": 4, "max_gap": 0}),
    ("story_multihop", {"hops": 4, "max_gap": 2}),
    ("story_filtering", {}),
    ("story_filtering", {"num_chapters": 1, "protagonist": "Rosalind"}),
    ("story_filtering", {"num_chapters": 5, "mode": "list"}),
    ("story_filtering", {"num_chapters": 4, "mode": "count", "style": "plain"}),
    ("story_filtering", {"mode": "list", "style": "plain", "protagonist": "Mary Ann"}),
]


@pytest.fixture(scope="module")
def tekken():
    return load_tokenizer("tekken")


def samples(name, knobs, tokenizer, count=EACH):
    """Samples 0, 1, ... at lengths in turn, each raised to what its knobs need."""
    task = get_task(name, **knobs)
    for index in range(count):
        # Every case meets every length, but at other numbers.
        length = LENGTHS[(index + 5 * len(str(knobs))) % len(LENGTHS)]
        length = max(length, task.smallest_length(seed=11, indices=[index], tokenizer=tokenizer))
        yield task.sample(seed=11, index=index, length=length, tokenizer=tokenizer)


def check_trades(story):
    """Nothing is bought twice; what is sold was bought in an earlier chapter, and not sold since."""
    owned, ever = set(), set()
    for chapter in story.chapters:
        for item in chapter.sold:
            assert item in owned, f"chapter {chapter.number} sells the {item}"
            owned.remove(item)
        if chapter.bought:
            assert chapter.bought not in ever, f"chapter {chapter.number} buys the {chapter.bought} again"
            owned.add(chapter.bought)
            ever.add(chapter.bought)


def test_the_cases_are_a_thousand():
    assert len(CASES) * EACH >= 1000


@pytest.mark.parametrize(("name", "knobs"), CASES, ids=[f"{n}-{'-'.join(map(str, k.values()))}" for n, k in CASES])
def test_the_text_alone_gives_the_gold(name, knobs, tekken, read_story):
    for sample in samples(name, knobs, tekken):
        story = read_story(sample.prompt)
        assert story.answers() == sample.answers, sample.id
        assert story.question == sample.question
        assert story.hero == knobs.get("protagonist", "Tamsin")
        check_trades(story)


PURCHASE, SALE = r"Tamsin bought an? [^.]+\.", r"(?<=\. )Tamsin sold the [^.]+\."
FLAWS = {
    "a purchase undone": (PURCHASE, "Tamsin looked around.", "exactly 3 chapters, but they are"),
    "a purchase in other words": (PURCHASE, "Tamsin bought bread.", "is this a purchase"),
    "two purchases": (PURCHASE, r"\g<0> \g<0>", "more than one purchase"),
    "a number twice": (r"Chapter 2\.", "Chapter 3.", "not numbered from 1"),
    "a sale twice": (SALE, r"\g<0> \g<0>", "sells the"),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_broken_story_is_noticed(flaw, tekken, read_story):
    pattern, instead, complaint = FLAWS[flaw]
    sample = get_task("story_filtering").sample(seed=1, index=2, length=16384, tokenizer=tekken)
    before, context = sample.prompt.split("<context>")
    broken, count = re.subn(pattern, instead, context, count=1)
    assert count == 1
    with pytest.raises((ValueError, AssertionError), match=complaint):
        story = read_story(f"{before}<context>{broken}")
        story.answers()
        check_trades(story)
