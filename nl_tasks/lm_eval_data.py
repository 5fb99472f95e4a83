"""The samples of an lm-eval task: made on the fly for the evaluated model's tokenizer, or read from a dataset.

lm-eval hands over the task's metadata, the model's arguments and `--metadata` in one dictionary. What is ours in it:

    lengths    tokens of the prompts, as ["4k", "16k"] (default: 4k); tasks that name their length have that one
    samples    samples for each length (default: 50)
    seed       default: 43
    knobs      of the tasks, as {"hops": 2, "story_retrieval.num_queries": 4}
    tokenizer  default: the model's
    data       a dataset folder or Hub id to read finished samples from instead
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nl_tasks.dataset import read_dataset
from nl_tasks.generators.lengths import format_length, parse_length
from nl_tasks.generators.sample import Sample
from nl_tasks.generators.task import get_task, knob_types, task_types
from nl_tasks.generators.tokenizers import load_tokenizer
from nl_tasks.local_models import model_folder

OPTIONS = ("lengths", "samples", "seed", "knobs", "tokenizer", "data")
DEFAULT_LENGTH, DEFAULT_SAMPLES, DEFAULT_SEED = "4k", 50, 43


@dataclass(frozen=True, kw_only=True)
class Request:
    """What one lm-eval task is to be asked: `lengths` in tokens, `samples` for each of them."""

    task: str
    lengths: tuple[int, ...]
    samples: int
    seed: int
    knobs: Mapping[str, Any]
    tokenizer: str
    data: str

    def rows(self) -> list[Sample]:
        """The samples, by length and index. Raises ValueError if they cannot be had as asked."""
        return list(self._from_dataset() if self.data else self._made())

    def _made(self) -> Iterator[Sample]:
        if not self.tokenizer:
            raise ValueError(
                f"{self.task}: which tokenizer does the model have? say so with --metadata '{{\"tokenizer\": ...}}'"
            )
        task = get_task(self.task, **self.knobs)
        tokenizer = load_tokenizer(model_folder(self.tokenizer))
        for length in self.lengths:
            for index in range(self.samples):
                try:
                    yield task.sample(seed=self.seed, index=index, length=length, tokenizer=tokenizer)
                except ValueError as error:
                    raise ValueError(f"{self.task}: {error}") from None

    def _from_dataset(self) -> Iterator[Sample]:
        config = task_types()[self.task].config
        for length in self.lengths:
            name = f"{config}_{format_length(length)}"
            samples = read_dataset(self.data, name) if Path(self.data).is_dir() else _read_hub(self.data, name)
            chosen = [sample for _, sample in zip(range(self.samples), samples)]
            if len(chosen) < self.samples:
                raise ValueError(f"{self.data} holds {len(chosen)} samples of {name}, asked were {self.samples}")
            yield from chosen


def read_request(metadata: Mapping[str, Any], *, task: str, length: str | int | None = None) -> Request:
    """What `metadata` asks of `task`; `length` is fixed by the task's name. Raises ValueError for misspelt options."""
    for key in metadata:
        close = difflib.get_close_matches(str(key), OPTIONS, n=1, cutoff=0.8)
        if close and key not in OPTIONS:
            raise ValueError(f"metadata {key!r}: did you mean {close[0]!r}?")
    lengths = [length] if length else metadata.get("lengths", DEFAULT_LENGTH)
    lengths = [lengths] if isinstance(lengths, str | int) else lengths
    samples = metadata.get("samples", DEFAULT_SAMPLES)
    if not isinstance(samples, int) or samples < 1:
        raise ValueError(f"metadata samples={samples!r} is out of range: 1 or more")
    knobs = metadata.get("knobs", {})
    data = str(metadata.get("data") or "")
    if data and knobs:
        raise ValueError(f"metadata knobs={knobs!r}: the samples in {data} are finished, their knobs cannot be set")
    return Request(
        task=task,
        lengths=tuple(map(parse_length, lengths)),
        samples=samples,
        seed=int(metadata.get("seed", DEFAULT_SEED)),
        knobs=_knobs_of(task, knobs),
        tokenizer=str(metadata.get("tokenizer") or metadata.get("pretrained") or metadata.get("model") or ""),
        data=data,
    )


def _knobs_of(task: str, knobs: Mapping[str, Any]) -> dict[str, Any]:
    """The knobs meant for `task`: those it has, and those written `task.knob`, which win."""
    known = task_types()
    own: dict[str, Any] = {}
    for setting, value in sorted(knobs.items(), key=lambda item: "." in item[0]):
        target, _, knob = setting.rpartition(".")
        if target not in ("", *known) or not any(knob in knob_types(cls) for cls in known.values()):
            raise ValueError(f"metadata knobs: no task has {setting!r} (nl-tasks list shows what there is)")
        if target == task or (not target and knob in knob_types(known[task])):
            own[knob] = value
    return own


def _read_hub(name: str, config: str) -> Iterator[Sample]:
    from datasets import load_dataset

    for row in load_dataset(name, config, split="test"):
        yield Sample.from_row(row)
