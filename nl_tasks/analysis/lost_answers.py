"""Whether sparse attention loses just those answers whose evidence it did not let the model see.

    for found in lost_answers(read_results("results")):
        print(found.phase, found.lost, found.odds)

Of the answers that full attention has right, which does a sparse one get wrong? A logistic fit of that on evidence
recall, sample by sample, for each phase. The same sample is asked under many methods, sparsities and lengths, so that
standard errors are clustered by sample.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nl_tasks.analysis.libraries import library
from nl_tasks.result import Result, SampleResult

STEP = 0.1  # of evidence recall, for which odds are told
_DENSE = "dense"
_PHASES = ("prefill", "decode", "evict")


@dataclass(frozen=True, kw_only=True)
class LostAnswers:
    """What the sparse cells of one phase lost, and whether evidence recall tells which.

    Attributes:
        phase: When the methods act: prefill, decode or evict.
        answers: How many answers were compared: right with full attention (a score of 1), recall known.
        samples: How many different samples those are of.
        lost: Share of the answers that the sparse cells have not right.
        odds: Factor on the odds of losing an answer for each 0.1 of recall more: below 1 if seeing the evidence
            helps. None if there is no fit.
        low: Lower end of its 95% interval.
        high: Upper end.
        remark: Why there is no fit; empty if there is one.
    """

    phase: str
    answers: int = 0
    samples: int = 0
    lost: float | None = None
    odds: float | None = None
    low: float | None = None
    high: float | None = None
    remark: str = ""


def lost_answers(results: Iterable[Result]) -> list[LostAnswers]:
    """A fit for each phase in which a method of `results` acts, controls (`oracle`, `random`) included.

    Raises ValueError if statsmodels is missing.
    """
    every = list(results)
    dense = {
        (_question(result), sample.index): sample
        for result in every
        if result.cell.backend == _DENSE
        for sample in result.samples
    }
    sparse = [result for result in every if result.cell.backend != _DENSE]
    return [
        _of_phase(phase, those, dense)
        for phase in _PHASES
        if (those := [result for result in sparse if result.phase == phase])
    ]


def fit_lost(phase: str, recall: Sequence[float], lost: Sequence[bool], sample: Sequence[str]) -> LostAnswers:
    """The fit itself, of answers that full attention has right: their recall, whether they are lost, and of what.

    `sample` names what is not independent. Raises ValueError for lists of unequal length, or if statsmodels is missing.
    """
    if not len(recall) == len(lost) == len(sample):
        raise ValueError(f"lists differ in length: recall {len(recall)}, lost {len(lost)}, sample {len(sample)}")
    x, y = np.array(recall, dtype=float), np.array(lost, dtype=bool)
    groups = np.unique(np.array(sample, dtype=str), return_inverse=True)[1]
    many = len(set(groups.tolist()))
    found = LostAnswers(phase=phase, answers=len(x), samples=many, lost=float(y.mean()) if len(y) else None)
    if remark := _no_fit(x, y, many):
        return replace(found, remark=remark)
    statsmodels = library("statsmodels.api")
    design = statsmodels.add_constant(x / STEP)
    fit = statsmodels.Logit(y.astype(float), design).fit(disp=0, cov_type="cluster", cov_kwds={"groups": groups})
    low, high = fit.conf_int()[1]
    return replace(found, odds=float(np.exp(fit.params[1])), low=float(np.exp(low)), high=float(np.exp(high)))


def _of_phase(
    phase: str, results: list[Result], dense: dict[tuple[tuple[object, ...], int], SampleResult]
) -> LostAnswers:
    pairs = [
        (result, sample, dense[place])
        for result in results
        for sample in result.samples
        if (place := (_question(result), sample.index)) in dense
    ]
    if not pairs:
        return LostAnswers(phase=phase, remark="No cell has full attention on the same samples beside it.")
    right = [(result, sample) for result, sample, before in pairs if before.score == 1]
    if not right:
        return LostAnswers(phase=phase, remark="Full attention has no answer right, so there is none to lose.")
    known = [(result, sample, seen) for result, sample in right if (seen := sample.evidence_recall) is not None]
    if not known:
        return LostAnswers(phase=phase, remark="Evidence recall is known of no answer that full attention has right.")
    return fit_lost(
        phase,
        [seen for _, _, seen in known],
        [sample.score < 1 for _, sample, _ in known],
        [f"{r.cell.task} {r.cell.params} {r.cell.seed} {sample.index}" for r, sample, _ in known],
    )


def _no_fit(recall: np.ndarray, lost: np.ndarray, samples: int) -> str:
    """Why odds cannot be told; empty if they can."""
    n = len(recall)
    if not n:
        return "There are no answers to compare."
    if not lost.any():
        return f"None of the {n} answers that full attention has right is lost."
    if lost.all():
        return f"All of the {n} answers that full attention has right are lost."
    if recall.min() == recall.max():
        return f"Evidence recall is {recall[0]:.3g} throughout, so it cannot tell which answers are lost."
    if recall[lost].max() <= recall[~lost].min() or recall[lost].min() >= recall[~lost].max():
        return f"Evidence recall parts the {int(lost.sum())} lost answers from the others, so the odds are not finite."
    if samples < 2:
        return "All answers are of one sample: there is no telling how far another would differ."
    return ""


def _question(result: Result) -> tuple[object, ...]:
    return (*result.cell.question, result.data_sha256)
