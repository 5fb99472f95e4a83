"""Whether every length suits every sample, found out before anything is written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nl_tasks.generators.lengths import format_length
from nl_tasks.generators.task import Task
from nl_tasks.generators.tokenizers import load_tokenizer
from nl_tasks.manifest import Recipe
from nl_tasks.workers import Workers

_CHECKED_TOGETHER = 8


@dataclass(frozen=True)
class RoomJob:
    """Samples of one task whose smallest and longest lengths are asked."""

    task: Task
    seed: int
    indices: range
    tokenizer: str


@dataclass(frozen=True)
class Room:
    """The lengths that all samples of a task can have: at least `smallest` tokens, at most `longest` (None: any)."""

    smallest: int
    longest: int | None

    def __and__(self, other: "Room") -> "Room":
        longest = [room.longest for room in (self, other) if room.longest is not None]
        return Room(max(self.smallest, other.smallest), min(longest) if longest else None)


def find_room(job: RoomJob) -> Room:
    """The lengths that every one of the samples can have."""
    tokenizer = load_tokenizer(job.tokenizer)
    return Room(
        job.task.smallest_length(seed=job.seed, indices=job.indices, tokenizer=tokenizer),
        job.task.longest_length(seed=job.seed, indices=job.indices, tokenizer=tokenizer),
    )


def require_room(tasks: dict[str, Task], recipes: Sequence[Recipe], team: Workers) -> None:
    """Raise ValueError if a recipe's length is too short for a sample of it, or too long for its source of text.

    The smallest or the longest length that works is named.
    """
    cells = {(recipe.task, recipe.tokenizer): recipe for recipe in recipes}
    jobs = [job for recipe in cells.values() for job in _jobs(tasks[recipe.task], recipe)]
    rooms: dict[tuple[str, str], Room] = dict.fromkeys(cells, Room(0, None))
    for job, room in zip(jobs, team.map(find_room, jobs)):
        rooms[job.task.name, job.tokenizer] &= room
    problems = dict.fromkeys(
        filter(None, (_problem(recipe, rooms[recipe.task, recipe.tokenizer]) for recipe in recipes))
    )
    if problems:
        raise ValueError("; ".join(problems))


def _jobs(task: Task, recipe: Recipe) -> Iterator[RoomJob]:
    for first in range(0, recipe.n, _CHECKED_TOGETHER):
        indices = range(first, min(first + _CHECKED_TOGETHER, recipe.n))
        yield RoomJob(task, recipe.seed, indices, recipe.tokenizer)


def _problem(recipe: Recipe, room: Room) -> str:
    length = f"{format_length(recipe.length)} tokens are too"
    if recipe.length < room.smallest:
        return f"{length} few for {recipe.task}: these {recipe.n} samples need at least {room.smallest}"
    if room.longest is not None and recipe.length > room.longest:
        return (
            f"{length} many for the documents of {recipe.task}: they fill at most {room.longest}; "
            "--allow-repeat lets documents come twice"
        )
    return ""
