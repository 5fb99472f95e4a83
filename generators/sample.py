"""One sample: a prompt of exactly `target_tokens` tokens, its gold answers and where the evidence stands."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Evidence:
    """A span of the prompt that the answer needs: `prompt[start:end]` in characters, and the part it plays."""

    start: int
    end: int
    role: str


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One row of a dataset; every task has these columns and no others.

    `depths[i]` is where `evidence[i]` lies in the context, 0 (its first character) to 1 (its last).
    `num_tokens` counts what a model will read (chat template included, if the tokenizer has one) and
    equals `target_tokens`. `params` is the JSON text of the task's knobs, `sha256` covers prompt and answers.
    """

    id: str
    task: str
    index: int
    seed: int
    version: str
    prompt: str
    question: str
    answers: list[str]
    metric: str
    target_tokens: int
    num_tokens: int
    tokenizer: str
    depths: list[float]
    evidence: list[Evidence]
    params: str
    sha256: str

    def row(self) -> dict[str, Any]:
        """The sample as plain Python data, ready for JSON or Arrow."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Sample":
        """The inverse of `row`. Raises TypeError for missing or foreign columns."""
        return cls(**{**row, "evidence": [Evidence(**span) for span in row["evidence"]]})


def content_hash(prompt: str, answers: list[str]) -> str:
    """SHA-256 (hex) of the prompt and its gold answers, joined by NUL characters: the column `sha256`."""
    return hashlib.sha256("\0".join([prompt, *answers]).encode()).hexdigest()


def sample_id(task: str, target_tokens: int, seed: int, index: int) -> str:
    """The name of a sample within its dataset, as `story_multihop/131072/43/7`."""
    return f"{task}/{target_tokens}/{seed}/{index}"
