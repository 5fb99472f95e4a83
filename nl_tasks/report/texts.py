"""What the report says in words: of each section, of what was run, and of what to beware."""

from collections.abc import Sequence

from nl_tasks.generators.lengths import format_length
from nl_tasks.report.answers import MethodGuarantee
from nl_tasks.report.readings import Readings

_VERSIONS = ("nl_tasks", "torch", "transformers")

TEXTS: dict[str, tuple[str, str]] = {
    "answer": (
        "The answer",
        "For each method: the highest sparsity at which no task loses more than {margin} of its mean score, with "
        "confidence {confidence}, and the task that stands in the way of more. 'Not worse' is the weak statement that "
        "no significant drop was seen, which few samples make likely whatever the truth.",
    ),
    "heat": (
        "Where it breaks",
        "Change of accuracy from full attention on the same samples, in hundredths; columns are sparsities, the task "
        "of the largest loss is on top. Each square leads to its result file.",
    ),
    "frontier": (
        "Frontier",
        "Accuracy over measured sparsity, with 95% intervals. The dashed line is full attention. A ring marks the "
        "highest sparsity with a guarantee on that task (loss of at most {margin}; the answers for all tasks and "
        "sparsities of a method, at one length, hold together with confidence {confidence}).",
    ),
    "recall": (
        "Evidence seen",
        "Share of the tokens that the answer needs which the question (prefill) or the answer (decode, eviction) could "
        "see, mean of layers and heads. Accuracy that stays where this falls is a guess, or comes by other tokens.",
    ),
    "lost": (
        "Answers lost",
        "Of the answers that full attention has right, the share that sparse attention has not, controls included, and "
        "how the odds of losing one change with each 0.1 of evidence recall more (logistic fit by sample, standard "
        "errors clustered by sample): 0.5 halves them, 1 means that seeing the evidence makes no difference.",
    ),
    "depth": (
        "Depth",
        "Accuracy by where the evidence lies in the prompt, in fifths, at each method's highest sparsity; dashed is "
        "full attention.",
    ),
    "speed": (
        "Speed, measured and ideal",
        "Measured speed-up of the phase in which a method acts against what its FLOPs or bytes would allow (dashed). "
        "Below the level line it is slower than full attention; such marks are hollow.",
    ),
    "isocost": (
        "Accuracy for a given cost",
        "Each mark is a model at a sparsity: prefill in FLOPs, decoding in bytes read for a token of each of {batch} "
        "sequences, by the corrected cost model. The line joins what nothing else beats at its cost; bars are 95% "
        "bootstrap bands over samples. Hollow is full attention. Controls (oracle, random) are left out.",
    ),
    "law": (
        "Scaling law",
        "logit(accuracy) = task + alpha ln N + beta ln L + gamma ln C, with N the parameters, L the length and C the "
        "compression, 1 / (1 - sparsity); binomial likelihood, standard errors clustered by sample. All methods of a "
        "phase are fitted together, controls (oracle, random) left out. Then what it predicts for the largest value of "
        "each axis, which it was not fitted to.",
    ),
    "cells": ("Every cell", "All sparse cells beside full attention, the largest loss first; click a heading to sort."),
}


def caveats(readings: Readings, found: Sequence[MethodGuarantee]) -> list[str]:
    """What a reader must know before believing the report."""
    told = []
    if not any(reading.is_dense for reading in readings.kept):
        told.append("There are no dense results, so nothing can be compared: add the backend dense to the grid.")
    lacking = [reading for reading in readings.sparse if readings.dense_of(reading) is None]
    if lacking and len(lacking) < len(readings.sparse):
        told.append(f"{len(lacking)} sparse results have no dense one of the same samples and are in no comparison.")
    margin = found[0].answer.margin if found else 0.05
    floor = {
        f"{reading.task} at {format_length(reading.cell.length)} ({reading.cell.model})": reading.scores.mean()
        for reading in readings.kept
        if reading.is_dense and reading.scores.mean() <= margin
    }
    if floor:
        told.append(
            f"Full attention scores no more than the margin of {margin:g} on {', '.join(floor)}: a guarantee there "
            "says nothing, because there is nothing to lose."
        )
    few = sorted({reading.cell.n for reading in readings.kept if reading.cell.n < 59})
    if few and found:
        told.append(
            f"Cells of {', '.join(map(str, few))} samples are too few for a guarantee at a margin of 0.05 and alpha of "
            "0.05: 59 that all stay right would be the least."
        )
    if len(found) > 1:
        told.append("Each method's answer holds at the stated confidence by itself; the best of many is a choice.")
    if readings.left_out:
        names = ", ".join(reading.path for reading in readings.left_out[:3])
        told.append(f"{len(readings.left_out)} results of other samples or settings are left out ({names}, ...).")
    if readings.missing:
        told.append(
            f"Missing from the grid of methods, sparsities and tasks: {readings.missing} cells. An answer for every "
            "task is one for the tasks that were run."
        )
    if readings.side_by_side:
        told.append(
            f"{readings.side_by_side} of {len(readings.kept)} cells ran while others did, on a device of the same "
            "name: if it was the same device, measured times are too long and their ratios say little."
        )
    timed = sorted({reading.batch for reading in readings.kept})
    if len(timed) > 1:
        told.append(
            f"Samples were answered {', '.join(map(str, timed))} at a time, in different cells: measured speed-ups "
            "compare cells of unlike batches."
        )
    unknown = sorted({reading.cell.model for reading in readings.kept if reading.shape is None})
    if unknown:
        told.append(f"The dimensions of {', '.join(unknown)} are unknown: no costs, no ideal speed-ups, no law.")
    return told


def settings(readings: Readings) -> list[tuple[str, str]]:
    """Names and values of what was run, and on what."""
    cells = [reading.cell for reading in readings.kept]
    places = [reading.result.environment for reading in readings.kept]

    def of(values: Sequence[object]) -> str:
        return ", ".join(sorted({str(value) for value in values if value is not None})) or "unknown"

    return [
        ("models", ", ".join(readings.models)),
        ("lengths", ", ".join(map(format_length, readings.lengths))),
        ("tasks", of([f"{r.task} (version {r.cell.version})" for r in readings.kept])),
        ("methods", ", ".join(readings.methods)),
        ("results", f"{len(readings.kept)}"),
        ("samples a cell", of([cell.n for cell in cells])),
        ("samples answered at a time", of([reading.batch for reading in readings.kept])),
        ("seed", of([cell.seed for cell in cells])),
        ("tokens of an answer at most", of([cell.max_new_tokens for cell in cells])),
        ("weights", of([cell.dtype for cell in cells])),
        ("device", of([place.get("device") for place in places])),
        (
            "versions",
            of([f"{name} {p[name]}" for p in places for name in ("nl_tasks", "torch", "transformers") if p.get(name)]),
        ),
    ]
