"""How sparse may attention be with a guarantee: the highest sparsity at which no more than a margin is lost.

    answer = guarantee({"story_retrieval": {0.5: (dense, sparse), 0.9: (dense, sparse)}, ...})
    answer.tasks["story_retrieval"].sparsity, answer.everywhere

Two answers, each wrong with probability `alpha` at most:

- per task: sparsities are tested from the lowest up, until one fails (fixed sequence); the tasks share alpha, and one
  whose sparsities have all passed leaves its part to the others (Holm's rule on chains; Bretz et al. 2009,
  doi 10.1002/sim.3495).
- everywhere: at this sparsity no task loses more than the margin. Every task has to pass at alpha
  (intersection-union; Berger 1982, doi 10.1080/00401706.1982.10487790), again from the lowest sparsity up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nl_tasks.analysis.drop_test import drop_bound, drop_p_values, samples_needed, shuffled
from nl_tasks.analysis.not_worse import worse_p_value

Pairs = Mapping[float, tuple[ArrayLike, ArrayLike]]
"""Scores of the same samples by sparsity: dense, then sparse."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One sparsity of one task.

    Attributes:
        sparsity: As asked for.
        n: Samples.
        drop: Mean dense score minus mean sparse score.
        bound: Upper confidence bound of the drop at 1 - alpha, for this step alone.
        p_value: Of the hypothesis that the drop is the margin or more.
        certified: Whether the guarantee holds here, the whole answer taken together.
        not_worse: The weak statement: the drop is not significant in an unpaired one-sided test at alpha.
        needed: About how many samples would certify the step if the next were like these; None if none would, or
            if it is certified.
    """

    sparsity: float
    n: int
    drop: float
    bound: float
    p_value: float
    certified: bool
    not_worse: bool
    needed: int | None


@dataclass(frozen=True)
class TaskGuarantee:
    """The steps of one task, sparsities ascending."""

    steps: tuple[Step, ...]

    @property
    def sparsity(self) -> float:
        """The highest certified sparsity; 0.0 if none is."""
        return max((step.sparsity for step in self.steps if step.certified), default=0.0)

    @property
    def not_worse(self) -> float:
        """The highest sparsity before the first significant drop (weak: no evidence of a drop is no proof)."""
        return highest([step.sparsity for step in self.steps], [step.not_worse for step in self.steps])


@dataclass(frozen=True)
class Guarantee:
    """The answer for one method, model and length; `everywhere` is 0.0 if no sparsity is safe on every task."""

    margin: float
    alpha: float
    tasks: dict[str, TaskGuarantee]
    everywhere: float


def guarantee(scores: Mapping[str, Pairs], *, margin: float = 0.05, alpha: float = 0.05) -> Guarantee:
    """Find the highest sparsities at which at most `margin` (absolute) of the mean score is lost.

    Raises ValueError if `scores` is empty, if dense and sparse scores are not of the same samples, or if a score,
    `margin` or `alpha` is out of range.
    """
    drops = {task: {s: _drops(task, s, pairs[s]) for s in sorted(pairs)} for task, pairs in scores.items()}
    if not drops or not all(drops.values()):
        raise ValueError("scores is empty: a guarantee needs a task with dense and sparse scores")
    p_values = {task: [float(drop_p_values(d, margin, alpha=alpha)) for d in by.values()] for task, by in drops.items()}
    passed, levels = holm_chains(p_values, alpha)
    tasks = {}
    for task, by in drops.items():
        steps = [
            Step(
                sparsity=sparsity,
                n=len(d),
                drop=float(d.mean()),
                bound=drop_bound(d, alpha=alpha),
                p_value=p_values[task][i],
                certified=i < passed[task],
                not_worse=worse_p_value(*scores[task][sparsity]) > alpha,
                needed=None if i < passed[task] else samples_needed(d, margin, level=levels[task]),
            )
            for i, (sparsity, d) in enumerate(by.items())
        ]
        tasks[task] = TaskGuarantee(tuple(steps))
    common = sorted(set.intersection(*(set(by) for by in drops.values())))
    worst = [max(p_values[task][list(drops[task]).index(s)] for task in drops) for s in common]
    return Guarantee(margin, alpha, tasks, highest(common, [p <= alpha for p in worst]))


def holm_chains(p_values: Mapping[str, Sequence[float]], alpha: float) -> tuple[dict[str, int], dict[str, float]]:
    """How many hypotheses of each chain are rejected, in order, family-wise at `alpha`; and each chain's level."""
    passed = dict.fromkeys(p_values, 0)
    while True:
        open_chains = [name for name, chain in p_values.items() if passed[name] < len(chain)]
        level = alpha / max(1, len(open_chains))
        before = dict(passed)
        for name in open_chains:
            while passed[name] < len(p_values[name]) and p_values[name][passed[name]] <= level:
                passed[name] += 1
        if passed == before or all(passed[name] < len(p_values[name]) for name in open_chains):
            return passed, dict.fromkeys(p_values, level)


def highest(sparsities: Sequence[float], good: Sequence[bool]) -> float:
    """The last of the ascending `sparsities` before the first that is not good; 0.0 if the first is not."""
    found = 0.0
    for sparsity, fine in zip(sparsities, good, strict=True):
        if not fine:
            break
        found = sparsity
    return found


def _drops(task: str, sparsity: float, pair: tuple[ArrayLike, ArrayLike]) -> np.ndarray:
    dense, sparse = (np.asarray(side, dtype=float) for side in pair)
    if dense.shape != sparse.shape or dense.ndim != 1:
        raise ValueError(
            f"{task} at sparsity {sparsity}: {dense.size} dense and {sparse.size} sparse scores "
            "are not of the same samples"
        )
    return shuffled(dense - sparse)
