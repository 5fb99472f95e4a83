"""`make demo`: the main job in small, with every step on the screen.

    python -m nl_tasks.demo [FOLDER]

Generates the story tasks at 128k tokens, opens them with `datasets`, and scores two stand-ins for a model: one that
knows the gold answers and one that names random things of the story.
"""

import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from nl_tasks.cli_generate import STORY_TASKS
from nl_tasks.dataset import read_dataset
from nl_tasks.generate import generate_dataset
from nl_tasks.generators.lengths import format_length
from nl_tasks.generators.sample import Sample
from nl_tasks.gold import gold_prediction
from nl_tasks.guess import chance, guess
from nl_tasks.progress import GenerationProgress
from nl_tasks.scoring import Summary, get_scorer, summarise

LENGTH, SAMPLES = 128 * 1024, 10
DATASET = "sparse-frontier/story"


def run(folder: Path) -> None:
    """Make, load and score the story tasks below `folder`, printing what happens."""
    console = Console(width=100)
    out = folder / DATASET
    console.print(f"[bold]1. Generate[/bold] {SAMPLES} samples of each story task at {format_length(LENGTH)} tokens")
    began = time.perf_counter()
    with GenerationProgress() as progress:
        generate_dataset(
            STORY_TASKS,
            [LENGTH],
            n=SAMPLES,
            out=out,
            workers=None,
            overwrite=out.exists(),
            starting=progress.starting,
            made=progress.made,
        )
    seconds = time.perf_counter() - began
    tokens = len(STORY_TASKS) * SAMPLES * LENGTH
    console.print(f"   {tokens / 1e6:.1f} million tokens in {seconds:.1f} s\n")

    console.print("[bold]2. Load[/bold] them as any dataset")
    configs = _load(out)
    console.print(f'   load_dataset("{out}", "{configs[0]}")["test"]\n')

    console.print("[bold]3. Score[/bold] two stand-ins for a model")
    console.print(_table(out, configs))
    console.print("   gold answers from the answer column; random names a thing of the asked kind from the story;")
    console.print("   chance is what random can expect.\n")
    console.print(f"The files are in {out}; next:\n   nl-tasks show {out}\n   nl-tasks verify {out}")


def _load(out: Path) -> list[str]:
    """The configs of the folder, after `datasets` opened each and found every prompt as long as was asked."""
    from datasets import disable_progress_bars, get_dataset_config_names, load_dataset

    disable_progress_bars()
    configs = [name for name in get_dataset_config_names(str(out)) if name != "default"]
    for config in configs:
        rows = load_dataset(str(out), config)["test"]
        if set(rows["num_tokens"]) != {LENGTH}:
            raise ValueError(f"{config}: num_tokens is {sorted(set(rows['num_tokens']))}, asked were {LENGTH}")
    return configs


def _table(out: Path, configs: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("   config", no_wrap=True)
    for heading in ("samples", "tokens each", "gold", "random", "95% interval", "chance"):
        table.add_column(heading, justify="right", no_wrap=True)
    for config in configs:
        samples = list(read_dataset(out, config))
        gold, random = _score(samples, knowing=True), _score(samples, knowing=False)
        table.add_row(
            f"   {config}",
            str(len(samples)),
            str(samples[0].num_tokens),
            f"{gold.mean:.3f}",
            f"{random.mean:.3f}",
            f"{random.low:.3f} - {random.high:.3f}",
            f"{sum(map(chance, samples)) / len(samples):.3f}",
        )
    return table


def _score(samples: list[Sample], *, knowing: bool) -> Summary:
    predictions = [gold_prediction(each.metric, each.answers) if knowing else guess(each) for each in samples]
    return summarise([get_scorer(each.metric)(said, each.answers) for each, said in zip(samples, predictions)])


if __name__ == "__main__":
    run(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output"))
