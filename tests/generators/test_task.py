"""What all tasks refuse, and packages whose tasks cannot be had."""

from importlib.metadata import EntryPoint

import pytest

from nl_tasks import get_task, load_tokenizer
from nl_tasks.generators import task


@pytest.mark.parametrize(("index", "length"), [(-1, 8192), (1.5, 8192), (0, 0), (0, "8k")])
def test_what_is_no_index_or_length_is_refused(index, length):
    with pytest.raises(ValueError, match="is out of range: a whole number"):
        get_task("story_multihop").sample(seed=43, index=index, length=length, tokenizer=load_tokenizer("tekken"))


def test_a_package_whose_task_cannot_be_loaded_is_named(monkeypatch):
    gone = EntryPoint(name="gone", value="nowhere_at_all:Gone", group="nl_tasks.tasks")
    monkeypatch.setattr(task, "entry_points", lambda group: [gone])
    with pytest.raises(ValueError, match=r"the task 'gone' .nowhere_at_all:Gone., which cannot be loaded .Module"):
        task.task_types()
