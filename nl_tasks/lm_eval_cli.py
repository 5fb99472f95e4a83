"""lm-evaluation-harness' own command line, with our tasks and backends known to it.

    nl-tasks lm-eval run --model hf --model_args pretrained=DIR,attn_implementation=nl_quest:sparsity=0.9 ...

lm-eval has no plug-ins: it finds foreign tasks by `include_path`, and imports their code only after the model is
loaded, too late for a model that names one of our backends as its attention.
"""

import sys
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from nl_tasks.lm_eval_yaml import task_folder
from nl_tasks.local_models import LOCAL_MODELS, model_folder

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
        _know_backends(getattr(options, "model_args", None))
        _find_local_models(getattr(options, "model_args", None))
        command_line.execute(options)
    finally:
        sys.argv = before


def _know_backends(model_arguments: Mapping[str, Any] | None) -> None:
    """Make `attn_implementation=nl_NAME` known, parameters included: `nl_quest:sparsity=0.9`.

    Raises ValueError for an unknown backend or parameter.
    """
    asked = str((model_arguments or {}).get("attn_implementation", ""))
    if not asked.startswith(_PREFIX):
        return
    from nl_tasks.sparse_backends import parse_backend, use_by_name

    use_by_name(parse_backend(asked.removeprefix(_PREFIX)), asked)


def _find_local_models(model_arguments: MutableMapping[str, Any] | None) -> None:
    """Put folders in place of the names of local models: `pretrained=probe`."""
    for argument in ("pretrained", "tokenizer"):
        if model_arguments and model_arguments.get(argument) in LOCAL_MODELS:
            model_arguments[argument] = model_folder(model_arguments[argument])
