"""How a training went, as a picture: the loss, and the share of held-out texts that are answered right."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nl_tasks.analysis.libraries import library
from nl_tasks.generators.lengths import parse_length
from nl_tasks.probe_train import LOG

_COLUMNS = 4


def plot_log(runs: Sequence[str | Path], file: str | Path) -> None:
    """Draw the logs in the folders `runs`, each of which went on from the one before it, as `file`.

    Raises ValueError if there is no log, or nothing in it to draw.
    """
    lines: list[dict[str, Any]] = []
    for run in runs:
        before = lines[-1]["step"] if lines else 0
        lines += [{**line, "step": line["step"] + before} for line in _read(Path(run))]
    losses = [(line["step"], line["loss"]) for line in lines if "loss" in line]
    scored = [(line["step"], line["held_out"]) for line in lines if line.get("held_out")]
    if not losses:
        raise ValueError(f"{', '.join(map(str, runs))} holds no losses yet")
    tasks = list(dict.fromkeys(name.rpartition(" @ ")[0] for _, scores in scored for name in scores))
    lengths = sorted({name.rpartition(" @ ")[2] for _, scores in scored for name in scores}, key=parse_length)
    rows = -(-(1 + len(tasks)) // _COLUMNS)
    figures = library("matplotlib.figure", extra="probe")
    figure = figures.Figure(figsize=(3.6 * min(_COLUMNS, 1 + len(tasks)), 2.8 * rows), layout="constrained")
    first, *others = figure.subplots(rows, min(_COLUMNS, 1 + len(tasks)), squeeze=False).flat
    first.plot(*zip(*losses), linewidth=0.8)
    first.set(yscale="log", xlabel="step")
    first.set_title("loss by answer token", fontsize=8)
    for axes, task in zip(others, tasks):
        for colour, length in enumerate(lengths):
            values = [(step, scores[f"{task} @ {length}"]) for step, scores in scored if f"{task} @ {length}" in scores]
            if values:
                axes.plot(*zip(*values), color=f"C{colour}", label=length, marker=".")
        axes.set(ylim=(-0.02, 1.02), xlabel="step")
        axes.set_title(f"{task}, right answers", fontsize=8)
        axes.legend(fontsize=7)
    for axes in others[len(tasks) :]:
        axes.set_axis_off()
    figure.savefig(file, dpi=110)


def _read(run: Path) -> list[dict[str, Any]]:
    log = run / LOG
    if not log.is_file():
        raise ValueError(f"{run} holds no {LOG}: it is no folder of `nl-tasks probe train`")
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
