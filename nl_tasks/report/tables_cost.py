"""The tables of cost: of every cell in both countings, accuracy for a given cost, and critical lengths."""

from collections.abc import Iterable, Sequence

import numpy as np

from nl_tasks.analysis.cost_model import CORRECTED, PUBLISHED
from nl_tasks.analysis.isocost import CriticalLength, Standing
from nl_tasks.generators.lengths import format_length
from nl_tasks.report.answers import IsoCost, Row
from nl_tasks.report.costs import cost
from nl_tasks.report.table import Table, Value, files, number
from nl_tasks.report.values import Link, length_value, slowest_value


def cost_table(rows: Sequence[Row], link: Link) -> Table:
    """FLOPs or bytes of each cell in both countings, and measured times beside them; tasks share a row."""
    groups: dict[tuple[str, int, str, float], list[Row]] = {}
    for row in rows:
        cell = row.reading.cell
        groups.setdefault((cell.model, cell.length, row.reading.method, row.reading.sparsity), []).append(row)
    lines = []
    for (model, length, method, sparsity), those in sorted(groups.items()):
        phase = those[0].reading.phase
        costs = [
            (cost(row.reading, phase, counting=counting), cost(row.dense, phase, counting=counting))
            for counting in (CORRECTED, PUBLISHED)
            for row in those
        ]
        corrected, published = _means(costs[: len(those)]), _means(costs[len(those) :])
        lines.append(
            (
                Value(model),
                length_value(length),
                Value(method),
                Value("prefill, FLOPs" if phase == "prefill" else "decode, bytes"),
                number(sparsity, "g"),
                number(corrected and corrected[0], ".3g"),
                number(corrected and corrected[1] / corrected[0], ".2f"),
                number(published and published[0], ".3g"),
                number(published and published[1] / published[0], ".2f"),
                slowest_value(those, smallest=False),
                files([link(row.reading) for row in those]),
            )
        )
    return Table(
        "cost",
        ("model", "length", "method", "what", "sparsity", "cost", "less x", "cost as published", "less as published x",
         "measured x", "results"),
        tuple(lines),
        "Batch 1, selection included, by the measured density. Corrected: causal half of the scores, projections as "
        "they are. As published: the whole square, and projections that shrink with the scores (arXiv 2504.17768). "
        "Measured: median over the tasks.",
    )  # fmt: skip


def isocost_table(found: Sequence[IsoCost], link: Link) -> Table:
    """Every point of accuracy against cost."""
    lines = [
        (
            Value(one.phase),
            length_value(one.length),
            Value(standing.point.model),
            Value(standing.point.method),
            number(standing.point.sparsity, "g"),
            number(standing.point.cost, ".3g"),
            number(standing.accuracy),
            _worst(standing),
            Value(f"{standing.low:.3f} to {standing.high:.3f}", standing.low),
            Value("yes" if standing.on_frontier else "no", kind="good" if standing.on_frontier else ""),
            number(standing.frontier_share, ".0%"),
            files([link(r) for r in one.of[standing.point.model, standing.point.method, standing.point.sparsity]]),
        )
        for one in found
        for standing in one.standings
    ]
    return Table(
        "isocost",
        ("phase", "length", "model", "method", "sparsity", "cost", "accuracy", "worst task", "95% band",
         "on the frontier", "in resamples", "results"),
        tuple(lines),
    )  # fmt: skip


def critical_table(found: Iterable[tuple[str, str, CriticalLength]]) -> Table:
    """From which length on a sparse large model beats a dense small one."""
    lines = [
        (
            Value(phase),
            Value(method),
            Value(answer.small),
            Value(answer.large),
            _critical(answer.length),
            Value(f"{_critical(answer.low).text} to {_critical(answer.high).text}"),
            number(answer.probability, ".0%"),
            Value("; ".join(f"{format_length(n)}: {_gain(gain)}" for n, gain in answer.advantage.items())),
        )
        for phase, method, answer in found
    ]
    return Table(
        "critical_length",
        (
            "phase",
            "method",
            "small, dense",
            "large, sparse",
            "from length",
            "95% interval",
            "in resamples",
            "advantage",
        ),
        tuple(lines),
        "The large model at the best of its sparsities that cost no more than the small one run densely. Among several "
        "sparsities the best is chosen on the same samples, which flatters the large model a little.",
    )  # fmt: skip


def _worst(standing: Standing) -> Value:
    """The task of the lowest accuracy, which a mean over tasks hides."""
    means = {task: float(np.asarray(scores, dtype=float).mean()) for task, scores in standing.point.scores.items()}
    task = min(means, key=lambda name: means[name])
    return Value(f"{means[task]:.3f} ({task})", means[task])


def _means(costs: Sequence[tuple[float | None, float | None]]) -> tuple[float, float] | None:
    known = [(sparse, dense) for sparse, dense in costs if sparse and dense]
    if not known:
        return None
    return sum(s for s, _ in known) / len(known), sum(d for _, d in known) / len(known)


def _critical(length: int | None) -> Value:
    return Value("no length", 1e18) if length is None else length_value(length)


def _gain(gain: float | None) -> str:
    return "too costly" if gain is None else f"{gain:+.3f}"
