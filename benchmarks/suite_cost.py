"""What a sample of each task costs, against one encode of its finished prompt: what `benchmarks/suite_cost.txt` keeps.

    python benchmarks/suite_cost.py [TOKENIZER ...] > benchmarks/suite_cost.txt

By default with tekken and the folder of SmolLM2, 128k tokens; all figures are processor time of one core. QA tasks read
the corpora of tests/. Exit status 1 if a ratio is above 2.0 with a tokenizer that tiktoken runs.
"""

import sys
from pathlib import Path

from machine import print_machine
from suite_check import task_of

from nl_tasks.bench_generate import bench_generate
from nl_tasks.generators import task_types
from nl_tasks.generators.tokenizers import load_tokenizer

LENGTH, SAMPLES = 128 * 1024, 7
MOST = 2.0


def main(names: list[str]) -> int:
    print_machine("numpy", "tiktoken", "tokenizers", "mistral-common")
    print(f"{'tokenizer':<24}{'task':<17}{'sample ms':>11}{'encode ms':>11}{'ratio':>7}", flush=True)
    above = 0
    for name in names:
        quick = type(load_tokenizer(name)).__module__.endswith("tiktoken")
        for pace in bench_generate([task_of(task) for task in sorted(task_types())], [LENGTH], name, n=SAMPLES):
            made = 1000 / pace.samples_per_second
            print(
                f"{Path(name).name:<24.23}{pace.task:<17}{made:>11.1f}{pace.encode_ms:>11.1f}{pace.ratio:>7.2f}",
                flush=True,
            )
            above += quick and pace.ratio > MOST
    print(f"{above} above {MOST}")
    return int(above > 0)


if __name__ == "__main__":
    chosen = sys.argv[1:]
    if not chosen:
        from nl_tasks.local_models import model_folder

        chosen = ["tekken", model_folder("smollm2")]
    sys.exit(main(chosen))
