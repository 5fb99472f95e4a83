"""A small model on short stories, with full and with sparse attention: the part of `make demo` that runs a model.

    python -m nl_tasks.demo_eval [FOLDER]

SmolLM2 has 135 million parameters and answers few of these questions, so what to look at is how much of the evidence
each method lets it see, and how often it still says what it says with full attention.
"""

import sys
from pathlib import Path

from nl_tasks.eval_progress import EvalProgress, quiet_libraries
from nl_tasks.generators.task import get_task

BACKENDS = ("dense", "vertical_slash:sparsity=0.5", "quest:sparsity=0.5", "snapkv:sparsity=0.5")
LENGTH, SAMPLES, MAX_NEW_TOKENS = "1k", 8, 16


def evaluate_smollm2(out: Path) -> None:
    """Evaluate SmolLM2 and print the table; results are kept in `out`, and those that are there are not run again.

    Raises ValueError if the model's wheel or a library is not installed.
    """
    quiet_libraries()
    try:
        from nl_tasks.eval import evaluate
    except ImportError as error:
        raise ValueError(f"evaluating a model needs {error.name}: pip install 'nl-tasks[demo]'") from None
    from nl_tasks.eval_table import print_results

    task = get_task("story_retrieval", num_queries=1, style="plain")
    with EvalProgress() as progress:
        results = evaluate(
            ["smollm2"],
            BACKENDS,
            [task],
            [LENGTH],
            n=SAMPLES,
            max_new_tokens=MAX_NEW_TOKENS,
            out=out,
            starting=progress.starting,
            answered=progress.answered,
        )
    print_results(results)


if __name__ == "__main__":
    evaluate_smollm2(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output/results"))
