"""How fast samples are made, against one encode of the finished prompt by the same tokenizer in the same run."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from nl_tasks.generators.task import Task, get_task
from nl_tasks.generators.tokenizers import Tokenizer, load_tokenizer


@dataclass(frozen=True)
class Pace:
    """One row: medians over the samples made, on one core; `ratio` is making a sample over encoding its prompt."""

    task: str
    tokens: int
    tokenizer: str
    samples_per_second: float
    encode_ms: float
    ratio: float

    def row(self) -> dict[str, Any]:
        """The row as plain data."""
        return asdict(self)


def bench_generate(
    tasks: Sequence[str | Task], lengths: list[int], tokenizer: str, *, n: int = 10, seed: int = 43
) -> Iterator[Pace]:
    """Rows for each task (a name, or a task with its knobs set) and length, as soon as each is measured.

    The encode is the library's fastest call for one text: `encode_ordinary` of tiktoken, `encode_batch_fast` of
    tokenizers. Raises ValueError for an unknown task or tokenizer, or a length too short.
    """
    counter = load_tokenizer(tokenizer)
    for chosen in tasks:
        task = get_task(chosen) if isinstance(chosen, str) else chosen
        for length in lengths:
            prompt = task.sample(seed=seed, index=0, length=length, tokenizer=counter).prompt  # warms caches
            make = partial(_make, task, seed, length, counter)
            made = _median([partial(make, index) for index in range(1, n + 1)])
            encoded = _median([partial(counter.encode_once, prompt)] * n)
            yield Pace(task.name, length, tokenizer, 1 / made, encoded * 1e3, made / encoded)


def _make(task: Task, seed: int, length: int, tokenizer: Tokenizer, index: int) -> object:
    return task.sample(seed=seed, index=index, length=length, tokenizer=tokenizer)


def _median(calls: Sequence[Callable[[], object]]) -> float:
    times = []
    for call in calls:
        began = time.process_time()
        call()
        times.append(time.process_time() - began)
    return statistics.median(times)
