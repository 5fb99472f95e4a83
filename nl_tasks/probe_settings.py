"""All that a probe's training depends on."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nl_tasks.generators.ruler_niah import RulerNiah
from nl_tasks.generators.story_filtering import StoryFiltering
from nl_tasks.generators.story_multihop import StoryMultihop
from nl_tasks.generators.story_retrieval import StoryRetrieval
from nl_tasks.generators.task import Task
from nl_tasks.probe_data import STAGES, TOKENS, WIDTHS, Course, HeldOut

HELD_OUT_TASKS: tuple[Task, ...] = (
    StoryRetrieval(num_queries=4),
    StoryRetrieval(num_queries=4, ask_by="relation"),
    StoryMultihop(),
    StoryMultihop(hops=2),
    StoryFiltering(),
    RulerNiah(),
)
_WARM_UP, _LAST_RATE = 100, 0.03
_ALL_OPEN = STAGES[-2][0]  # where the last stage begins


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that a training depends on, but for where and how fast it runs.

    Attributes:
        base: The folder of the model that is adapted.
        steps: Batches to learn from.
        seed: Of the batches and of the first weights.
        rank: Of the updates. The adapter has about 0.3 MB for each.
        scale: Factor of the updates, alpha / rank in the words of LoRA.
        rate: Highest learning rate.
        level: Share of the steps before it falls: until the longest texts have come often, for each length is learnt in
            a jump, which a small rate puts off. A training that goes on from another has less to wait for.
        widths, tokens: See `Course`.
        held_out: Texts for each task and length that are scored on the way; 0 leaves it out.
        lengths: Of these texts, in tokens.
        start: The adapter of another training to go on from, with texts of all lengths from the first step.
    """

    base: str
    steps: int = 2000
    seed: int = 0
    rank: int = 16
    scale: float = 2.0
    rate: float = 1e-3
    level: float = 0.55
    widths: tuple[int, ...] = WIDTHS
    tokens: int = TOKENS
    held_out: int = 24
    lengths: tuple[int, ...] = (2048, 4096, 8192)
    tasks: tuple[Task, ...] = field(default=HELD_OUT_TASKS)
    start: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError if `level` is out of range."""
        if not 0 <= self.level < 1:
            raise ValueError(f"level={self.level} is out of range: 0 <= level < 1")

    def rate_at(self, step: int) -> float:
        """The learning rate of a step: up in a line, level for long, at last down as a cosine."""
        warm = min(1.0, (step + 1) / min(_WARM_UP, max(1, self.steps // 10)))
        falling = max(0.0, (step / self.steps - self.level) / (1 - self.level))
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, falling)))
        return self.rate * warm * (_LAST_RATE + (1 - _LAST_RATE) * fall)

    def course(self) -> Course:
        """The batches to learn from."""
        return Course(
            tokenizer=self.base,
            seed=self.seed,
            steps=self.steps,
            widths=self.widths,
            tokens=self.tokens,
            opened=_ALL_OPEN if self.start else 0.0,
        )

    def tests(self) -> HeldOut:
        """The texts that are scored on the way; none if `held_out` is 0."""
        return HeldOut.of(self.base, self.tasks if self.held_out else (), self.lengths, self.held_out)

    def described(self) -> str:
        """The settings as JSON text: the base by its folder's name, the adapter to start from by its SHA-256."""
        known: dict[str, Any] = {**asdict(self), "base": Path(self.base).name}
        if self.start:
            known["start"] = hashlib.sha256(Path(self.start).read_bytes()).hexdigest()
        del known["tasks"]
        return json.dumps(known, sort_keys=True)
