"""The tables of accuracy: what each method is guaranteed to keep, full attention, and every cell."""

from collections.abc import Sequence

from nl_tasks.eval_table import decode_ms
from nl_tasks.report.answers import MethodGuarantee, Row
from nl_tasks.report.readings import Readings
from nl_tasks.report.table import Table, Value, files, number
from nl_tasks.report.values import Link, length_value, slowest_value, sparsity_value, speed_value


def answer_table(found: Sequence[MethodGuarantee], rows: Sequence[Row], link: Link) -> Table:
    """One row a method, model and length: how sparse it may be on every task, and the task that breaks first."""
    lines = []
    for one in found:
        everywhere, worst = one.answer.everywhere, one.worst_task
        at = [
            row for row in rows
            if (row.reading.cell.model, row.reading.cell.length, row.reading.method)
            == (one.model, one.length, one.method) and row.reading.sparsity == everywhere
        ]  # fmt: skip
        sources = [row.reading for row in at] or [r for (task, _), r in one.readings.items() if task == worst]
        lines.append(
            (
                Value(one.method),
                length_value(one.length),
                _tasks_value(one),
                sparsity_value(everywhere),
                slowest_value(at),
                Value(worst),
                sparsity_value(one.answer.tasks[worst].sparsity),
                number(min(task.not_worse for task in one.answer.tasks.values()), "g"),
                Value(one.phase),
                Value(one.model),
                files([link(reading) for reading in sources]),
            )
        )
    return Table(
        "answer",
        ("method", "length", "tasks", "safe on every task", "speed-up there", "worst task", "safe on it",
         "not worse (weak)", "phase", "model", "results"),
        tuple(lines),
        "Safe: the highest sparsity with a guarantee (none: no sparsity tried has one). 'Safe on it' can be lower than "
        "'safe on every task': answers for each task share the error that one answer for all has to itself. "
        "Speed-up there: of the measured phase at the sparsity that is safe on every task, on the task where it is "
        "smallest.",
    )  # fmt: skip


def _tasks_value(one: MethodGuarantee) -> Value:
    """On how many tasks the method was run; marked where full attention was run on more."""
    run, there = len(one.answer.tasks), len(one.tasks)
    return number(run, "d") if run == there else Value(f"{run} of {there}", run, kind="bad")


def guarantee_table(found: Sequence[MethodGuarantee], readings: Readings, link: Link) -> Table:
    """One row a method, model, length and task; the least sparsity first."""
    lines = []
    for one in found:
        for task, answer in one.answer.tasks.items():
            failed = next((step for step in answer.steps if not step.certified), None)
            shown = failed or answer.steps[-1]
            reading = one.readings[task, shown.sparsity]
            dense = readings.dense_of(reading)
            floor = dense is not None and dense.scores.mean() <= one.answer.margin
            lines.append(
                (
                    Value(task),
                    Value(one.model),
                    length_value(one.length),
                    Value(one.method),
                    Value("nothing to lose", answer.sparsity, kind="bad") if floor else sparsity_value(answer.sparsity),
                    number(answer.not_worse, "g"),
                    number(shown.sparsity, "g"),
                    number(shown.drop, "+.3f"),
                    number(shown.bound, ".3f"),
                    number(shown.n, "d"),
                    Value("-") if failed is None else
                    Value("none would do", 1e9) if failed.needed is None else number(failed.needed, "d"),
                    files([link(r) for (t, _), r in one.readings.items() if t == task]),
                )
            )  # fmt: skip
    lines.sort(key=lambda line: (line[4].key, -float(line[7].key)))
    return Table(
        "guarantee",
        ("task", "model", "length", "method", "guaranteed sparsity", "not worse (weak)", "first without", "drop there",
         "bound of the drop", "samples", "samples needed", "results"),
        tuple(lines),
        "The drop, its upper confidence bound and about how many samples would decide are those of the first sparsity "
        "without a guarantee (of the highest sparsity, where all have one). 'Nothing to lose': dense attention itself "
        "scores no more than the margin.",
    )  # fmt: skip


def cells_table(rows: Sequence[Row], link: Link) -> Table:
    """Every sparse cell beside dense attention, the largest loss first."""
    lines = []
    for row in rows:
        reading, one, speed = row.reading, row.comparison, row.speed
        lines.append(
            (
                Value(reading.task),
                Value(reading.cell.model),
                length_value(reading.cell.length),
                Value(reading.method),
                Value(reading.phase),
                number(reading.sparsity, "g"),
                number(1 - reading.density, ".3f"),
                number(float(row.dense.scores.mean())),
                number(one.accuracy),
                number(one.difference, "+.3f", "bad" if one.high < 0 else ""),
                Value(f"{one.low:+.3f} to {one.high:+.3f}", one.low),
                number(one.rank, "d"),
                number(reading.result.summary.unparsed, ".0%"),
                number(reading.result.mean("evidence_recall")),
                number(reading.result.mean("estimation")),
                number(speed.ideal, ".2f"),
                speed_value(speed.measured),
                speed_value(speed.prefill_ratio),
                files([link(reading), link(row.dense)]),
            )
        )
    return Table(
        "cells",
        ("task", "model", "length", "method", "phase", "sparsity", "measured", "dense", "accuracy", "difference",
         "95% interval", "rank", "unparsed", "evidence seen", "+ selecting", "ideal x", "measured x", "prefill x",
         "results"),
        tuple(lines),
        "Differences are paired, sample by sample; the intervals of all methods at one sparsity hold together. Rank: "
        "among these methods. 'measured x': speed of the phase in which the method acts, dense attention = 1; 'prefill "
        "x': of the prefill, whatever the phase.",
    )  # fmt: skip


def dense_table(readings: Readings, link: Link) -> Table:
    """What full attention scores: without that, a small loss says nothing."""
    lines = []
    for task in readings.tasks:
        for reading in readings.kept:
            if not reading.is_dense or reading.task != task:
                continue
            summary, per_token = reading.result.summary, decode_ms(reading.result)
            lines.append(
                (
                    Value(task),
                    Value(reading.cell.model),
                    length_value(reading.cell.length),
                    number(summary.n, "d"),
                    number(summary.mean),
                    Value(f"{summary.low:.3f} to {summary.high:.3f}", summary.low),
                    number(summary.unparsed, ".0%"),
                    number(reading.seconds("prefill"), ".3g"),
                    number(per_token, ".3g"),
                    files([link(reading)]),
                )
            )
    return Table(
        "dense",
        (
            "task",
            "model",
            "length",
            "samples",
            "accuracy",
            "95% interval",
            "unparsed",
            "prefill s",
            "decode ms",
            "results",
        ),
        tuple(lines),
    )
