"""A story of exactly the length asked for: evidence chapters at their depths, filler chapters around them."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from nl_tasks.generators import story_lines
from nl_tasks.generators.fitting import MARGIN, Body, Draft, Fitted
from nl_tasks.generators.prompt_template import prompt_template
from nl_tasks.generators.randomness import Key
from nl_tasks.generators.sample import Evidence
from nl_tasks.generators.story_costs import heading, story_costs
from nl_tasks.generators.story_ledger import Chapter, Ledger
from nl_tasks.generators.story_text import ORDER, StoryText
from nl_tasks.generators.task import Task
from nl_tasks.generators.tokenizers import Tokenizer

_CONTEXT = "\0"
_PADDING = 128


@dataclass(frozen=True)
class Scene:
    """Evidence chapters that stand together, and how deep in the story they stand, 0 to 1."""

    depth: float
    chapters: tuple[Chapter, ...]


@dataclass(frozen=True)
class Asked:
    """What a task asks once chapter numbers are known, and the evidence: (evidence row, column, role) each."""

    question: str
    answers: list[str]
    evidence: list[tuple[int, str, str]]
    variables: dict[str, Any]


Ask = Callable[[Ledger, list[int]], Asked]
"""From the ledger and the chapter numbers (from 1) of the evidence rows to what is asked."""


@dataclass(frozen=True, kw_only=True)
class StoryTask(Task):
    """Base of the story tasks (arXiv 2504.17768, section 3.2): knobs of the world and of the prompt.

    Attributes:
        protagonist: One or more capitalised words, the hero's name.
        style: `chat` for a user message, `plain` for base models: no chat template, an answer cue at the end.
    """

    dataset = "sparse-frontier/story"
    protagonist: str = "Tamsin"
    style: Literal["chat", "plain"] = "chat"

    def __post_init__(self) -> None:
        """Raise ValueError for a knob out of range."""
        words = self.protagonist.split(" ")
        named = all(word.isascii() and word.isalpha() and word.istitle() for word in words)
        self.require("protagonist", named, "capitalised words of letters, as Tamsin or Mary Ann")
        self.require("style", self.style in ("chat", "plain"), "chat or plain")

    @property
    def density(self) -> float:
        """Share of filler chapters in which the protagonist buys something."""
        return 1.0

    @abstractmethod
    def scenes(self, key: Key) -> list[Scene]:
        """The evidence chapters; rows are numbered through all scenes in this order."""

    @abstractmethod
    def ask(self, key: Key, ledger: Ledger, numbers: list[int]) -> Asked:
        """What is asked, given the chapter number of each evidence row."""

    def draft(self, key: Key) -> Draft:
        """The sample before its length is known."""
        return StoryDraft(self, key)


class StoryDraft(Draft):
    """A story sample whose length is still open."""

    def __init__(self, task: StoryTask, key: Key) -> None:
        self._task, self._key = task, key
        self.chat = task.style == "chat"
        self.scenes = task.scenes(key)
        self.chapters = [chapter for scene in self.scenes for chapter in scene.chapters]

    def smallest(self, tokenizer: Tokenizer) -> int:
        """The fewest tokens: the evidence chapters alone, and room to close the gap."""
        return self._arrange(0, self._text(0, tokenizer), tokenizer).tokens + MARGIN

    def body(self, length: int, tokenizer: Tokenizer) -> Body:
        """As many filler chapters as fit."""
        usual = _usual(tokenizer)
        text = self._text(int(length / usual.chapter * 1.05) + 8, tokenizer)
        fillers = self._guess(length, text, usual, tokenizer)
        while fillers >= 0:
            body = self._arrange(fillers, text, tokenizer)
            left = length - body.tokens - MARGIN
            if 0 <= left <= 1.5 * usual.chapter:
                return body
            fillers += int((left - usual.chapter / 2) // usual.chapter)
        return self._arrange(0, text, tokenizer)

    def _guess(self, length: int, text: StoryText, usual: "_Usual", tokenizer: Tokenizer) -> int:
        """How many fillers fit, but for the sales, whose sentences are known only once the chapters are in order."""
        count = len(self.chapters)
        costs = text.tokens + text.aside * usual.aside + story_costs(tokenizer).headings(len(text.tokens))
        bare = int(costs[:count].sum()) + len(self.chapters)
        order = place(self.scenes, max(0, int((length - bare) / usual.chapter)))
        bare += _Frame(self._task, self._key, text, order).tokens(tokenizer) + MARGIN + int(usual.chapter / 2)
        return int(np.searchsorted(np.cumsum(costs[count:]), length - bare, side="right"))

    def _text(self, fillers: int, tokenizer: Tokenizer) -> StoryText:
        ledger = Ledger(self._key, self._task.protagonist, self._task.density, self.chapters, fillers)
        return StoryText(ledger, self._task.protagonist, story_costs(tokenizer))

    def _arrange(self, fillers: int, text: StoryText, tokenizer: Tokenizer) -> "StoryBody":
        return StoryBody(self._task, self._key, text, place(self.scenes, fillers), tokenizer)


@dataclass(frozen=True)
class _Usual:
    """Mean tokens of a chapter, and of an aside where there is one."""

    chapter: float
    aside: float


@lru_cache(maxsize=8)
def _usual(tokenizer: Tokenizer) -> _Usual:
    rows = 512
    text = StoryText(Ledger(Key("story", "", "", 0, 0), "Tamsin", 0.7, [], rows), "Tamsin", story_costs(tokenizer))
    before = text.tokens.copy()
    text.tell(np.arange(rows))
    asides = text.tokens - before
    return _Usual(float(text.tokens.mean()) + 7, float(asides.sum() / np.count_nonzero(asides)))


class _Frame:
    """The prompt around a story whose chapters are in order, and what is asked."""

    def __init__(self, task: StoryTask, key: Key, text: StoryText, order: np.ndarray) -> None:
        rows = int(np.count_nonzero(order >= 0))
        self.position = np.empty(rows, dtype=np.int64)
        self.position[order] = np.arange(rows)
        self.asked = task.ask(key, text.ledger, (self.position[: text.ledger.evidence] + 1).tolist())
        self._chat = task.style == "chat"
        filled = prompt_template(task).render(
            task=task, hero=task.protagonist, question=self.asked.question, context=_CONTEXT, **self.asked.variables
        )
        self.before, _, self.after = filled.strip().partition(_CONTEXT)

    def tokens(self, tokenizer: Tokenizer) -> int:
        """Tokens of the prompt without its story."""
        opening = heading(1)
        prompt = self.before + opening[2:] + self.after
        return tokenizer.count_prompt(prompt, chat=self._chat) - int(story_costs(tokenizer).headings(1)[0])


class StoryBody(Body):
    """A story with its chapters in order; padding sentences are still to be added."""

    def __init__(self, task: StoryTask, key: Key, text: StoryText, order: np.ndarray, tokenizer: Tokenizer) -> None:
        self._text, self._order = text, order
        costs = story_costs(tokenizer)
        text.tell(order)
        self._frame = _Frame(task, key, text, order)
        self.tokens = self._frame.tokens(tokenizer)
        self.tokens += int(text.tokens[order].sum() + costs.headings(len(order)).sum())
        words = key.stream("padding").words(_PADDING, story_lines.PADDING.draws)
        self._padding, self.padding_costs = text.padding(words)
        self._host = key.stream("padding host").words(_PADDING)

    def finish(self, padding: Sequence[int]) -> Fitted:
        """The prompt, with padding sentences in chapters anywhere."""
        hosts: dict[int, str] = {}
        for number in padding:
            row = int(self._order[int(self._host[number]) * len(self._order) >> 32])
            hosts[row] = hosts.get(row, "") + self._padding[number]
        parts = [self._headings()]
        blank = [""] * len(self._order)
        for column in ORDER:
            if column == "padding":
                parts.append([hosts.get(row, "") for row in self._order.tolist()])
            else:
                texts = self._text.columns.get(column)
                parts.append(blank if texts is None else texts[self._order].tolist())
        chapters = list(map("".join, zip(*parts)))
        before, after = self._frame.before, self._frame.after
        start = len(before)
        context = "".join(chapters)[2:]
        starts = np.cumsum([0, *map(len, chapters)]) - 2 + start
        evidence, depths = [], []
        for row, column, role in self._frame.asked.evidence:
            position = int(self._frame.position[row])
            at = int(starts[position])
            span = chapters[position]
            begin = 2
            end = len(span)
            if column != "chapter":
                place_in = ORDER.index(column) + 1
                begin = sum(len(part[position]) for part in parts[:place_in])
                line = parts[place_in][position]
                end = begin + len(line)
                begin += len(line) - len(line.lstrip())
            evidence.append(Evidence(at + begin, at + end, role))
            depths.append(round(((at + begin + at + end) / 2 - start) / len(context), 6))
        prompt = "".join((before, context, after))
        return Fitted(prompt, self._frame.asked.question, self._frame.asked.answers, evidence, depths)

    def _headings(self) -> list[str]:
        return [heading(number) for number in range(1, len(self._order) + 1)]


def place(scenes: Sequence[Scene], fillers: int) -> np.ndarray:
    """Rows in story order, int64 `[rows]`: each scene at its depth, fillers between; scenes stay whole.

    A scene counts as one chapter while places are chosen, so that a long one is no likelier to stand at either end.
    """
    sizes = [len(scene.chapters) for scene in scenes]
    firsts = np.cumsum([0, *sizes])
    slots = fillers + len(scenes)
    chosen: dict[int, int] = {}
    for number, scene in enumerate(scenes):
        # Each takes one of the slots that are left: every set of slots is as likely as any other.
        slot = int(scene.depth * (slots - number))
        for taken in sorted(chosen):
            slot += taken <= slot
        chosen[slot] = number
    order = np.full(sum(sizes) + fillers, -1, dtype=np.int64)
    longer = 0
    for slot, number in sorted(chosen.items()):
        start = slot + longer
        order[start : start + sizes[number]] = np.arange(firsts[number], firsts[number + 1])
        longer += sizes[number] - 1
    order[order < 0] = np.arange(sum(sizes), len(order))
    return order
