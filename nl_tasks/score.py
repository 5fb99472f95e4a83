"""From predictions to scores.

    report = score_predictions("predictions.jsonl", "sparse-frontier/story")
    report.total.mean, report.total.low, report.total.high

Prompts are not read, so that a large dataset is scored in moments.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nl_tasks.dataset import read_columns
from nl_tasks.generators.lengths import format_length
from nl_tasks.scoring import Score, Summary, get_scorer, summarise

_COLUMNS = ("id", "task", "answers", "metric", "target_tokens", "tokenizer", "depths", "params")


@dataclass(frozen=True)
class ScoredSample:
    """A sample's score and what it can be grouped by; `depth` is the mean depth of its evidence, if it has any."""

    id: str
    config: str
    task: str
    length: int
    depth: float | None
    knobs: dict[str, Any]
    score: Score


@dataclass(frozen=True)
class ScoreReport:
    """Summaries by group. `missing` samples had no prediction and are part of no summary."""

    samples: list[ScoredSample]
    total: Summary
    by_config: dict[str, Summary]
    breakdowns: dict[str, dict[str, Summary]]
    missing: int

    def as_json(self) -> dict[str, Any]:
        """Plain data, without the single samples."""
        return {
            "total": asdict(self.total),
            "missing": self.missing,
            "configs": {name: asdict(summary) for name, summary in self.by_config.items()},
            "breakdowns": {
                by: {name: asdict(summary) for name, summary in groups.items()}
                for by, groups in self.breakdowns.items()
            },
        }


def score_predictions(
    predictions: str | os.PathLike[str],
    data: str | os.PathLike[str],
    *,
    tokenizer: str | None = None,
    allow_missing: bool = False,
) -> ScoreReport:
    """Score a file of predictions against a dataset folder or data file.

    `tokenizer` says for which one the prompts were made, where the data hold samples for several (of equal ids).
    Raises ValueError, naming the line or the ids, for predictions that are malformed, given twice, for samples that
    do not exist, or (unless `allow_missing`) lacking.
    """
    predicted = read_predictions(Path(predictions))
    samples, missing = [], []
    for config, row in _gold_rows(data, tokenizer):
        if row["id"] in predicted:
            samples.append(_scored(config, row, predicted.pop(row["id"])))
        else:
            missing.append(row["id"])
    if predicted:
        raise ValueError(f"{predictions}: {_count(predicted, 'prediction')} for samples that {data} does not hold")
    if not samples:
        raise ValueError(f"{predictions} holds no prediction for a sample of {data}")
    if missing and not allow_missing:
        raise ValueError(
            f"{predictions}: {_count(missing, 'sample')} of {data} without a prediction (--allow-missing: leave out)"
        )
    return ScoreReport(
        samples=samples,
        total=summarise([sample.score for sample in samples]),
        by_config=group(samples, lambda sample: sample.config),
        breakdowns=dict(_breakdowns(samples)),
        missing=len(missing),
    )


def _gold_rows(data: str | os.PathLike[str], tokenizer: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows made for `tokenizer`, or for the only one there is."""
    rows = list(read_columns(data, _COLUMNS))
    there = dict.fromkeys(row["tokenizer"] for _, row in rows)
    if tokenizer is not None and tokenizer not in there:
        raise ValueError(f"{data} holds no samples for tokenizer {tokenizer!r}: there are {', '.join(there)}")
    if tokenizer is None and len(there) > 1:
        raise ValueError(f"{data} holds samples for several tokenizers: choose one by --tokenizer {'|'.join(there)}")
    return ((config, row) for config, row in rows if tokenizer in (None, row["tokenizer"]))


def read_predictions(path: Path) -> dict[str, str]:
    """Id to prediction, from lines of JSON. Raises ValueError naming the line that is not as it should be."""
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file")
    predicted: dict[str, str] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f'{path} is not text: give lines of {{"id": ..., "prediction": ...}}') from None
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: JSON may hold other ends of lines
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            name, prediction = entry["id"], entry["prediction"]
        except (json.JSONDecodeError, KeyError, TypeError):
            raise ValueError(f'{path} line {number} is not {{"id": ..., "prediction": ...}}') from None
        if not isinstance(name, str) or not isinstance(prediction, str | None):
            raise ValueError(f"{path} line {number}: id and prediction must be text")
        if name in predicted:
            raise ValueError(f"{path} line {number}: a second prediction for {name}")
        predicted[name] = prediction or ""
    return predicted


def group(samples: Iterable[ScoredSample], by: Callable[[ScoredSample], str | None]) -> dict[str, Summary]:
    """Summaries of the samples that share what `by` returns, in the order of first appearance; None is left out."""
    groups: dict[str, list[Score]] = {}
    for sample in samples:
        if (key := by(sample)) is not None:
            groups.setdefault(key, []).append(sample.score)
    return {key: summarise(scores) for key, scores in groups.items()}


def _scored(config: str, row: dict[str, Any], prediction: str) -> ScoredSample:
    depths = row["depths"]
    return ScoredSample(
        id=row["id"],
        config=config,
        task=row["task"],
        length=row["target_tokens"],
        depth=sum(depths) / len(depths) if depths else None,
        knobs=json.loads(row["params"]),
        score=get_scorer(row["metric"])(prediction, row["answers"]),
    )


def _breakdowns(samples: list[ScoredSample]) -> Iterator[tuple[str, dict[str, Summary]]]:
    yield "length", group(sorted(samples, key=lambda sample: sample.length), lambda s: format_length(s.length))
    yield "depth", group(sorted(samples, key=lambda sample: sample.depth or 0), _fifth)
    for knob in sorted({knob for sample in samples for knob in sample.knobs}):
        values = group(samples, lambda sample, knob=knob: _value(sample.knobs, knob))  # type: ignore[misc]
        if len(values) > 1:
            yield knob, values


def _fifth(sample: ScoredSample) -> str | None:
    if sample.depth is None:
        return None
    fifth = min(int(sample.depth * 5), 4)
    return f"{fifth / 5:.1f}-{(fifth + 1) / 5:.1f}"


def _value(knobs: dict[str, Any], knob: str) -> str | None:
    return json.dumps(knobs[knob]) if knob in knobs else None


def _count(ids: Iterable[str], noun: str) -> str:
    names = list(ids)
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(names)} {noun}{'s' if len(names) > 1 else ''} ({shown})"
