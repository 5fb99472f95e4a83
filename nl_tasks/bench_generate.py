"""How fast samples are made, against one encode of the finished prompt by the same tokenizer in the same run."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nl_tasks.generators.task import Task, get_task
from nl_tasks.generators.tokenizers import Tokenizer, load_tokenizer


@dataclass(frozen=True)
class Pace:
    """One row: medians over the samples made, on one core.

    Attributes:
        task: Its name.
        tokens: Length of each prompt.
        tokenizer: Its name.
        samples_per_second: By the processor time of this process, which other programs disturb little.
        wall_samples_per_second: By the clock on the wall, which they do disturb.
        encode_ms: Processor time of one encode of a finished prompt.
        ratio: Processor time of making a sample over that of encoding its prompt right after.
    """

    task: str
    tokens: int
    tokenizer: str
    samples_per_second: float
    wall_samples_per_second: float
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
    tokenizers. Each follows the making of its prompt, so that both meet the machine in the same state.
    Raises ValueError for an unknown task or tokenizer, or a length too short.
    """
    counter = load_tokenizer(tokenizer)
    for chosen in tasks:
        task = get_task(chosen) if isinstance(chosen, str) else chosen
        for length in lengths:
            yield _pace(task, length, tokenizer, counter, n, seed)


def _pace(task: Task, length: int, name: str, tokenizer: Tokenizer, n: int, seed: int) -> Pace:
    task.sample(seed=seed, index=0, length=length, tokenizer=tokenizer)  # fills the caches
    made, walls, encoded = [], [], []
    for index in range(1, n + 1):
        sample, cpu, wall = _timed(lambda: task.sample(seed=seed, index=index, length=length, tokenizer=tokenizer))  # noqa: B023
        made.append(cpu)
        walls.append(wall)
        encoded.append(_timed(lambda: tokenizer.encode_once(sample.prompt))[1])  # noqa: B023
    return Pace(
        task=task.name,
        tokens=length,
        tokenizer=name,
        samples_per_second=1 / statistics.median(made),
        wall_samples_per_second=1 / statistics.median(walls),
        encode_ms=statistics.median(encoded) * 1e3,
        ratio=statistics.median(making / encoding for making, encoding in zip(made, encoded)),
    )


def _timed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """What `call` returns, and its seconds by the processor and on the wall."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return result, time.process_time() - cpu, time.perf_counter() - wall
