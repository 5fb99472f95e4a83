"""What a worker is told: make one sample."""

from dataclasses import dataclass
from typing import Any

from nl_tasks.errors import RunError
from nl_tasks.generators.sample import sample_id
from nl_tasks.generators.task import Task
from nl_tasks.generators.tokenizers import load_tokenizer


@dataclass(frozen=True)
class SampleJob:
    """One sample to make."""

    task: Task
    seed: int
    index: int
    length: int
    tokenizer: str


def make_row(job: SampleJob) -> dict[str, Any]:
    """The row of one sample. Raises RunError naming the sample if its task fails."""
    try:
        tokenizer = load_tokenizer(job.tokenizer)
        sample = job.task.sample(seed=job.seed, index=job.index, length=job.length, tokenizer=tokenizer)
    except Exception as error:
        name = sample_id(job.task.name, job.length, job.seed, job.index)
        raise RunError(f"sample {name} failed: {type(error).__name__}: {error}") from error
    return sample.row()
