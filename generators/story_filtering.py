"""Story filtering: find the chapters in which the protagonist bought nothing."""

from dataclasses import dataclass
from typing import Literal

from nl_tasks.generators.randomness import Key
from nl_tasks.generators.story import Asked, Scene, StoryTask
from nl_tasks.generators.story_ledger import Chapter, Ledger
from nl_tasks.generators.task import register


@register
@dataclass(frozen=True, kw_only=True)
class StoryFiltering(StoryTask):
    """Name the chapters without a purchase (arXiv 2504.17768, Story Filtering): aggregation over the whole story.

    Attributes:
        num_chapters: Chapters without a purchase; in the modes `count` and `list`, which do not tell how many
            there are, the most there can be.
        mode: `filter` tells the number and asks for the chapters, `list` asks without telling, `count` asks how many.
    """

    name = "story_filtering"
    version = "1"
    config = "filtering"
    num_chapters: int = 3
    mode: Literal["filter", "count", "list"] = "filter"

    def __post_init__(self) -> None:
        """Raise ValueError for a knob out of range."""
        super().__post_init__()
        self.require("num_chapters", 1 <= self.num_chapters <= 1000, "1 to 1000")
        self.require("mode", self.mode in ("filter", "count", "list"), "filter, count or list")

    @property
    def metric(self) -> str:
        """Intersection over union of chapter numbers; for a count, 1 if it is right."""
        metric = "exact_match" if self.mode == "count" else "iou"
        return metric if self.style == "chat" else f"{metric}:plain"

    def scenes(self, key: Key) -> list[Scene]:
        """The chapters without a purchase, each at a depth of its own."""
        count = self.num_chapters if self.mode == "filter" else 1 + key.stream("count").one(self.num_chapters)
        return [Scene(key.depth(f"gap {n}"), (Chapter(bought=False),)) for n in range(count)]

    def ask(self, key: Key, ledger: Ledger, numbers: list[int]) -> Asked:
        """The question in the words of the mode; the evidence is each whole chapter, for no sentence alone shows it."""
        evidence = [(row, "chapter", f"gap {row + 1}") for row in range(len(numbers))]
        hero, count = self.protagonist, len(numbers)
        if self.mode == "count":
            question = f"In how many chapters does {hero} buy nothing?"
            wanted, form, cue = "Answer with one number.", "number of chapters", "The number of those chapters is:"
            return Asked(question, [str(count)], evidence, {"wanted": wanted, "form": form, "cue": cue})
        if self.mode == "filter":
            plural = "chapter" if count == 1 else "chapters"
            question = (
                f"There {'is' if count == 1 else 'are'} exactly {count} {plural} in which {hero} buys nothing. Which?"
            )
        else:
            question = f"In which chapters does {hero} buy nothing?"
        wanted = "Answer with the chapter numbers alone, separated by commas."
        variables = {
            "wanted": wanted,
            "form": "chapter numbers, separated by commas",
            "cue": "The chapter numbers are:",
        }
        return Asked(question, [str(number) for number in sorted(numbers)], evidence, variables)
