"""What one evaluation is of: a model, a backend, a task and a length."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from nl_tasks.generators.lengths import format_length


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of a grid of evaluations; two cells are the same if all fields are.

    Attributes:
        model: Hub id, or the name of a local folder.
        model_hash: Of configuration and weights, see `eval_hashes.model_hash`.
        tokenizer_hash: Fingerprint of the tokenizer that the samples were made for.
        dtype: Of the weights, as `float32`.
        backend: As `parse_backend` reads it, as `quest:sparsity=0.9`.
        dense_layers: Layers left to full attention.
        task: Name of the task.
        version: Of the task.
        params: The task's knobs, as canonical JSON.
        length: Tokens of each prompt.
        seed: Of the samples.
        n: Number of samples, indices 0 to n - 1.
        max_new_tokens: Tokens of each answer at most.
    """

    model: str
    model_hash: str
    tokenizer_hash: str
    dtype: str
    backend: str
    dense_layers: tuple[int, ...] = ()
    task: str
    version: str
    params: str
    length: int
    seed: int
    n: int
    max_new_tokens: int

    @property
    def key(self) -> str:
        """Twelve hex digits that only this cell has."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:12]

    @property
    def path(self) -> str:
        """Where its result lies within a folder of results."""
        place = f"{_slug(self.model)}/{self.task}_{format_length(self.length)}"
        return f"{place}/{_slug(self.backend)}-{self.key}.json"

    @property
    def question(self) -> tuple[object, ...]:
        """All but the backend and its dense layers: cells that share it answered the same samples with one model."""
        return tuple(getattr(self, field.name) for field in fields(self) if field.name not in _METHOD)

    def as_json(self) -> dict[str, Any]:
        """Plain data; knobs as an object."""
        return {**asdict(self), "dense_layers": list(self.dense_layers), "params": json.loads(self.params)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The inverse of `as_json`. Raises TypeError or KeyError for other data."""
        params = json.dumps(data["params"], sort_keys=True, separators=(",", ":"))
        return cls(**{**data, "params": params, "dense_layers": tuple(data["dense_layers"])})


_METHOD = ("backend", "dense_layers")


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.=]+", "-", text).strip("-.")
