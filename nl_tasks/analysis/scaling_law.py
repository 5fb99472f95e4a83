"""Does a log-linear law predict accuracy? logit(accuracy) = task + alpha ln N + beta ln L + gamma ln C.

N is the number of parameters, L the length in tokens, C the compression, 1 / density (arXiv 2504.17768 v1, section on
scaling laws: the form is that of its table 3, with one law for prefill and one for decoding). The fit is a binomial
likelihood over samples (statsmodels GLM); standard errors allow for the same sample answering under many methods and
models (clusters).
"""

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nl_tasks.analysis.libraries import library

AXES = {"alpha": "parameters", "beta": "length", "gamma": "compression"}


@dataclass(frozen=True, kw_only=True)
class Observations:
    """Scores and what they were got with; all arrays `[n]`, one entry a sample.

    Attributes:
        score: 0 to 1.
        task: Names.
        parameters: Weights of the model.
        length: Tokens of the prompt.
        compression: 1 / density, at least 1.
        cluster: Entries with equal value are not independent (one sample under several methods or models).
    """

    score: NDArray[np.float64]
    task: NDArray[np.str_]
    parameters: NDArray[np.float64]
    length: NDArray[np.float64]
    compression: NDArray[np.float64]
    cluster: NDArray[np.str_]

    def __post_init__(self) -> None:
        if not len(self.score):
            raise ValueError("observations are empty: a scaling law needs scores")
        for name in ("task", "parameters", "length", "compression", "cluster"):
            if len(getattr(self, name)) != len(self.score):
                raise ValueError(f"{name} has {len(getattr(self, name))} entries, score has {len(self.score)}")
        for name, low, high in (
            ("score", 0, 1),
            ("parameters", 1, np.inf),
            ("length", 1, np.inf),
            ("compression", 1, np.inf),
        ):
            values = getattr(self, name)
            if not np.all((values >= low) & (values <= high)):
                worst = values[~((values >= low) & (values <= high))][0]
                raise ValueError(f"{name} holds {worst}, out of range: {low} to {high}")

    def where(self, chosen: ArrayLike) -> "Observations":
        """The entries that a boolean array `[n]` chooses."""
        return Observations(**{name: getattr(self, name)[np.asarray(chosen)] for name in self.__dataclass_fields__})


@dataclass(frozen=True, kw_only=True)
class ScalingLaw:
    """A fitted law; `errors` are cluster-robust standard errors. `tasks` holds each task's own intercept.

    A coefficient whose axis was left out of the fit is 0.0 and has no error.
    """

    tasks: dict[str, float]
    alpha: float
    beta: float
    gamma: float
    errors: dict[str, float]
    n: int

    def predict(self, task: ArrayLike, parameters: ArrayLike, length: ArrayLike, compression: ArrayLike) -> NDArray:
        """Predicted accuracy, `[n]`. Raises ValueError for a task that the law was not fitted to."""
        names = np.atleast_1d(task)
        if unknown := set(names.tolist()) - set(self.tasks):
            raise ValueError(f"task={sorted(unknown)[0]!r} is out of range: {', '.join(self.tasks)}")
        logit = np.array([self.tasks[name] for name in names]) + sum(
            factor * np.log(np.asarray(value, dtype=float))
            for factor, value in ((self.alpha, parameters), (self.beta, length), (self.gamma, compression))
        )
        return 1 / (1 + np.exp(-logit))


def fit_scaling_law(seen: Observations, *, axes: Collection[str] = tuple(AXES.values())) -> ScalingLaw:
    """Fit one law, over all axes or the named ones (what another axis does is then part of the intercepts).

    Raises ValueError, in a sentence, where the data cannot tell: fewer samples (clusters) than coefficients, an axis
    with one value, a task whose scores are all 0 or all 1 (it has no finite intercept), axes that change together.
    """
    names = sorted(set(seen.task.tolist()))
    if not axes or not set(axes) <= set(AXES.values()):
        raise ValueError(f"axes={list(axes)} is out of range: some of {', '.join(AXES.values())}")
    symbols = {symbol: axis for symbol, axis in AXES.items() if axis in axes}
    for symbol, axis in symbols.items():
        values = set(getattr(seen, axis).tolist())
        if len(values) < 2:
            raise ValueError(f"{axis} is {values.pop():g} throughout: {symbol} needs at least two values")
    for name in names:
        scores = seen.score[seen.task == name]
        if scores.min() == scores.max() and scores[0] in (0, 1):
            raise ValueError(f"{name} scores {scores[0]:g} throughout, so its intercept has no estimate: leave it out")
    columns = [np.log(getattr(seen, axis)) for axis in symbols.values()]
    centres = [column.mean() for column in columns]
    design = np.column_stack(
        [(seen.task == name).astype(float) for name in names] + [c - m for c, m in zip(columns, centres)]
    )
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise ValueError(
            f"tasks and {', '.join(symbols.values())} change together, so their effects cannot be told apart"
        )
    glm = library("statsmodels.api")
    samples, groups = np.unique(seen.cluster, return_inverse=True)
    if len(samples) <= design.shape[1]:
        raise ValueError(f"{len(samples)} samples are too few for the errors of {design.shape[1]} coefficients")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they warn of is checked below
        fit = glm.GLM(seen.score, design, family=glm.families.Binomial()).fit(
            cov_type="cluster", cov_kwds={"groups": groups}
        )
    slopes, errors = fit.params[len(names) :], fit.bse
    if not fit.converged or not np.isfinite(fit.params).all() or np.abs(fit.params).max() > 50:
        raise ValueError("the scaling law does not converge: the scores separate perfectly along an axis or task")
    shift = np.zeros((len(names), design.shape[1]))
    shift[:, : len(names)] = np.eye(len(names))
    shift[:, len(names) :] = -np.array(centres)
    intercepts, variances = shift @ fit.params, np.diag(shift @ fit.cov_params() @ shift.T)
    if not (variances > 0).all() or not (errors > 0).all():
        raise ValueError("the scaling law has no errors: the scores hardly vary along an axis or task")
    return ScalingLaw(
        tasks=dict(zip(names, intercepts.tolist())),
        **{**dict.fromkeys(AXES, 0.0), **dict(zip(symbols, slopes.tolist()))},
        errors=dict(zip([*names, *symbols], [*np.sqrt(variances).tolist(), *errors[len(names) :].tolist()])),
        n=len(seen.score),
    )


def cell_means(seen: Observations) -> tuple[Mapping[str, NDArray], NDArray[np.float64]]:
    """Every distinct (task, parameters, length, compression) as columns `[cells]`, and its mean score `[cells]`."""
    keys: Sequence[tuple] = list(zip(seen.task, seen.parameters, seen.length, seen.compression))
    cells = sorted(set(keys))
    place = {cell: i for i, cell in enumerate(cells)}
    index = np.array([place[key] for key in keys])
    means = np.bincount(index, weights=seen.score) / np.bincount(index)
    columns = ("task", "parameters", "length", "compression")
    return {name: np.array([cell[i] for cell in cells]) for i, name in enumerate(columns)}, means
