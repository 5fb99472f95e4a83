"""Multiple choice on long articles and stories."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nl_tasks.generators.qa import QaTask
from nl_tasks.generators.qa_corpus import Found, Source, json_lines
from nl_tasks.generators.task import register


def read_file(text: str) -> Iterator[Found]:
    """The questions of a JSON Lines file as QuALITY is published; those without a gold label are left out."""
    for article in json_lines(text):
        for question in article["questions"]:
            if "gold_label" in question:
                options = tuple(question["options"])
                letter = "ABCD"[question["gold_label"] - 1]
                yield Found(article["article"], question["question"], (letter,), options)


def read_row(row: dict[str, Any]) -> Iterator[Found]:
    """The question of a row of `emozilla/quality`, whose answers count from 0, or of one with QuALITY's own labels."""
    number = row["gold_label"] - 1 if "gold_label" in row else row["answer"]
    yield Found(row["article"], row["question"], ("ABCD"[number],), tuple(row["options"]))


@register
@dataclass(frozen=True, kw_only=True)
class QaQuality(QaTask):
    """Choose the right one of four answers to a question about one of several articles (QuALITY, arXiv 2112.08608).

    By default, articles of more than 4500 words are not asked about, so that 8k tokens can hold each of the others.
    """

    name = "qa_quality"
    version = "1"
    config = "quality"
    reader = Source("qa_quality", ("emozilla/quality", "validation"), read_file, read_row)
    max_words: int = 4500

    @property
    def metric(self) -> str:
        """1 for the right letter, else 0."""
        return self.scorer("choice")
