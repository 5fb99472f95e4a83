"""Story retrieval: look up places, people and items, each in one chapter of a long story."""

from dataclasses import dataclass
from typing import Literal

from nl_tasks.generators.randomness import Key
from nl_tasks.generators.story import Asked, Scene, StoryTask
from nl_tasks.generators.story_ledger import Chapter, Ledger
from nl_tasks.generators.task import register

_KINDS = ("place", "person", "item")
_EVIDENCE = {"place": "arrival", "person": "meeting", "item": "trade"}
_BY_CHAPTER = {
    "place": "Which place did {hero} come to in chapter {number}?",
    "person": "Whom did {hero} meet in chapter {number}?",
    "item": "Which item did {hero} buy in chapter {number}?",
}
_BY_RELATION = {
    "place": "In which place did {hero} buy the {item}?",
    "person": "From whom did {hero} buy the {item}?",
    "item": "Which item did {hero} buy from {person} in {place}?",
}


@register
@dataclass(frozen=True, kw_only=True)
class StoryRetrieval(StoryTask):
    """Answer questions about the place, person or item of single chapters (arXiv 2504.17768, Story Retrieval).

    Attributes:
        num_queries: Questions a sample asks, each about a chapter of its own.
        ask_by: `chapter` names the chapter; `relation` names what else happened there, so no number is a needle.
        trade_density: Share of chapters in which the protagonist buys something.
    """

    name = "story_retrieval"
    version = "1"
    config = "retrieval"
    num_queries: int = 16
    ask_by: Literal["chapter", "relation"] = "chapter"
    trade_density: float = 0.7

    def __post_init__(self) -> None:
        """Raise ValueError for a knob out of range."""
        super().__post_init__()
        self.require("num_queries", 1 <= self.num_queries <= 1000, "1 to 1000")
        self.require("ask_by", self.ask_by in ("chapter", "relation"), "chapter or relation")
        self.require("trade_density", 0 <= self.trade_density <= 1, "0 to 1")

    @property
    def metric(self) -> str:
        """Share of questions answered exactly."""
        return "items" if self.style == "chat" else "items:plain"

    @property
    def density(self) -> float:
        """Share of filler chapters with a purchase."""
        return self.trade_density

    def scenes(self, key: Key) -> list[Scene]:
        """One chapter for each question; the protagonist buys something in each."""
        numbers = range(self.num_queries)
        return [Scene(key.depth(f"query {n}"), (Chapter(bought=True),)) for n in numbers]

    def ask(self, key: Key, ledger: Ledger, numbers: list[int]) -> Asked:
        """One question for each evidence row, of a random kind."""
        kinds = key.stream("kinds").below(len(_KINDS), self.num_queries).tolist()
        lines, answers, evidence = [], [], []
        for row, kind in enumerate(_KINDS[number] for number in kinds):
            facts = {"place": ledger.place_name(row), "person": ledger.person_name(row), "item": ledger.item_name(row)}
            wording = (_BY_CHAPTER if self.ask_by == "chapter" else _BY_RELATION)[kind]
            lines.append(f"{row + 1}. {wording.format(hero=self.protagonist, number=numbers[row], **facts)}")
            answers.append(facts[kind])
            columns = [_EVIDENCE[kind]] if self.ask_by == "chapter" else _relation_columns(kind)
            evidence += [(row, column, f"query {row + 1}") for column in columns]
        return Asked("\n".join(lines), answers, evidence, {"count": self.num_queries})


def _relation_columns(kind: str) -> list[str]:
    return ["arrival", "trade"] if kind != "person" else ["trade"]
