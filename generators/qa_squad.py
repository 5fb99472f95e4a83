"""Questions on single paragraphs of Wikipedia, each to be answered with a few words of its paragraph."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from nl_tasks.generators.qa import QaTask
from nl_tasks.generators.qa_corpus import Found, Source
from nl_tasks.generators.task import register


def read_file(text: str) -> Iterator[Found]:
    """The questions of a file as SQuAD is published (versions 1 and 2); those without an answer are left out."""
    for article in json.loads(text)["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                texts = [answer["text"] for answer in question["answers"]]
                starts = [answer["answer_start"] for answer in question["answers"]]
                yield from _found(paragraph["context"], question["question"], texts, starts)


def read_row(row: dict[str, Any]) -> Iterator[Found]:
    """The question of a row of `rajpurkar/squad`."""
    yield from _found(row["context"], row["question"], row["answers"]["text"], row["answers"]["answer_start"])


def _found(context: str, question: str, texts: list[str], starts: list[int]) -> Iterator[Found]:
    if texts:
        yield Found(context, question, tuple(texts), start=starts[0])


@register
@dataclass(frozen=True, kw_only=True)
class QaSquad(QaTask):
    """Answer a question about one of many paragraphs in a few words (SQuAD, arXiv 1606.05250).

    Attributes:
        measure: f1 for the share of common words, exact for the whole answer; the best of all gold answers counts.
    """

    name = "qa_squad"
    version = "1"
    config = "squad"
    reader = Source("qa_squad", ("rajpurkar/squad", "validation"), read_file, read_row)
    measure: Literal["f1", "exact"] = "f1"

    def __post_init__(self) -> None:
        """Raise ValueError for a knob out of range."""
        super().__post_init__()
        self.require("measure", self.measure in ("f1", "exact"), "f1 or exact")

    @property
    def metric(self) -> str:
        """SQuAD's token F1, or its exact match."""
        return self.scorer("squad_f1" if self.measure == "f1" else "squad_em")
