"""What a reader would trip over: repeated sentences, wrong articles, sentences that start small, pronouns."""

import re
from collections import Counter

import pytest

from nl_tasks.generators import get_task, load_tokenizer
from nl_tasks.generators.names import HE, SHE

LENGTH = 131072
HIS = re.compile(r"\b(?:he|him|his|himself)\b", re.IGNORECASE)
HER = re.compile(r"\b(?:she|her|herself)\b", re.IGNORECASE)


@pytest.fixture(scope="module", params=["story_retrieval", "story_multihop", "story_filtering"])
def story(request):
    """The text between the context tags of a sample at 128k tokens."""
    sample = get_task(request.param).sample(seed=5, index=0, length=LENGTH, tokenizer=load_tokenizer("tekken"))
    return re.search(r"<context>\n(.*)\n</context>", sample.prompt, re.DOTALL)[1]


def paragraphs(story):
    return [text for text in story.split("\n\n") if not re.fullmatch(r"Chapter \d+\.", text)]


def test_no_sentence_comes_more_than_twelve_times(story):
    """A sentence ends at a full stop; a question in quotation marks belongs to the sentence that says who asks."""
    sentences = Counter(s for text in paragraphs(story) for s in re.split(r"(?<=\.) ", text))
    assert sum(sentences.values()) > 5000
    assert [(sentence, count) for sentence, count in sentences.items() if count > 12] == []


def test_sentences_begin_with_capitals_and_end_with_full_stops(story):
    for text in paragraphs(story):
        assert re.match(r"[A-Z]", text) and text.endswith("."), text
        assert re.search(r"[.] (?![A-Z\"])|\" (?=\")|  |[.,]{2}| [.,?]", text) is None, text


def test_articles_fit_the_words_they_stand_before(story):
    assert re.findall(r"\b[Aa] (?=[aeiou])\w+", story) == []
    assert set(re.findall(r"\b[Aa]n (?![aeiou])\w+", story)) <= {"an hour", "An hour"}


def test_no_word_stands_twice_in_a_row(story):
    assert [match[0] for match in re.finditer(r"\b(\w+) \1\b", story)] == []


def test_pronouns_are_of_the_person_who_is_met(story):
    chapters = re.split(r"\n*Chapter \d+\.\n\n", story)[1:]
    seen = Counter()
    for text in chapters:
        person = re.search(r"\b([A-Z][a-z]+) [A-Z][a-z]+\b", text.split("\n\n")[1].replace("Tamsin", ""))[1]
        assert (person in SHE) != (person in HE), text
        text = text.replace("a shepherd shared his fire", "")
        wrong, right = (HIS, HER) if person in SHE else (HER, HIS)
        assert wrong.search(text) is None, text
        seen[person in SHE] += len(right.findall(text))
    assert min(seen.values()) > 50
