"""The command `nl-tasks`: one function a command, each in a file of its own, and one way to say what went wrong.

A command's file imports nothing heavy before it is called, so that `nl-tasks --help` answers at once. To add a
command, write `nl_tasks/cli_NAME.py` and list its function in `COMMANDS`.
"""

import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

import nl_tasks
from nl_tasks.cli_backends import list_backends
from nl_tasks.cli_bench import bench
from nl_tasks.cli_card import card
from nl_tasks.cli_eval import evaluate_models
from nl_tasks.cli_generate import generate
from nl_tasks.cli_list import list_tasks
from nl_tasks.cli_lm_eval import SETTINGS, lm_eval
from nl_tasks.cli_probe import probe
from nl_tasks.cli_publish import publish
from nl_tasks.cli_report import report
from nl_tasks.cli_score import score
from nl_tasks.cli_show import show
from nl_tasks.cli_sweep import sweep
from nl_tasks.cli_verify import verify
from nl_tasks.errors import Interrupted, RunError

COMMANDS: dict[str, Callable[..., None]] = {
    "list": list_tasks,
    "generate": generate,
    "show": show,
    "verify": verify,
    "score": score,
    "card": card,
    "publish": publish,
    "backends": list_backends,
    "eval": evaluate_models,
    "sweep": sweep,
    "report": report,
}

BAD_USE, FAILURE = 2, 1

app = typer.Typer(
    name="nl-tasks",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        print(nl_tasks.__version__)
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Long-context tasks in natural language, exact to the token.

    Example: nl-tasks generate --len 128k
    """


for _name, _function in COMMANDS.items():
    app.command(_name)(_function)
app.command("lm-eval", context_settings=SETTINGS)(lm_eval)
app.add_typer(bench, name="bench")
app.add_typer(probe, name="probe")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit status; `NL_TASKS_DEBUG=1` shows tracebacks."""
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # we say ourselves, in one line, when the Hub is out of reach
    try:
        status = app(arguments, prog_name="nl-tasks", standalone_mode=False)
        if status == Interrupted.status:  # typer makes this of a KeyboardInterrupt
            raise Interrupted("interrupted")
    except (KeyboardInterrupt, typer.Abort):
        _complain("interrupted", Interrupted.status)
    except BrokenPipeError:  # the reader of our output left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILURE)
    except Exception as error:
        if os.environ.get("NL_TASKS_DEBUG") == "1":
            raise
        _complain(*_explain(error))
    sys.exit(status if isinstance(status, int) else 0)


def _explain(error: Exception) -> tuple[str, int]:
    """One line about `error`, and the exit status it deserves."""
    if hasattr(error, "format_message"):  # typer's own: a missing argument, an unknown option
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context else ""
        if not error.format_message():  # no command at all: the help stands above
            hint = "name a command, as above"
        return f"{error.format_message()}{hint}", BAD_USE
    if isinstance(error, OSError) and error.strerror:
        name = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{name}", FAILURE
    if isinstance(error, RunError):
        return str(error), error.status
    if isinstance(error, OSError):
        return str(error), FAILURE
    if isinstance(error, ValueError):
        return str(error), BAD_USE
    return f"{type(error).__name__}: {error} (NL_TASKS_DEBUG=1 shows where)", FAILURE


def _complain(message: str, status: int) -> None:
    print(f"nl-tasks: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
