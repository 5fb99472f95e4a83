"""How a training went, as a picture: the loss, and the share of held-out texts that are answered right."""

import json
from pathlib import Path

from matplotlib.figure import Figure

from nl_tasks.probe_train import LOG


def plot_log(run: str | Path, file: str | Path) -> None:
    """Draw the log in the folder `run` as `file`. Raises ValueError if there is no log or nothing in it."""
    log = Path(run) / LOG
    if not log.is_file():
        raise ValueError(f"{run} holds no {LOG}: it is no folder of `nl-tasks probe train`")
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    losses = [(line["step"], line["loss"]) for line in lines if "loss" in line]
    scored = [(line["step"], line["held_out"]) for line in lines if line.get("held_out")]
    if not losses:
        raise ValueError(f"{log} holds no losses yet")
    tasks = list(dict.fromkeys(name.rpartition(" @ ")[0] for _, scores in scored for name in scores))
    figure = Figure(figsize=(4 * (1 + len(tasks)), 3.2), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(tasks), squeeze=False)[0]
    first.plot(*zip(*losses), linewidth=0.8)
    first.set(yscale="log", title="loss, by answer token", xlabel="step")
    for axes, task in zip(others, tasks):
        lengths = [name for name in scored[0][1] if name.rpartition(" @ ")[0] == task]
        for name in lengths:
            axes.plot([s for s, _ in scored], [scores[name] for _, scores in scored], label=name.rpartition(" @ ")[2])
        axes.set(ylim=(-0.02, 1.02), title=task, xlabel="step")
        axes.title.set_fontsize(8)
        axes.legend(fontsize=7)
    figure.savefig(file, dpi=110)
