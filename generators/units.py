"""Contexts that are a row of units: statements, list entries, documents. What RULER and QA tasks have in common.

A task says what its units are and what each costs; here they become a prompt, and the spans of the evidence follow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nl_tasks.generators.fitting import Body, Fitted
from nl_tasks.generators.prompt_template import prompt_template
from nl_tasks.generators.randomness import Key
from nl_tasks.generators.sample import Evidence
from nl_tasks.generators.task import Task
from nl_tasks.generators.tokenizers import Tokenizer

_CONTEXT = "\0"
PADDING = 128
"""Padding texts that a body offers."""

SLACK = 4
"""Tokens to leave beside `MARGIN`: which unit comes first, and loses its white space, is known only at the end."""


@dataclass(frozen=True)
class Mark:
    """Evidence within a unit: characters `start` to `end` of the unit numbered `unit`, and the part it plays."""

    unit: int
    start: int
    end: int
    role: str


@dataclass(frozen=True)
class Frame:
    """What stands before and after the context, the question and its gold answers."""

    before: str
    after: str
    chat: bool
    question: str
    answers: list[str]

    def tokens(self, unit: str, cost: int, tokenizer: Tokenizer) -> int:
        """Tokens of the prompt without its context; `unit` is one that could open it, and costs `cost` elsewhere."""
        return tokenizer.count_prompt(self.before + unit.lstrip() + self.after, chat=self.chat) - cost


def frame(task: Task, *, chat: bool, question: str, answers: list[str], **variables: object) -> Frame:
    """The prompt of `task` around its context, from its template, which also sees `variables`."""
    filled = prompt_template(task).render(task=task, question=question, context=_CONTEXT, **variables)
    before, _, after = filled.strip().partition(_CONTEXT)
    return Frame(before, after, chat, question, answers)


@dataclass
class UnitsBody(Body):
    """Units in order; padding texts are still to be added, each after a unit of its own.

    Attributes:
        frame: What stands around the units.
        units: Their texts; the first loses its leading white space.
        marks: The evidence.
        tokens: Tokens of the prompt without padding.
        padding: Texts that may follow any unit.
        padding_costs: Tokens of each, int64 `[len(padding)]`.
        hosts: Which unit each padding text follows, as a share of the units, uint32 `[len(padding)]`.
    """

    frame: Frame
    units: list[str]
    marks: list[Mark]
    tokens: int
    padding: Sequence[str]
    padding_costs: np.ndarray
    hosts: np.ndarray

    def finish(self, padding: Sequence[int]) -> Fitted:
        """The prompt with these padding texts."""
        units = self.padded(padding)
        lead = len(units[0]) - len(units[0].lstrip())
        begin = len(self.frame.before)
        context = "".join(units)[lead:]
        starts = np.cumsum([begin - lead, *map(len, units)])
        evidence, depths = [], []
        for mark in self.marks:
            at = int(starts[mark.unit])
            start, end = max(begin, at + mark.start), at + mark.end
            evidence.append(Evidence(start, end, mark.role))
            depths.append(round(((start + end) / 2 - begin) / len(context), 6))
        prompt = "".join((self.frame.before, context, self.frame.after))
        return Fitted(prompt, self.frame.question, self.frame.answers, evidence, depths)

    def padded(self, padding: Sequence[int]) -> list[str]:
        """The units with padding texts behind some of them."""
        units = self.units.copy()
        for number in padding:
            units[int(self.hosts[number]) * len(units) >> 32] += self.padding[number]
        return units


def hosts(key: Key) -> np.ndarray:
    """Random hosts for `PADDING` padding texts."""
    return key.stream("padding host").words(PADDING)


def spread(depths: Sequence[float] | np.ndarray, fillers: int) -> np.ndarray:
    """Order of rows by depth: rows 0..n-1 at their `depths` (0 to 1), `fillers` rows from n on around them.

    Returns:
        Rows in their order, int64 `[n + fillers]`. Of rows with one depth the first comes first.
    """
    count = len(depths)
    total, rank = count + fillers, np.arange(count)
    sorted_rows = np.argsort(depths, kind="stable")
    places = (np.asarray(depths)[sorted_rows] * total).astype(np.int64)
    places = np.maximum.accumulate(places - rank) + rank  # no two in one place: later ones move back,
    places = np.minimum(places, total - count + rank)  # and none past the end
    order = np.full(total, -1, dtype=np.int64)
    order[places] = sorted_rows
    order[order < 0] = np.arange(count, total)
    return order
