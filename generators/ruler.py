"""What the RULER tasks have in common: their dataset, and the style of their prompts."""

from dataclasses import dataclass
from typing import Literal

from nl_tasks.generators.task import Task


@dataclass(frozen=True, kw_only=True)
class RulerTask(Task):
    """Base of the tasks after RULER (arXiv 2404.06654), with the parameters of arXiv 2504.17768.

    Attributes:
        style: `chat` for a user message, `plain` for base models: no chat template, an answer cue at the end.
    """

    dataset = "sparse-frontier/ruler"
    style: Literal["chat", "plain"] = "chat"

    def __post_init__(self) -> None:
        """Raise ValueError for a knob out of range."""
        self.require("style", self.style in ("chat", "plain"), "chat or plain")

    @property
    def chat(self) -> bool:
        """Whether the prompt is a chat message."""
        return self.style == "chat"

    def scorer(self, metric: str) -> str:
        """The variant of `metric` that reads answers in this style."""
        return metric if self.chat else f"{metric}:plain"
