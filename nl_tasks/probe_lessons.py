"""What a probe learns from: our tasks with varied knobs, and two exercises that ask one step of them many times.

Training samples are drawn under a name of their own (`training_key`), which no task has: whatever seed and index an
evaluation is given, it draws other samples.
"""

from collections.abc import Callable
from dataclasses import dataclass

from nl_tasks.generators.codes import Kind
from nl_tasks.generators.randomness import Key, Stream
from nl_tasks.generators.ruler_niah import RulerNiah
from nl_tasks.generators.ruler_vt import RulerVt
from nl_tasks.generators.story import Asked, Scene
from nl_tasks.generators.story_filtering import StoryFiltering
from nl_tasks.generators.story_ledger import Chapter, Ledger
from nl_tasks.generators.story_multihop import StoryMultihop
from nl_tasks.generators.story_retrieval import StoryRetrieval
from nl_tasks.generators.task import Task

NAMESPACE = "probe-training"
NOTHING = "nothing"
_CHAPTER = 230  # tokens, about: how many questions a text has room for
_FRAME = 450


def training_key(task: Task, seed: int, index: int) -> Key:
    """The random key of a training sample; `Task.key`, from which evaluation draws, begins with a task's bare name."""
    return Key(f"{NAMESPACE}/{task.name}", task.version, task.params, seed, index)


@dataclass(frozen=True, kw_only=True)
class Bought(StoryRetrieval):
    """An exercise for filtering: which item was bought in each of some chapters, where nothing was in every second."""

    version = "probe-bought"

    def scenes(self, key: Key) -> list[Scene]:
        """One chapter for each question, with or without a purchase."""
        bought = key.stream("bought").below(2, self.num_queries).tolist()
        return [Scene(key.depth(f"query {n}"), (Chapter(bought=bool(b)),)) for n, b in enumerate(bought)]

    def ask(self, key: Key, ledger: Ledger, numbers: list[int]) -> Asked:
        """The chapter's number is all that is told."""
        lines = [
            f"{row + 1}. Which item did {self.protagonist} buy in chapter {numbers[row]}?"
            for row in range(self.num_queries)
        ]
        answers = [ledger.item_name(row) if ledger.bought[row] else NOTHING for row in range(self.num_queries)]
        evidence = [(row, "chapter", f"query {row + 1}") for row in range(self.num_queries)]
        return Asked("\n".join(lines), answers, evidence, {"count": self.num_queries})


@dataclass(frozen=True, kw_only=True)
class BoughtBefore(StoryRetrieval):
    """An exercise for multi-hop: the item bought last before each of several others."""

    version = "probe-bought-before"
    trade_density: float = 0.6

    def scenes(self, key: Key) -> list[Scene]:
        """Two purchases for each question, none to two chapters apart."""
        gaps = key.stream("gaps").below(3, self.num_queries).tolist()
        return [
            Scene(key.depth(f"query {n}"), (Chapter(bought=True), *[Chapter(bought=False)] * gap, Chapter(bought=True)))
            for n, gap in enumerate(gaps)
        ]

    def ask(self, key: Key, ledger: Ledger, numbers: list[int]) -> Asked:
        """The words of the multi-hop task, numbered."""
        lines, answers, evidence, row = [], [], [], 0
        for number, gap in enumerate(key.stream("gaps").below(3, self.num_queries).tolist(), 1):
            last = row + gap + 1
            item = ledger.item_name(last)
            hero = self.protagonist
            lines.append(f"{number}. Take the last item that {hero} bought before buying the {item}. Which item is it?")
            answers.append(ledger.item_name(row))
            evidence += [(last, "trade", f"query {number}"), (row, "trade", f"query {number}")]
            row = last + 1
        return Asked("\n".join(lines), answers, evidence, {"count": self.num_queries})


def draw_task(stream: Stream, width: int) -> Task:
    """A task for a text of up to `width` tokens, its knobs varied; it may still turn out to need more room."""
    weights = [weight for weight, _ in _MIXTURE]
    at = stream.one(sum(weights))
    for weight, make in _MIXTURE:
        if at < weight:
            return make(stream, max(1, (width - _FRAME) // _CHAPTER))
        at -= weight
    raise AssertionError("weights do not add up")


def _retrieval(stream: Stream, chapters: int) -> Task:
    return StoryRetrieval(
        num_queries=1 + stream.one(min(8, chapters)),
        ask_by=("relation", "relation", "chapter")[stream.one(3)],
        trade_density=(0.7, 0.5, 1.0)[max(0, stream.one(4) - 1)],
    )


def _multihop(stream: Stream, chapters: int) -> Task:
    hops = 1 if chapters < 5 else 2 if stream.one(8) == 0 else 1
    gap = min(3, max(0, chapters - 2))
    return StoryMultihop(hops=hops, max_gap=gap, trade_density=(0.6, 0.6, 0.4, 0.8, 1.0)[stream.one(5)])


def _filtering(stream: Stream, chapters: int) -> Task:
    turn = stream.one(7)
    most = min(8, max(1, chapters // 2))
    count = min(3, most) if stream.one(2) else 1 + stream.one(most)
    return StoryFiltering(num_chapters=count, mode="list" if turn == 5 else "count" if turn == 6 else "filter")


def _bought(stream: Stream, chapters: int) -> Task:
    return Bought(num_queries=min(12, max(1, chapters * 2 // 3)), trade_density=0.7)


def _bought_before(stream: Stream, chapters: int) -> Task:
    return BoughtBefore(num_queries=min(8, max(1, chapters // 4)), trade_density=0.6)


def _niah(stream: Stream, chapters: int) -> Task:
    kinds: tuple[Kind, ...] = ("uuid",) * 6 + ("words", "numbers")
    return RulerNiah(
        num_queries=1 + stream.one(min(8, chapters)), keys=kinds[stream.one(8)], values=kinds[stream.one(8)]
    )


def _vt(stream: Stream, chapters: int) -> Task:
    return RulerVt(num_chains=(8, 8, 2, 4)[stream.one(4)], num_hops=(4, 4, 2, 3)[stream.one(4)])


_MIXTURE: tuple[tuple[int, Callable[[Stream, int], Task]], ...] = (
    (28, _retrieval),
    (12, _multihop),
    (14, _filtering),
    (3, _bought),
    (5, _bought_before),
    (31, _niah),
    (7, _vt),
)
"""Shares of the samples, in percent. The exercises teach a step of the two hard tasks with many answers a text."""
