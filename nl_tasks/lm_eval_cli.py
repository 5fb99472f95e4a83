"""lm-evaluation-harness' own command line, with our tasks and backends known to it.

    nl-tasks lm-eval run --model hf --model_args pretrained=DIR,attn_implementation=nl_quest:sparsity=0.9 ...

lm-eval has no plug-ins: it finds foreign tasks by `include_path`, and imports their code only after the model is
loaded, too late for a model that names one of our backends as its attention.
"""

import sys
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from nl_tasks.lm_eval_yaml import task_folder
from nl_tasks.local_models import LOCAL_MODELS, model_folder

if TYPE_CHECKING:
    from nl_tasks.sparse_backends import Backend

_PREFIX = "nl_"


def run_lm_eval(arguments: Sequence[str]) -> None:
    """Run `lm-eval ARGUMENTS`. Raises ValueError if lm-eval is not installed, SystemExit as lm-eval itself does."""
    try:
        from lm_eval._cli import HarnessCLI
        from lm_eval.utils import setup_logging
    except ImportError as error:
        raise ValueError(f"lm-eval needs {error.name}: pip install 'nl-tasks[eval]'") from None
    setup_logging()
    before = sys.argv
    sys.argv = ["lm-eval", *arguments]  # it reads no other
    try:
        command_line = HarnessCLI()
        options = command_line.parse_args()
        if hasattr(options, "include_path"):
            given = [options.include_path] if options.include_path else []
            options.include_path = [str(task_folder()), *given]
        if getattr(options, "config", None) and not getattr(options, "model_args", None):
            options.model_args = _model_arguments(options.config)
        backend = _know_backends(getattr(options, "model_args", None))
        _find_local_models(getattr(options, "model_args", None))
        with nullcontext() if backend is None else _scoring_what_runs(backend):
            command_line.execute(options)
    finally:
        sys.argv = before


def _model_arguments(config: str) -> dict[str, Any]:
    """`model_args` of a file for `--config`; lm-eval itself says what is wrong with one."""
    from lm_eval.config.evaluate_config import EvaluatorConfig
    from lm_eval.utils import simple_parse_args_string

    given = EvaluatorConfig.load_yaml_config(config).get("model_args") or {}
    return simple_parse_args_string(given) if isinstance(given, str) else dict(given)


def _know_backends(model_arguments: MutableMapping[str, Any] | None) -> "Backend | None":
    """Make `attn_implementation=nl_NAME` known, parameters included: `nl_quest:sparsity=0.9,page=32`.

    lm-eval cuts its arguments at commas: those that are parameters of the backend go back to it. Returns the backend,
    if one is asked for. Raises ValueError for an unknown backend or parameter.
    """
    asked = str((model_arguments or {}).get("attn_implementation", ""))
    if not asked.startswith(_PREFIX) or model_arguments is None:
        return None
    from nl_tasks.sparse_backends import parse_backend, use_by_name

    if ":" in asked:
        known = parse_backend(asked.removeprefix(_PREFIX).partition(":")[0])
        own = [field.name for field in fields(known) if field.name in model_arguments]
        more = [f"{name}={str(model_arguments.pop(name)).lower()}" for name in own]
        asked = model_arguments["attn_implementation"] = ",".join([asked, *more])
    backend = parse_backend(asked.removeprefix(_PREFIX))
    use_by_name(backend, asked)
    return backend


@contextmanager
def _scoring_what_runs(backend: "Backend") -> Iterator[None]:
    """Refuse tasks that score given tokens (mmlu, hellaswag) where the method would not act, or not as said.

    No token is generated there, and a batch's padding, to the right, is not marked: it would count as prompt.
    """
    from lm_eval.models.huggingface import HFLM

    score = HFLM._loglikelihood_tokens

    def checked(self: HFLM, *arguments: Any, **options: Any) -> Any:
        if backend.phase != "prefill":
            raise ValueError(
                f"{backend.name} acts on generated tokens, and this task scores given ones, which is full attention: "
                "take tasks that generate"
            )
        if backend.name != "dense" and self.batch_size != 1:
            raise ValueError(
                f"batch_size={self.batch_size} is out of range: {backend.name} and a task that scores given tokens "
                "want 1, as lm-eval does not mark a batch's padding"
            )
        return score(self, *arguments, **options)

    HFLM._loglikelihood_tokens = checked
    try:
        yield
    finally:
        HFLM._loglikelihood_tokens = score


def _find_local_models(model_arguments: MutableMapping[str, Any] | None) -> None:
    """Put folders in place of the names of local models: `pretrained=probe`."""
    for argument in ("pretrained", "tokenizer"):
        if model_arguments and model_arguments.get(argument) in LOCAL_MODELS:
            model_arguments[argument] = model_folder(model_arguments[argument])
