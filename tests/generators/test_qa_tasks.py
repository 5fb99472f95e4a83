"""The contract of every QA task, on small corpora in the three original formats (tests/generators/corpora)."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from nl_tasks.generators import get_task, load_tokenizer, task_types
from nl_tasks.generators.sample import content_hash
from nl_tasks.gold import gold_prediction
from nl_tasks.scoring import get_scorer

FOLDER = Path(__file__).parent / "corpora"
SOURCES = {"qa_squad": "squad.json", "qa_quality": "quality.jsonl", "qa_toefl": "toefl.jsonl"}
QA = sorted(SOURCES)
CHOICE = ["qa_quality", "qa_toefl"]


@pytest.fixture(scope="module")
def tekken():
    return load_tokenizer("tekken")


@pytest.fixture(scope="module")
def bpe(tiny_llama):
    return load_tokenizer(tiny_llama())


def task_of(name, **knobs):
    return get_task(name, **{"source": str(FOLDER / SOURCES[name]), **knobs})


def make(name, tokenizer, *, length=4096, index=7, seed=43, **knobs):
    return task_of(name, **knobs).sample(seed=seed, index=index, length=length, tokenizer=tokenizer)


def documents(prompt):
    """Number to document, from the prompt alone."""
    context = prompt.partition("<context>\n")[2].rpartition("\n</context>")[0]
    parts = re.split(r"(?:^|\n\n)Document (\d+)\n\n", context)
    return dict(zip(map(int, parts[1::2]), parts[2::2]))


def test_every_qa_task_is_tested():
    assert sorted(name for name, cls in task_types().items() if cls.dataset == "sparse-frontier/qa") == QA


@pytest.mark.parametrize("length", [2048, 4096, 5000, 65536])
@pytest.mark.parametrize("name", QA)
def test_a_prompt_has_exactly_the_tokens_asked_for(name, length, tekken):
    for index in range(10):
        sample = make(name, tekken, length=length, index=index, allow_repeat=length > 5000)
        assert tekken.count_reference(sample.prompt) == sample.num_tokens == length


@pytest.mark.parametrize("style", ["chat", "plain"])
@pytest.mark.parametrize("name", QA)
def test_other_tokenizers_count_the_same_length(name, style, bpe):
    for index in range(10):
        sample = make(name, bpe, length=6000, index=index, style=style)
        assert bpe.count_reference(sample.prompt, chat=style == "chat") == 6000


@pytest.mark.parametrize("name", QA)
def test_every_length_works_from_the_smallest_to_the_longest(name, tekken):
    task = task_of(name)
    smallest = task.smallest_length(seed=43, indices=[0], tokenizer=tekken)
    with pytest.raises(ValueError, match=f"smallest that works is {smallest}"):
        task.sample(seed=43, index=0, length=smallest - 1, tokenizer=tekken)
    with pytest.raises(ValueError, match=r"longest they fill is \d+; allow_repeat") as raised:
        task.sample(seed=43, index=0, length=100_000, tokenizer=tekken)
    longest = int(re.search(r"fill is (\d+)", str(raised.value))[1])
    lengths = [*range(smallest, smallest + 30), *range(longest - 1000, longest, 37), longest]
    for length in lengths:
        assert tekken.count(task.sample(seed=43, index=0, length=length, tokenizer=tekken).prompt) == length
    with pytest.raises(ValueError, match=f"longest they fill is {longest}"):
        task.sample(seed=43, index=0, length=longest + 1, tokenizer=tekken)
    repeated = task_of(name, allow_repeat=True)
    assert repeated.sample(seed=43, index=0, length=longest + 1, tokenizer=tekken).num_tokens == longest + 1


@pytest.mark.parametrize("name", QA)
def test_a_sample_depends_on_its_names_alone(name, tekken):
    first = make(name, tekken)
    make(name, tekken, index=3)
    assert make(name, tekken) == first
    assert first.sha256 == content_hash(first.prompt, first.answers)
    runs = [{make(name, tekken, seed=seed, index=index).sha256 for index in range(5)} for seed in (43, 44)]
    assert not runs[0] & runs[1]


@pytest.mark.parametrize("name", QA)
def test_what_the_source_is_called_changes_nothing_but_its_name(name, tekken, tmp_path):
    copy = tmp_path / "copy"
    copy.write_bytes((FOLDER / SOURCES[name]).read_bytes())
    here, there = make(name, tekken), make(name, tekken, source=str(copy))
    assert (here.prompt, here.answers) == (there.prompt, there.answers)
    hashes = {json.loads(sample.params)["source_sha256"] for sample in (here, there)}
    assert hashes == {task_of(name).corpus.sha256}


@pytest.mark.parametrize("name", QA)
def test_a_source_that_changed_is_refused(name, tekken, tmp_path):
    pinned = task_of(name).corpus.sha256
    assert make(name, tekken, source_sha256=pinned).prompt
    changed = tmp_path / "changed"
    changed.write_text((FOLDER / SOURCES[name]).read_text().replace("brick", "stone").replace("geese", "ducks"))
    with pytest.raises(ValueError, match="has changed: its content hash is"):
        make(name, tekken, source=str(changed), source_sha256=pinned)


@pytest.mark.parametrize("name", QA)
def test_question_and_gold_are_the_same_at_every_length_and_for_every_tokenizer(name, tekken, bpe):
    samples = [make(name, tekken, length=4096), make(name, tekken, length=6000), make(name, bpe, length=6000)]
    assert len({tuple(sample.answers) for sample in samples}) == 1
    assert len({re.sub(r"document \d+", "", sample.question) for sample in samples}) == 1


@pytest.mark.parametrize("name", QA)
def test_questions_take_turns(name, tekken):
    count = len(task_of(name).corpus.questions)
    asked = [
        re.sub(r"^About document \d+", "", make(name, tekken, length=2048, index=i).question) for i in range(count)
    ]
    assert len(set(asked)) == count
    assert re.sub(r"^About document \d+", "", make(name, tekken, length=2048, index=count).question) in asked


@pytest.mark.parametrize("name", QA)
def test_all_documents_but_one_excerpt_stand_whole_in_the_prompt(name, tekken):
    corpus = task_of(name).corpus
    for index in range(10):
        found = documents(make(name, tekken, index=index).prompt)
        assert list(found) == list(range(1, len(found) + 1))
        excerpts = [text for text in found.values() if text not in corpus.documents]
        assert len(excerpts) == 1 and excerpts[0].startswith("[...]")
        whole = [text for text in found.values() if text in corpus.documents]
        assert len(set(whole)) == len(whole) > 1


@pytest.mark.parametrize("name", QA)
def test_evidence_is_the_answer_where_the_source_says_or_the_document(name, tekken):
    for index in range(20):
        sample = make(name, tekken, index=index)
        asked = documents(sample.prompt)[int(re.search(r"About document (\d+)", sample.question)[1])]
        (span,) = sample.evidence
        text = sample.prompt[span.start : span.end]
        if name == "qa_squad":
            assert (span.role, text) == ("answer", sample.answers[0])
            assert asked in sample.prompt and sample.prompt.index(asked) < span.start
        else:
            assert (span.role, text) == ("document", asked)


@pytest.mark.parametrize("name", QA)
def test_a_reader_of_the_document_asked_about_finds_the_answer(name, tekken):
    for index in range(300):
        sample = make(name, tekken, length=2048, index=index)
        text = documents(sample.prompt)[int(re.search(r"About document (\d+)", sample.question)[1])].lower()
        founded = re.search(r"was founded in (\d+) by (\w+ \w+)", text)
        goods = re.search(r"are known for ([\w ]+?) ?\.", text)
        month = re.search(r"every (\w+) the town", text)
        facts = {"year": founded[1], "who founded": founded[2], "known for": goods[1], "month": month[1]}
        fact = next(value for words, value in facts.items() if words in sample.question.lower())
        if name == "qa_squad":
            assert fact == sample.answers[0].lower()
            continue
        options = re.findall(r"^([A-D])\. (?:the year )?(.*)$", sample.question.lower(), re.MULTILINE | re.IGNORECASE)
        assert len(options) == 4
        right = "".join(letter.upper() for letter, option in options if option == fact)
        assert [right] == sample.answers


@pytest.mark.parametrize("style", ["chat", "plain"])
@pytest.mark.parametrize("name", QA)
def test_gold_scores_one_and_garbage_nothing(name, style, tekken):
    for index in range(10):
        sample = make(name, tekken, style=style, index=index)
        score = get_scorer(sample.metric)
        assert score(gold_prediction(sample.metric, sample.answers), sample.answers).value == 1
        for garbage in ("", "Nobody can say.", "<answer></answer>"):
            assert score(garbage, sample.answers).value == 0


@pytest.mark.parametrize("name", ["qa_squad", "qa_toefl"])
def test_every_tenth_of_the_context_holds_its_share_of_the_documents_asked_about(name, tekken):
    depths = [
        depth
        for index in range(200)
        for depth in make(name, tekken, length=16384, index=index, allow_repeat=True).depths
    ]
    shares = np.histogram(depths, bins=10, range=(0, 1))[0] / len(depths)
    assert shares.min() >= 0.08 and shares.max() <= 0.12, shares


@pytest.mark.parametrize("name", CHOICE)
def test_always_the_same_letter_scores_little(name, tekken):
    answers = [make(name, tekken, length=2048, index=index).answers for index in range(36)]
    for letter in "ABCD":
        assert sum(answer == [letter] for answer in answers) / len(answers) < 0.45


@pytest.mark.parametrize("name", QA)
def test_texts_are_clean(name, tekken):
    for index in range(5):
        sample = make(name, tekken, index=index)
        assert not re.search(r"\n{3}|[{}]|\bNone\b", sample.prompt)
        assert sample.prompt == sample.prompt.strip()
        assert sample.prompt.count(sample.question) == 2


def test_long_documents_can_be_left_out(tekken):
    words = sorted(set(task_of("qa_quality").corpus.words))
    task = task_of("qa_quality", max_words=words[3])
    for index in range(12):
        sample = task.sample(seed=43, index=index, length=4096, tokenizer=tekken)
        (span,) = sample.evidence
        assert len(sample.prompt[span.start : span.end].split()) <= words[3]
    with pytest.raises(ValueError, match=f"max_words=10 is out of range: the shortest .* {words[0]} words"):
        make("qa_quality", tekken, max_words=10)


def test_squad_can_be_scored_by_exact_match(tekken):
    sample = make("qa_squad", tekken, measure="exact")
    assert sample.metric == "squad_em"
    assert get_scorer(sample.metric)(f"<answer>{sample.answers[0]} himself</answer>", sample.answers).value == 0


def test_equal_seeds_ask_the_same_of_other_files_only_if_they_hold_the_same(tekken, tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_text("".join((FOLDER / "toefl.jsonl").read_text().splitlines(keepends=True)[:-1]))
    assert make("qa_toefl", tekken, source=str(other)).prompt != make("qa_toefl", tekken).prompt


@pytest.mark.parametrize("name", QA)
def test_the_longest_length_of_several_samples_is_what_each_of_them_can_fill(name, tekken):
    longest = task_of(name).longest_length(seed=43, indices=range(8), tokenizer=tekken)
    for index in range(8):
        assert make(name, tekken, length=longest, index=index).num_tokens == longest
    assert task_of(name, allow_repeat=True).longest_length(seed=43, indices=range(8), tokenizer=tekken) is None
