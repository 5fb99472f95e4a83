import pytest

torch = pytest.importorskip("torch")

from nl_tasks import probe_data  # noqa: E402
from nl_tasks.generators.randomness import Key  # noqa: E402
from nl_tasks.generators.story import StoryTask  # noqa: E402
from nl_tasks.generators.story_multihop import StoryMultihop  # noqa: E402
from nl_tasks.generators.task import task_types  # noqa: E402
from nl_tasks.probe_batch import pack, writer  # noqa: E402
from nl_tasks.probe_data import WIDTHS, Course, HeldOut  # noqa: E402
from nl_tasks.probe_lessons import NAMESPACE, Bought, BoughtBefore, training_key  # noqa: E402
from nl_tasks.scoring import get_scorer  # noqa: E402

PARTS = ("tokens", "at", "wanted", "weight", "row")


@pytest.fixture(scope="module")
def course(tiny_llama):
    return Course(tokenizer=tiny_llama(), seed=0, steps=50, widths=(2816, 5632), tokens=5632)


def test_no_seed_of_an_evaluation_draws_a_training_sample(course, monkeypatch):
    streams = []

    def note(task, seed, index):
        key = training_key(task, seed, index)
        streams.append(key._series)
        return key

    monkeypatch.setattr(probe_data, "training_key", note)
    course.batch(0)
    assert streams
    assert {names[0].split("/")[0] for names in streams} == {NAMESPACE}
    assert not {name.split("/")[0] for name in task_types()} & {NAMESPACE}
    # Everything random of a sample comes from its key, and all that an evaluation may choose is in the other parts
    task = StoryMultihop()
    for seed in (-1, 0, 43, 2**63 - 1):
        ours, theirs = training_key(task, seed, 7), task.key(seed, 7)
        assert (ours.stream("filler").words(8) != theirs.stream("filler").words(8)).any()
        assert ours.depth("target") != theirs.depth("target")


def test_a_batch_depends_on_its_step_alone(course, tiny_llama):
    again = Course(tokenizer=tiny_llama(), seed=0, steps=50, widths=(2816, 5632), tokens=5632)
    later = again.batch(31)
    for step in (30, 31):
        one, other = course.batch(step), later if step == 31 else again.batch(step)
        assert all(torch.equal(getattr(one, part), getattr(other, part)) for part in PARTS)
    elsewhere = Course(tokenizer=tiny_llama(), seed=1, steps=50, widths=(2816,), tokens=5632)
    assert not torch.equal(course.batch(0).tokens, elsewhere.batch(0).tokens)


def test_answers_are_what_the_text_before_them_asks_for(course):
    batch = course.batch(3)
    own = writer(course.tokenizer)
    flat = batch.tokens.flatten()
    assert torch.equal(flat[batch.at + 1], batch.wanted)
    for row in range(len(batch.tokens)):
        mine = batch.row == row
        assert batch.wanted[mine][-1] == own.end
        said = own.words(batch.wanted[mine].tolist())
        assert said.startswith("<answer>\n") and said.endswith("\n</answer>")
        before = own.words(batch.tokens[row, : int(batch.at[mine][0]) % batch.tokens.shape[1] + 1].tolist())
        assert before.rstrip().endswith("assistant")


def test_longer_texts_come_later():
    course = Course(tokenizer="-", seed=0, steps=1000)
    widths = [course.width(step) for step in range(1000)]
    assert set(widths[:50]) <= set(WIDTHS[:2]) and set(widths[600:]) == set(WIDTHS)
    assert sum(widths[:200]) < sum(widths[400:600]) < sum(widths[800:])


@pytest.mark.parametrize("exercise", [Bought(num_queries=6), BoughtBefore(num_queries=4)], ids=["bought", "before"])
def test_exercises_have_right_answers(exercise, tiny_llama):
    own = writer(tiny_llama())
    length = exercise.smallest_length(seed=1, indices=[0], tokenizer=own.counter) + 200
    sample = exercise.sample(seed=1, index=0, length=length, tokenizer=own.counter)
    chapters = sample.prompt.split("\nChapter ")[1:]
    for line, gold in zip(sample.question.splitlines(), sample.answers):
        if isinstance(exercise, Bought):
            text = chapters[int(line.split()[-1].rstrip("?")) - 1]
            assert gold == "nothing" or gold in text
        else:
            item = line.split(" before buying the ")[1].split(".")[0]
            at = next(number for number, text in enumerate(chapters) if item in text)
            assert any(gold in text for text in chapters[max(0, at - 3) : at])
    said = own.words(own.answer(sample.metric, sample.answers))
    assert get_scorer(sample.metric)(said, sample.answers).value == 1.0


def test_held_out_samples_are_those_of_an_ordinary_seed(tiny_llama):
    tasks: tuple[StoryTask, ...] = (StoryMultihop(), StoryMultihop(hops=2))
    held_out = HeldOut.of(tiny_llama(), tasks, (1024, 3072), rows=2)
    assert held_out.cells == ((tasks[0], 3072), (tasks[1], 3072))  # 1024 tokens are too few
    own = writer(tiny_llama())
    sample = tasks[1].sample(seed=held_out.seed, index=1, length=3072, tokenizer=own.counter)
    text = own.prompt(sample.prompt)
    assert len(text) == 3072
    assert held_out[1].tokens[1, :3072].tolist() == text
    assert isinstance(tasks[1].key(0, 0), Key)


def test_packing_fills_up_at_the_end():
    batch = pack([([5, 6, 7], [8, 9]), ([5, 6], [7])], 6)
    assert batch.tokens.tolist() == [[5, 6, 7, 8, 9, 0], [5, 6, 7, 0, 0, 0]]
    assert batch.at.tolist() == [2, 3, 7] and batch.wanted.tolist() == [8, 9, 7] and batch.row.tolist() == [0, 0, 1]


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"widths": ()}, {"widths": (1000,)}])
def test_a_course_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="is out of range"):
        Course(**{"tokenizer": "-", "seed": 0, "steps": 5, **wrong})
