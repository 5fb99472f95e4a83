import pytest

from nl_tasks.gallery import CORPORA
from nl_tasks.generators.task import get_task, task_types
from nl_tasks.generators.tokenizers import load_tokenizer
from nl_tasks.gold import gold_prediction
from nl_tasks.scoring import get_scorer


@pytest.mark.parametrize("style", ["chat", "plain"])
@pytest.mark.parametrize("name", sorted(task_types()))
def test_gold_scores_1_and_empty_or_garbage_0_for_every_task(name, style):
    source = {"source": CORPORA[name], "allow_repeat": True} if name in CORPORA else {}
    task = get_task(name, style=style, **source)
    tokenizer = load_tokenizer("tekken")
    length = max(4096, task.smallest_length(seed=43, indices=range(2), tokenizer=tokenizer))
    for index in range(2):
        sample = task.sample(seed=43, index=index, length=length, tokenizer=tokenizer)
        score = get_scorer(sample.metric)
        assert score(gold_prediction(sample.metric, sample.answers), sample.answers).value == 1
        assert score("", sample.answers).value == 0
        assert score("<answer>xyzzy plugh</answer>", sample.answers).value == 0
        assert score("xyzzy plugh", sample.answers).value == 0
