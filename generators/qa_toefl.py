"""Multiple choice on transcripts of lectures and talks, sometimes with more than one right option."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nl_tasks.generators.qa import QaTask
from nl_tasks.generators.qa_corpus import Found, Source, json_lines
from nl_tasks.generators.task import register

_QUESTION = re.compile(r"\s*Question:\s*(.*?)\s*Options:\s*(A\..*)", re.DOTALL)


def read_file(text: str) -> Iterator[Found]:
    """The questions of a JSON Lines file: `context`, `questions` with their options, `answer` as letters for each."""
    for row in json_lines(text):
        yield from read_row(row)


def read_row(row: dict[str, Any]) -> Iterator[Found]:
    """The questions of one passage."""
    for question, letters in zip(row["questions"], row["answer"], strict=True):
        match = _QUESTION.fullmatch(question)
        if not match:
            raise ValueError(f"qa_toefl: {question[:60]!r} is not of the form 'Question: ... Options: A. ... B. ...'")
        yield Found(row["context"], match[1], (letters,), tuple(_options(match[2])))


def _options(text: str) -> Iterator[str]:
    """The options of `A.first B.second ...`: each letter is looked for after the one before it."""
    rest = text.removeprefix("A.")
    for letter in "BCDEFGH":
        option, found, after = rest.partition(f" {letter}.")
        if not found:
            break
        yield option.strip()
        rest = after
    yield rest.strip()


@register
@dataclass(frozen=True, kw_only=True)
class QaToefl(QaTask):
    """Choose the right answers to a question about one of many transcripts (TOEFL-QA, arXiv 1608.06378).

    No dataset on the Hub has it in a form that can be loaded: give a JSON Lines file as `source`.
    """

    name = "qa_toefl"
    version = "1"
    config = "toefl"
    reader = Source("qa_toefl", None, read_file, read_row)

    @property
    def metric(self) -> str:
        """1 for the right letters, all of them and no others, else 0."""
        return self.scorer("choice")
