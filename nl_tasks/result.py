"""Result files: what one cell of an evaluation gave, in one JSON file that explains itself.

    for result in read_results("results"):
        print(result.cell.backend, result.summary.mean, result.mean("density"))

A file is whole or absent. Analyses read these files alone.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from nl_tasks.atomic_file import write_atomic
from nl_tasks.result_cell import Cell
from nl_tasks.scoring import Score, Summary, summarise

FORMAT = 1
_KIND = "nl-tasks result"
_MEANS = ("density", "density_of_prompt", "estimation", "evidence_recall", "prefill_s", "decode_s", "generated_tokens")


@dataclass(frozen=True, kw_only=True)
class SampleResult:
    """What one sample gave.

    Attributes:
        id: The sample's id.
        sha256: Of its prompt and gold answers.
        index: Its index; samples of equal index are paired over lengths, models and backends.
        num_tokens: Tokens that the model read, counted where it read them.
        depths: Where the evidence lies, 0 to 1.
        prediction: All that the model said.
        generated_tokens: Tokens it said.
        answer: What was read from the prediction.
        parsed: Whether anything could be read from it.
        score: 0 to 1.
        prefill_s: Seconds until the first token. Of samples answered in one batch (`environment["batch"]` of the
            result), each gets the batch's seconds divided by its number of rows.
        decode_s: Seconds from the first token to the last, divided likewise: the batch's longest answer counts.
        density: Computed over causal-full score entries in the phase in which the backend acts (decode for eviction),
            mean of layers and heads; None if nothing was computed in it.
        density_of_prompt: The same, counted as budgets are: for decode and eviction as a share of the prompt alone.
            This is what `asked_density` asks for.
        estimation: Cost of the selection, in score entries over causal-full ones.
        evidence_recall: Share of the evidence tokens that the queries which matter could see, mean of layers and
            heads; None if the sample has no evidence.
    """

    id: str
    sha256: str
    index: int
    num_tokens: int
    depths: tuple[float, ...]
    prediction: str
    generated_tokens: int
    answer: str
    parsed: bool
    score: float
    prefill_s: float
    decode_s: float
    density: float | None
    density_of_prompt: float | None
    estimation: float | None
    evidence_recall: float | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one cell gave.

    Attributes:
        cell: What was asked.
        samples: In the order of their indices.
        phase: When the backend acts: prefill, decode or evict.
        asked_density: What the backend was asked for, 1 - sparsity; None if it was given its own parameters.
        layers: Per layer and head (None for a layer the backend left alone), means over samples: `density` of the
            phase in which the backend acts, and `evidence_recall`.
        data_sha256: Over the samples' own hashes, in order.
        code_sha256: Over this package's source files.
        environment: Versions, device, machine, time of the run (seconds since 1970), and `batch`: how many samples
            were answered at a time (1 where older results do not say). Not part of the cell: it changes no answer
            but by rounding.
    """

    cell: Cell
    samples: tuple[SampleResult, ...]
    phase: str
    asked_density: float | None
    layers: dict[str, Any] = field(default_factory=dict)
    data_sha256: str
    code_sha256: str
    environment: dict[str, Any]

    @property
    def summary(self) -> Summary:
        """Mean score with its interval, and the unparsed rate."""
        return summarise([Score(value=s.score, parsed=s.parsed, answer=s.answer) for s in self.samples])

    def mean(self, name: str) -> float | None:
        """Mean over the samples of one of their numbers; None if no sample has it."""
        found = [value for sample in self.samples if (value := getattr(sample, name)) is not None]
        return sum(found) / len(found) if found else None

    def as_json(self) -> dict[str, Any]:
        """Plain data, the summary included for readers without this package."""
        return {
            "kind": _KIND,
            "format": FORMAT,
            "cell": self.cell.as_json(),
            "phase": self.phase,
            "asked_density": self.asked_density,
            "summary": asdict(self.summary),
            "means": {name: self.mean(name) for name in _MEANS},
            "data_sha256": self.data_sha256,
            "code_sha256": self.code_sha256,
            "environment": self.environment,
            "layers": self.layers,
            "samples": [{**asdict(sample), "depths": list(sample.depths)} for sample in self.samples],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The inverse of `as_json`. Raises TypeError or KeyError for other data."""
        samples = (SampleResult(**{**row, "depths": tuple(row["depths"])}) for row in data["samples"])
        plain = ("phase", "asked_density", "layers", "data_sha256", "code_sha256", "environment")
        return cls(cell=Cell.from_json(data["cell"]), samples=tuple(samples), **{name: data[name] for name in plain})


def write_result(folder: str | os.PathLike[str], result: Result) -> Path:
    """Write `result` into a folder of results, whole or not at all, and return its path."""
    path = Path(folder) / result.cell.path
    write_atomic(path, json.dumps(result.as_json(), ensure_ascii=False, separators=(",", ":")) + "\n")
    return path


def read_result(path: str | os.PathLike[str]) -> Result:
    """Read one result file. Raises ValueError if it is none, or of a later format; OSError if it cannot be read."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        if data["kind"] != _KIND:
            raise KeyError("kind")
        if data["format"] != FORMAT:
            raise ValueError(f"{path} has format {data['format']}; this version reads format {FORMAT}")
        return Result.from_json(data)
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError(f"{path} is not a result file of nl-tasks") from None


def read_results(folder: str | os.PathLike[str]) -> Iterator[Result]:
    """Read all results below a folder, in the order of their paths. Raises ValueError if there are none."""
    paths = sorted(path for path in Path(folder).rglob("*.json") if not path.name.startswith("."))
    if not paths:
        raise ValueError(f"{folder} holds no result files (make some with: nl-tasks eval)")
    for path in paths:
        yield read_result(path)


def find_result(folder: str | os.PathLike[str], cell: Cell) -> Result | None:
    """Read the result of `cell`, if it is there. Raises ValueError if a foreign file is in its place."""
    path = Path(folder) / cell.path
    return read_result(path) if path.is_file() else None
