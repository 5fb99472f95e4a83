"""lm-evaluation-harness' own command line, with our tasks and backends known to it.

lm-eval has no plug-ins: it finds foreign tasks by `include_path`, and imports their code only after the model is
loaded, too late for a model that names one of our backends as its attention.
"""

import sys
from collections.abc import Sequence

from nl_tasks.lm_eval_yaml import task_folder


def run_lm_eval(arguments: Sequence[str]) -> None:
    """Run `lm-eval ARGUMENTS`. Raises ValueError if lm-eval is not installed, SystemExit as lm-eval itself does."""
    try:
        from lm_eval._cli import HarnessCLI
        from lm_eval.utils import setup_logging
    except ImportError as error:
        raise ValueError(f"lm-eval needs {error.name}: pip install 'nl-tasks[eval]'") from None
    import nl_tasks.sparse_backends  # noqa: F401  (so that attn_implementation=nl_quest is known)

    setup_logging()
    before = sys.argv
    sys.argv = ["lm-eval", *arguments]  # it reads no other
    try:
        command_line = HarnessCLI()
        options = command_line.parse_args()
        if hasattr(options, "include_path"):
            given = [options.include_path] if options.include_path else []
            options.include_path = [str(task_folder()), *given]
        command_line.execute(options)
    finally:
        sys.argv = before
