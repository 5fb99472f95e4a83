"""Names of people, places and items: no two alike, none within another, and enough of them."""

import numpy as np
import pytest

from nl_tasks.generators import names
from nl_tasks.generators.randomness import Stream
from nl_tasks.generators.story_lines import JOBS, WORDS

PEOPLE = ([*names.SHE, *names.HE], names.surnames())
PLACES = (names.place_stems(), names.PLACE_KINDS)
ITEMS = (names.ADJECTIVES, names.MATERIALS, names.NOUNS)
TOKENS_A_CHAPTER = 190  # fewer than any tokenizer we know needs


def suffixes(words):
    """Pairs of which one ends with the other."""
    endings = {word.lower() for word in words}
    return [(word, w[i:]) for word in words for w in [word.lower()] for i in range(1, len(w)) if w[i:] in endings]


def prefixes(words):
    """Pairs of which one begins with the other."""
    return suffixes([word[::-1] for word in words])


@pytest.mark.parametrize("parts", [PEOPLE, PLACES, ITEMS], ids=["people", "places", "items"])
def test_no_name_contains_another(parts):
    """Names of one kind have as many words each, so one in another would begin or end within a word."""
    assert suffixes(parts[0]) == [] and prefixes(parts[-1]) == []
    for part in parts:
        assert len({word.lower() for word in part}) == len(part)


def test_people_and_places_share_no_word():
    people, places = ({word.lower() for part in parts for word in part} for parts in (PEOPLE, PLACES))
    assert not people & places


@pytest.mark.parametrize("parts", [PEOPLE, PLACES, ITEMS], ids=["people", "places", "items"])
def test_names_are_minted_once_each(parts):
    mint = names.Mint(Stream("a test"), *map(list, parts))
    numbers = np.arange(min(mint.capacity, 60_000))
    assert len(set(mint.names(mint.indices(numbers)))) == len(numbers)
    with pytest.raises(ValueError, match="needs more than"):
        mint.indices(np.array([mint.capacity]))


def test_ten_million_tokens_do_not_use_items_up():
    capacity = names.Mint(Stream("a test"), *map(list, ITEMS)).capacity
    assert capacity > 4 * 10_000_000 / TOKENS_A_CHAPTER


@pytest.mark.parametrize("slot", WORDS)
def test_the_words_of_a_slot_differ(slot):
    assert len(set(WORDS[slot])) == len(WORDS[slot])


def test_words_that_follow_the_article_a_begin_with_consonants():
    assert [word for word in (*JOBS, *WORDS["small"], *WORDS["thing"]) if word[0] in "aeiou"] == []
