"""Whether every length is enough for every sample, found out before anything is written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nl_tasks.generators.lengths import format_length
from nl_tasks.generators.task import Task
from nl_tasks.generators.tokenizers import load_tokenizer
from nl_tasks.manifest import Recipe
from nl_tasks.workers import Workers

_CHECKED_TOGETHER = 8


@dataclass(frozen=True)
class SmallestJob:
    """Samples of one task whose smallest length is asked."""

    task: Task
    seed: int
    indices: range
    tokenizer: str


def find_smallest(job: SmallestJob) -> int:
    """The fewest tokens that can hold every one of the samples."""
    return job.task.smallest_length(seed=job.seed, indices=job.indices, tokenizer=load_tokenizer(job.tokenizer))


def _smallest_jobs(task: Task, recipe: Recipe) -> Iterator[SmallestJob]:
    for first in range(0, recipe.n, _CHECKED_TOGETHER):
        indices = range(first, min(first + _CHECKED_TOGETHER, recipe.n))
        yield SmallestJob(task, recipe.seed, indices, recipe.tokenizer)


def require_room(tasks: dict[str, Task], recipes: Sequence[Recipe], team: Workers) -> None:
    """Raise ValueError, naming the smallest length that works, if a recipe's length is too short for a sample of it."""
    shortest: dict[str, Recipe] = {}
    for recipe in sorted(recipes, key=lambda recipe: recipe.length):
        shortest.setdefault(recipe.task, recipe)
    jobs = [job for recipe in shortest.values() for job in _smallest_jobs(tasks[recipe.task], recipe)]
    smallest = dict.fromkeys(shortest, 0)
    for job, tokens in zip(jobs, team.map(find_smallest, jobs)):
        smallest[job.task.name] = max(tokens, smallest[job.task.name])
    problems = [
        f"{format_length(recipe.length)} tokens are too few for {name}: these {recipe.n} samples need at least {needed}"
        for name, needed in smallest.items()
        if (recipe := shortest[name]).length < needed
    ]
    if problems:
        raise ValueError("; ".join(problems))
