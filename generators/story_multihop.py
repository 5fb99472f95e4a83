"""Story multi-hop: from one purchase to the one before it, and on through sellers and places elsewhere."""

from dataclasses import dataclass

from nl_tasks.generators.randomness import Key
from nl_tasks.generators.story import Asked, Scene, StoryTask
from nl_tasks.generators.story_ledger import Chapter, Ledger
from nl_tasks.generators.task import register

_KINDS = ("the item", "the place", "the person", "the item")
_STEPS = (
    "Take the last item that {hero} bought before buying the {target}.",
    "{hero} met the seller of that item in one other chapter as well; go there and take the place where they met.",
    "{hero} came to that place in one other chapter as well; go there and take the person whom {hero} met.",
    "{hero} met that person in one other chapter as well; go there and take the item that {hero} bought.",
)
_ASKS = ("Which item is it?", "Which place is it?", "Who is it?", "Which item is it?")


@register
@dataclass(frozen=True, kw_only=True)
class StoryMultihop(StoryTask):
    """Find the item bought last before another one, and follow further relations (arXiv 2504.17768, Story Multi-hop).

    Attributes:
        hops: 1 asks for the item bought before the target; 2 for the place where its seller was met again; 3 for the
            person met when the protagonist came to that place again; 4 for what was bought from that person elsewhere.
        trade_density: Share of chapters in which the protagonist buys something; between the target and the
            answer lie chapters without a purchase.
        max_gap: Most chapters without a purchase between the target and the item bought before it.
    """

    name = "story_multihop"
    version = "1"
    config = "multihop"
    hops: int = 1
    trade_density: float = 0.6
    max_gap: int = 3

    def __post_init__(self) -> None:
        """Raise ValueError for a knob out of range."""
        super().__post_init__()
        self.require("hops", 1 <= self.hops <= 4, "1 to 4")
        self.require("trade_density", 0 <= self.trade_density <= 1, "0 to 1")
        self.require("max_gap", 0 <= self.max_gap <= 20, "0 to 20")

    @property
    def metric(self) -> str:
        """1 for the right name, else 0."""
        return "exact_match" if self.style == "chat" else "exact_match:plain"

    @property
    def density(self) -> float:
        """Share of filler chapters with a purchase."""
        return self.trade_density

    def scenes(self, key: Key) -> list[Scene]:
        """The purchase before the target, the gap and the target; then one chapter for each further hop."""
        gap = key.stream("gap").one(self.max_gap + 1)
        # Whom and what place a hop goes on from turn up in two chapters; all others are anybody and anywhere.
        seller = 0 if self.hops > 1 else None
        place = 0 if self.hops > 2 else None
        other = 1 if self.hops > 3 else None
        first = Chapter(bought=True, person=seller)
        target = Chapter(bought=True)
        scenes = [Scene(key.depth("target"), (first, *[Chapter(bought=False)] * gap, target))]
        further = [Chapter(bought=True, person=seller, place=place), Chapter(bought=True, person=other, place=place)]
        further.append(Chapter(bought=True, person=other))
        scenes += [Scene(key.depth(f"hop {n + 2}"), (chapter,)) for n, chapter in enumerate(further[: self.hops - 1])]
        return scenes

    def ask(self, key: Key, ledger: Ledger, numbers: list[int]) -> Asked:
        """The chain of steps as one question."""
        target = len(numbers) - self.hops
        hop = range(target, len(numbers))
        golds = [ledger.item_name(0)]
        if self.hops > 1:
            golds.append(ledger.place_name(hop[1]))
        if self.hops > 2:
            golds.append(ledger.person_name(hop[2]))
        if self.hops > 3:
            golds.append(ledger.item_name(hop[3]))
        steps = [step.format(hero=self.protagonist, target=ledger.item_name(target)) for step in _STEPS[: self.hops]]
        evidence = [(target, "trade", "target"), (0, "trade", "hop 1")]
        columns = (("meeting", "arrival"), ("arrival", "meeting"), ("meeting", "trade"))
        for number in range(1, self.hops):
            evidence += [(hop[number], column, f"hop {number + 1}") for column in columns[number - 1]]
        question = " ".join([*steps, _ASKS[self.hops - 1]])
        return Asked(question, [golds[-1]], evidence, {"kind": _KINDS[self.hops - 1]})
