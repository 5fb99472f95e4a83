"""`nl-tasks lm-eval`: lm-evaluation-harness with our tasks and backends."""

from typing import Annotated

import typer

SETTINGS = {"ignore_unknown_options": True, "allow_extra_args": True, "allow_interspersed_args": False}
"""How the command line is to read this command: what follows `run` is lm-eval's, options included."""


def lm_eval(
    context: typer.Context,
    path: Annotated[bool, typer.Option("--path", help="Print the folder of the tasks' YAML files.")] = False,
) -> None:
    """Run lm-evaluation-harness' own command line; our tasks (nl_story, nl_story_retrieval_16k, ...) are known to it.

    Example: nl-tasks lm-eval run --model hf --model_args pretrained=./my-model --tasks nl_story
    --metadata '{"lengths": ["4k"], "samples": 50}' --apply_chat_template

    Example: nl-tasks lm-eval run --model hf
    --model_args pretrained=./my-model,attn_implementation=nl_quest:sparsity=0.9 --tasks nl_story_4k
    --apply_chat_template

    Example: lm_eval run --include_path $(nl-tasks lm-eval --path) --tasks nl_story ...
    """
    if path:
        from nl_tasks.lm_eval_yaml import task_folder

        print(task_folder())
        return
    from nl_tasks.lm_eval_cli import run_lm_eval

    run_lm_eval(context.args)
