"""What is checked of each row of a dataset."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nl_tasks.generators.sample import Evidence, Sample, content_hash, sample_id
from nl_tasks.generators.task import Task
from nl_tasks.generators.tokenizers import load_tokenizer
from nl_tasks.gold import PLAIN, gold_prediction
from nl_tasks.manifest import Recipe
from nl_tasks.scoring import get_scorer

REGENERATED = "regenerated"


@dataclass(frozen=True)
class RowJob:
    """A row to check; `deep` adds the slow checks, `task` is None if its samples cannot be made anew here."""

    recipe: Recipe
    index: int
    row: dict[str, Any]
    tokenizer: str
    deep: bool
    task: Task | None


def check_row(job: RowJob) -> dict[str, str]:
    """Check name to problem (empty if there is none), for the checks that this row underwent."""
    try:
        sample = Sample.from_row(job.row)
    except (TypeError, KeyError) as error:
        return {"recipe": f"is not a sample: {error}"}
    found = {name: check(job, sample) for name, (_, check) in _CHECKS.items()}
    if job.deep:
        found |= {
            name: check(job, sample) for name, (_, check) in _DEEP_CHECKS.items() if job.task or name != REGENERATED
        }
    return found


def _recipe(job: RowJob, sample: Sample) -> str:
    recipe = job.recipe
    expected = {
        "id": sample_id(recipe.task, recipe.length, recipe.seed, job.index),
        "task": recipe.task,
        "index": job.index,
        "seed": recipe.seed,
        "version": recipe.version,
        "params": recipe.params,
        "target_tokens": recipe.length,
        "tokenizer": recipe.tokenizer,
    }
    return "; ".join(
        f"{name} is {getattr(sample, name)!r}, not {value!r}"
        for name, value in expected.items()
        if getattr(sample, name) != value
    )


def _sha256(job: RowJob, sample: Sample) -> str:
    return "" if content_hash(sample.prompt, sample.answers) == sample.sha256 else "prompt or answers were changed"


def _evidence(job: RowJob, sample: Sample) -> str:
    if len(sample.depths) != len(sample.evidence):
        return f"{len(sample.evidence)} spans of evidence have {len(sample.depths)} depths"
    for depth in sample.depths:
        if not 0 <= depth <= 1:
            return f"depth {depth} is out of range: 0 to 1"
    return next(filter(None, (_span(span, sample.prompt) for span in sample.evidence)), "")


def _span(span: Evidence, prompt: str) -> str:
    if not 0 <= span.start < span.end <= len(prompt):
        return (
            f"evidence {span.role!r} at {span.start} to {span.end} is not within the prompt's {len(prompt)} characters"
        )
    return "" if prompt[span.start : span.end].strip() else f"evidence {span.role!r} is blank"


def _gold(job: RowJob, sample: Sample) -> str:
    try:
        score = get_scorer(sample.metric)(gold_prediction(sample.metric, sample.answers), sample.answers)
    except ValueError as error:
        return str(error)
    return "" if score.value == 1 else f"the gold answer scores {score.value}, not 1 ({sample.metric})"


def _tokens(job: RowJob, sample: Sample) -> str:
    counted = load_tokenizer(job.tokenizer).count_reference(sample.prompt, chat=_chat(sample))
    if sample.num_tokens == sample.target_tokens == counted:
        return ""
    return f"{counted} tokens were counted; num_tokens={sample.num_tokens}, target_tokens={sample.target_tokens}"


def _bos(job: RowJob, sample: Sample) -> str:
    tokenizer = load_tokenizer(job.tokenizer)
    own, found = tokenizer.leading_bos("a", chat=False), tokenizer.leading_bos(sample.prompt, chat=_chat(sample))
    return "" if found == 1 or found == own == 0 else f"the model would read {found} BOS tokens at the start, not 1"


def _chat(sample: Sample) -> bool:
    return not sample.metric.endswith(PLAIN)


def _regenerated(job: RowJob, sample: Sample) -> str:
    assert job.task is not None
    tokenizer = load_tokenizer(job.tokenizer)
    try:
        made = job.task.sample(seed=sample.seed, index=sample.index, length=sample.target_tokens, tokenizer=tokenizer)
    except Exception as error:
        return f"cannot be made anew: {type(error).__name__}: {error}"
    anew = {**made.row(), "tokenizer": sample.tokenizer}
    differing = [name for name, value in sample.row().items() if anew[name] != value]
    return f"made anew, it differs in {', '.join(differing)}" if differing else ""


_CHECKS: dict[str, tuple[str, Callable[[RowJob, Sample], str]]] = {
    "recipe": ("each row is the sample that its place in the manifest's recipe names", _recipe),
    "sha256": ("each row's hash is that of its prompt and answers", _sha256),
    "evidence": ("each span of evidence lies in the prompt and is not blank", _evidence),
    "gold": ("the gold answers score 1.0", _gold),
}
_DEEP_CHECKS: dict[str, tuple[str, Callable[[RowJob, Sample], str]]] = {
    "tokens": ("the tokenizer's own library counts the tokens that the row names", _tokens),
    "bos": ("a model reads at most one BOS token, and the one that its tokenizer adds", _bos),
    REGENERATED: ("the sample made anew has the same bytes", _regenerated),
}

MEANINGS = {name: meaning for name, (meaning, _) in (_CHECKS | _DEEP_CHECKS).items()}
"""Check name to what it says when it holds."""

DEEP = tuple(_DEEP_CHECKS)
"""The slow checks, which can be limited to some of the rows."""
