"""Tasks of an installed package, as third parties offer them: quick to make, and failing or slow when told to."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nl_tasks.generators.sample import Evidence, Sample, content_hash, sample_id
from nl_tasks.generators.task import Task
from nl_tasks.generators.tokenizers import Tokenizer

SMALLEST = 40


@dataclass(frozen=True, kw_only=True)
class ToyWords(Task):
    """Which number does the text name?

    Further words stand around it.

    Attributes:
        colour: What the number is painted in.
        pause: Seconds that a sample takes.
        bad_index: The sample that fails, if it is not negative.
        death: Whether it takes its process with it.
    """

    name = "toy_words"
    version = "1"
    dataset = "toys/words"
    config = "words"

    colour: Literal["red", "blue"] = "red"
    pause: float = 0.0
    bad_index: int = -1
    death: bool = False

    def __post_init__(self) -> None:
        self.require("pause", 0 <= self.pause <= 1, "0 to 1 seconds")

    @property
    def metric(self) -> str:
        return "exact_match"

    def draft(self, key):  # what a toy has instead is `sample` itself
        raise NotImplementedError

    def smallest_length(self, *, seed: int, indices: Iterable[int], tokenizer: Tokenizer) -> int:
        return SMALLEST + max(indices) % 2

    def sample(self, *, seed: int, index: int, length: int, tokenizer: Tokenizer) -> Sample:
        if "TOY_MARK" in os.environ:
            Path(os.environ["TOY_MARK"]).touch()
        time.sleep(self.pause)
        if index == self.bad_index:
            if self.death:
                os._exit(9)
            raise LookupError("a toy broke")
        number = self.key(seed, index).stream("number").one(1000)
        fact = f"The {self.colour} number is {number}."
        before = self.key(seed, index).stream("place").one(length - SMALLEST + 1)
        start, end = "Which number is it?", " Name the number."
        fixed = tokenizer.count_prompt(f"{start} {fact}{end}")
        words = length - fixed
        if words < 0:
            raise ValueError(f"length {length} is too short: the smallest that works is {fixed}")
        before = min(before, words)
        head = start + " a" * before + " "
        prompt = head + fact + " a" * (words - before) + end
        answers = [str(number)]
        return Sample(
            id=sample_id(self.name, length, seed, index),
            task=self.name,
            index=index,
            seed=seed,
            version=self.version,
            prompt=prompt,
            question="Which number is it?",
            answers=answers,
            metric=self.metric,
            target_tokens=length,
            num_tokens=tokenizer.count_prompt(prompt),
            tokenizer=tokenizer.name,
            depths=[len(head) / len(prompt)],
            evidence=[Evidence(len(head), len(head) + len(fact), "number")],
            params=self.params,
            sha256=content_hash(prompt, answers),
        )


@dataclass(frozen=True, kw_only=True)
class ToyTwin(ToyWords):
    """The same under the same config name."""

    name = "toy_twin"


@dataclass(frozen=True, kw_only=True)
class ToyOther(ToyWords):
    """The same in another dataset, with a knob more."""

    name = "toy_other"
    dataset = "toys/other"
    config = "other"
    size: int = 1


@dataclass(frozen=True, kw_only=True)
class ToyShort(ToyWords):
    """The same with a source of text that runs out."""

    name = "toy_short"
    config = "short"

    def longest_length(self, *, seed: int, indices: Iterable[int], tokenizer: Tokenizer) -> int | None:
        return 1000 - max(indices)


def square(number: int) -> int:
    """A job for workers: odd numbers take longer."""
    time.sleep(0.002 * (number % 2))
    return number * number


def fail_at_five(number: int) -> int:
    """A job that fails once."""
    if number == 5:
        raise ValueError("five is right out")
    return number


def die_at_five(number: int) -> int:
    """A job that takes its process with it."""
    if number == 5:
        os._exit(7)
    return number


def fail_oddly(number: int) -> int:
    """A job whose exception does not survive pickling."""

    class OddError(Exception):
        pass

    raise OddError(f"odd {number}")
