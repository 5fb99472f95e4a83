"""Guessers that look at the surface of a story and not at what it says: each scores what chance would, and no more.

Chapters are exchangeable: given the story, the chapter asked about is any of those that could have been. From
that follows what a guess can expect, with its variance, sample by sample; the sum must lie in its interval. The
intervals are so wide that all guessers together leave them one time in a hundred.
"""

import math
import re
from collections import Counter
from functools import cache
from statistics import NormalDist

import pytest

from nl_tasks.generators import get_task, load_tokenizer
from nl_tasks.generators.names import ADJECTIVES, MATERIALS, NOUNS

SAMPLES = 400
GUESSERS = 80
WIDTH = NormalDist().inv_cdf(1 - 0.01 / GUESSERS / 2)
PARTS = [frozenset(words) for words in (ADJECTIVES, MATERIALS, NOUNS)]


@pytest.fixture
def stories(read_story):
    """`stories(name, count, **knobs)`: pairs of a read story and its gold answers."""
    tokenizer = load_tokenizer("tekken")

    def make(name, count=SAMPLES, **knobs):
        task = get_task(name, **knobs)
        runs = [task.sample(seed=3, index=index, length=4096, tokenizer=tokenizer) for index in range(count)]
        return [(read_story(sample.prompt), sample.answers) for sample in runs]

    return make


def excess(outcomes):
    """By how many standard deviations the scores of (score, mean, variance) sum to more than their expectation."""
    outcomes = list(outcomes)
    deviation = math.sqrt(sum(variance for *_, variance in outcomes))
    assert deviation > 0, "this guesser never had a chance"
    return sum(score - mean for score, mean, _ in outcomes) / deviation


def luckless(guesses):
    """Those of {name: outcomes} that are outside of their interval; none should be."""
    found = {name: round(excess(outcomes), 2) for name, outcomes in guesses.items()}
    return {name: by for name, by in found.items() if abs(by) > WIDTH}


def coin(right, chance):
    """The outcome of a guess that is right with probability `chance`."""
    return (float(right), chance, chance * (1 - chance))


@cache
def items_in(text):
    """All items that a text mentions, in order, again where they come again."""
    words = re.findall(r"[A-Za-z]+|[^A-Za-z ]", text)
    triples = zip(words, words[1:], words[2:])
    return [" ".join(triple) for triple in triples if all(word in part for word, part in zip(triple, PARTS))]


def items(story):
    """All items that a story mentions."""
    return [item for chapter in story.chapters for item in items_in(chapter.text)]


# Filtering: which chapters have no purchase? Each guesser ranks them and names the first few.
RANKS = {
    "shortest": lambda story, c: len(c.text),
    "longest": lambda story, c: -len(c.text),
    "fewest words": lambda story, c: len(c.text.split()),
    "fewest sentences": lambda story, c: c.text.count(". "),
    "fewest items": lambda story, c: len(items_in(c.text)),
    "most items": lambda story, c: -len(items_in(c.text)),
    "fewest commas": lambda story, c: c.text.count(","),
    "most commas": lambda story, c: -c.text.count(","),
    "hero least named": lambda story, c: c.text.count(story.hero),
    "hero most named": lambda story, c: -c.text.count(story.hero),
    "person least named": lambda story, c: c.text.count(c.person),
    "person most named": lambda story, c: -c.text.count(c.person),
    "sells something": lambda story, c: -len(c.sold),
    "sells nothing": lambda story, c: len(c.sold),
    "most speech": lambda story, c: -c.text.count('"'),
    "rare person": lambda story, c: sum(other.person == c.person for other in story.chapters),
    "frequent person": lambda story, c: -sum(other.person == c.person for other in story.chapters),
    "rare place": lambda story, c: sum(other.place == c.place for other in story.chapters),
    "first": lambda story, c: c.number,
    "last": lambda story, c: -c.number,
    "middle": lambda story, c: abs(2 * c.number - len(story.chapters)),
    "random": lambda story, c: hash_of(c.text),
}


@cache
def hash_of(text):
    """A number that has nothing to do with what a text says, the same on every run."""
    return sum(ord(letter) * 31 ** (place % 7) for place, letter in enumerate(text)) % 1009


def overlap(chosen, of):
    """Mean and variance of the intersection over union of a fixed and a random set of `chosen` out of `of`."""
    ways = math.comb(of, chosen)
    odds = [math.comb(chosen, k) * math.comb(of - chosen, chosen - k) / ways for k in range(chosen + 1)]
    scores = [k / (2 * chosen - k) for k in range(chosen + 1)]
    mean = sum(odd * score for odd, score in zip(odds, scores))
    return mean, sum(odd * (score - mean) ** 2 for odd, score in zip(odds, scores))


def test_no_surface_of_a_chapter_shows_that_nothing_is_bought(stories):
    runs = stories("story_filtering")

    def outcomes(rank):
        for story, answers in runs:
            # Ties go by a number without meaning, or else the first chapters would win them all.
            ranked = sorted(story.chapters, key=lambda c: (rank(story, c), hash_of(c.text)))
            named = {str(chapter.number) for chapter in ranked[: len(answers)]}
            both = len(named & set(answers))
            yield both / (2 * len(answers) - both), *overlap(len(answers), len(story.chapters))

    assert luckless({name: outcomes(rank) for name, rank in RANKS.items()}) == {}


def test_the_number_of_chapters_without_a_purchase_is_no_sign_of_length(stories):
    """`count` with four at most: the guess 2 is right one time in four, whatever else is in the text."""
    runs = stories("story_filtering", mode="count", num_chapters=4)
    assert luckless({guess: [coin(answers == [guess], 1 / 4) for _, answers in runs] for guess in "1234"}) == {}


# Retrieval: guesses at the place, person or item of a chapter that was not looked up.
PICKS = {
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
    "most frequent": lambda values: Counter(values).most_common(1)[0][0],
    "least frequent": lambda values: Counter(values).most_common()[-1][0],
    "middle": lambda values: values[len(values) // 2],
    "random": lambda values: values[hash_of("".join(values)) % len(values)],
}


def asked_kind(line):
    """What a question of retrieval asks for, as an attribute of a read chapter."""
    return "place" if "place" in line else "bought" if "Which item" in line else "person"


def looked_up(runs, pick):
    """The chance of a name is its share of the chapters with a purchase: each asked about is any of those."""
    for story, answers in runs:
        trades = [chapter for chapter in story.chapters if chapter.bought]
        for kind in ("place", "person", "bought"):
            values = [getattr(chapter, kind) for chapter in trades]
            guess = pick(values)
            for line, answer in zip(story.question.split("\n"), answers):
                if asked_kind(line) == kind:
                    yield coin(guess == answer, values.count(guess) / len(values))


def mentioned(runs, pick):
    """Over all items mentioned, a guess is right only where it is one that was bought."""
    for story, answers in runs:
        bought = [chapter.bought for chapter in story.chapters if chapter.bought]
        guess = pick(items(story))
        for line, answer in zip(story.question.split("\n"), answers):
            if asked_kind(line) == "bought":
                yield coin(guess == answer, (guess in bought) / len(bought))


@pytest.mark.parametrize("ask_by", ["chapter", "relation"])
def test_retrieval_needs_the_chapter_asked_about(ask_by, stories):
    runs = stories("story_retrieval", num_queries=4, ask_by=ask_by)
    assert luckless({name: looked_up(runs, pick) for name, pick in PICKS.items()}) == {}
    assert luckless({name: mentioned(runs, pick) for name, pick in PICKS.items()}) == {}
    if ask_by == "relation":
        assert_no_question_holds_its_answer(runs)


# Multi-hop: the target is named in the question, so no guesser names it.
def neighbour(story, step):
    """What is bought `step` chapters after the target, if anything is."""
    target = items_in(story.question)[0]
    at = next(chapter.number for chapter in story.chapters if chapter.bought == target) - 1 + step
    return story.chapters[at].bought if 0 <= at < len(story.chapters) else None


def one_hop_outcomes(runs, pick, mentions):
    """A guess among what is bought but the target, or among all mentions of that."""
    for story, answers in runs:
        target = items_in(story.question)[0]
        others = [chapter.bought for chapter in story.chapters if chapter.bought not in (None, target)]
        guess = pick([item for item in items(story) if item in others] if mentions else others)
        yield coin(guess == answers[0], 1 / len(others))


def test_one_hop_needs_the_target(stories):
    runs = stories("story_multihop")
    bought = {name: pick for name, pick in PICKS.items() if "frequent" not in name}  # each is bought once
    assert luckless({name: one_hop_outcomes(runs, pick, mentions=False) for name, pick in bought.items()}) == {}
    # No better than chance by mentions; it may be worse, since the answer is never mentioned first near the end.
    by_mentions = {name: excess(one_hop_outcomes(runs, pick, mentions=True)) for name, pick in PICKS.items()}
    assert max(by_mentions.values()) <= WIDTH, by_mentions
    # The chapter before the target has the answer as often as the gap is empty.
    right = [neighbour(story, -1) == answers[0] for story, answers in runs]
    assert abs(excess(coin(hit, 1 / 4) for hit in right)) <= WIDTH
    assert not any(neighbour(story, 1) == answers[0] for story, answers in runs)
    assert_no_question_holds_its_answer(runs)


def test_without_gaps_the_answer_is_next_door(stories):
    runs = stories("story_multihop", count=40, max_gap=0)
    assert all(neighbour(story, -1) == answers[0] for story, answers in runs)


@pytest.mark.parametrize("hops", [2, 3, 4])
def test_further_hops_need_the_ones_before(hops, stories):
    """The last chapter of the chain may be any with a purchase but those that come before it in the chain."""
    kind = {2: "place", 3: "person", 4: "bought"}[hops]
    runs = stories("story_multihop", hops=hops)

    def outcomes(pick):
        for story, answers in runs:
            story.answers()
            before = [chapter.number for chapter in story.path[:-1]]
            values = [getattr(c, kind) for c in story.chapters if c.bought and c.number not in before]
            guess = pick(values)
            yield coin(guess == answers[0], values.count(guess) / len(values))

    assert luckless({name: outcomes(pick) for name, pick in PICKS.items()}) == {}


def assert_no_question_holds_its_answer(runs):
    for story, answers in runs:
        for line, answer in zip(story.question.split("\n"), answers):
            assert answer not in line
