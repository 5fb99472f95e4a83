"""From what a model said and what it cost to the rows of a result."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from nl_tasks.eval_model import Measured
from nl_tasks.result import SampleResult
from nl_tasks.scoring import get_scorer


def sample_result(doc: Mapping[str, Any], prediction: str, cost: Measured) -> SampleResult:
    """One sample's row, scored."""
    score = get_scorer(doc["metric"])(prediction, doc["answers"])
    return SampleResult(
        id=doc["id"],
        sha256=doc["sha256"],
        index=doc["index"],
        num_tokens=cost.num_tokens,
        depths=tuple(doc["depths"]),
        prediction=prediction,
        generated_tokens=cost.generated_tokens,
        answer=score.answer,
        parsed=score.parsed,
        score=score.value,
        prefill_s=cost.prefill_s,
        decode_s=cost.decode_s,
        density=_mean(cost.density),
        density_of_prompt=_mean(cost.density_of_prompt),
        estimation=_mean(torch.tensor(cost.estimation)),
        evidence_recall=_mean(cost.recall),
    )


def layer_means(costs: Sequence[Measured]) -> dict[str, list[list[float] | None]]:
    """Density and evidence recall of each layer and head, means over samples; None for a layer left alone."""
    return {
        "density": _by_head([cost.density for cost in costs]),
        "evidence_recall": _by_head([cost.recall for cost in costs]),
    }


def _mean(values: torch.Tensor) -> float | None:
    return None if not values.numel() or bool(values.isnan().all()) else float(values.nanmean())


def _by_head(tables: list[torch.Tensor]) -> list[list[float] | None]:
    """The mean of tables `[layers, heads]`, None for layers that have nothing to tell."""
    filled = [table for table in tables if table.dim() == 2 and table.shape[1] > 1]
    if not filled:
        return []
    return [
        None if bool(line.isnan().all()) else [round(float(value), 5) for value in line]
        for line in torch.stack(filled).nanmean(0)
    ]
