"""How fast samples are made and how much memory that takes: what `benchmarks/generate.txt` keeps.

    python benchmarks/generate.py [TOKENIZER ...] > benchmarks/generate.txt

By default with tekken, which tiktoken runs, and with the folder of SmolLM2, a Hugging Face tokenizer. Run it on a
machine that does nothing else. First, `nl-tasks bench generate` for each tokenizer. Then the most memory that a worker
of `nl-tasks generate` ever held, and at last one sample of ten million tokens.
"""

import os
import sys
import time
from pathlib import Path

from machine import print_machine

from nl_tasks.cli import main as nl_tasks
from nl_tasks.generators import get_task, load_tokenizer, parse_length
from nl_tasks.sample_jobs import SampleJob, make_row
from nl_tasks.workers import Workers

TASKS = ("story_retrieval", "story_multihop", "story_filtering")
LENGTHS = ("8k", "32k", "128k", "1m")


def peak_after(job: SampleJob) -> float:
    """Megabytes that this process has held at most, once it has made the row of `job`; Linux only."""
    make_row(job)
    # Not getrusage: a process inherits the peak of the one that started it
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def memory(tokenizer: str) -> None:
    for length in ("128k", "1m"):
        jobs = [SampleJob(get_task(task), 43, i, parse_length(length), tokenizer) for i in range(4) for task in TASKS]
        with Workers(2) as workers:  # one alone would be this process
            peak = max(workers.map(peak_after, jobs))
        print(f"{length:<8}{peak:>6.0f} MB   {tokenizer}", flush=True)


def longest(length: int) -> None:
    tokenizer = load_tokenizer("tekken")
    began = time.process_time()
    sample = get_task("story_multihop").sample(seed=43, index=0, length=length, tokenizer=tokenizer)
    seconds = time.process_time() - began
    counted = tokenizer.count_reference(sample.prompt)
    print(f"{length} tokens asked for, {counted} by mistral-common, {len(sample.prompt)} characters, {seconds:.1f} s")


def main(names: list[str]) -> None:
    print_machine("numpy", "tiktoken", "tokenizers", "mistral-common")
    for name in names:
        print(f"\nspeed, {name}", flush=True)
        try:
            nl_tasks(["bench", "generate", *TASKS, "--len", ",".join(LENGTHS), "--tokenizer", name])
        except SystemExit as ended:
            if ended.code:
                raise
    print("\npeak memory of a worker", flush=True)
    for name in names:
        memory(name)
    print("\none sample of story_multihop", flush=True)
    longest(10_000_000)


if __name__ == "__main__":
    chosen = sys.argv[1:]
    if not chosen:
        from nl_tasks.local_models import SMOLLM2, model_folder

        folder = Path(model_folder(SMOLLM2))
        os.chdir(folder.parent)  # so that its name is short
        chosen = ["tekken", f"./{folder.name}"]
    main(chosen)
