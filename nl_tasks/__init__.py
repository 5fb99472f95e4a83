"""nl-tasks: long-context tasks exact to the token, and sparse attention to read them with.

    from nl_tasks import get_task, load_tokenizer

    task = get_task("story_multihop", hops=2)
    sample = task.sample(seed=43, index=7, length=8192, tokenizer=load_tokenizer("tekken"))
    sample.prompt, sample.answers

Each name is imported when it is first used, so that `import nl_tasks` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nl_tasks.dataset import read_dataset as read_dataset
    from nl_tasks.generate import generate_dataset as generate_dataset
    from nl_tasks.generators.sample import Sample as Sample
    from nl_tasks.generators.task import get_task as get_task
    from nl_tasks.generators.task import task_types as task_types
    from nl_tasks.generators.tokenizers import load_tokenizer as load_tokenizer
    from nl_tasks.score import score_predictions as score_predictions
    from nl_tasks.scoring import get_scorer as get_scorer
    from nl_tasks.verify import verify_dataset as verify_dataset

__version__ = "0.1.0"

_HOMES = {
    "Sample": "nl_tasks.generators.sample",
    "generate_dataset": "nl_tasks.generate",
    "get_scorer": "nl_tasks.scoring",
    "get_task": "nl_tasks.generators.task",
    "load_tokenizer": "nl_tasks.generators.tokenizers",
    "read_dataset": "nl_tasks.dataset",
    "score_predictions": "nl_tasks.score",
    "task_types": "nl_tasks.generators.task",
    "verify_dataset": "nl_tasks.verify",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
