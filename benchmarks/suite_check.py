"""Does every task hold what it promises? Lengths, hashes, evidence, scores, answers found by a reader, balance.

    python benchmarks/suite_check.py > benchmarks/suite_check.txt
    python benchmarks/suite_check.py --samples 20 --len 8k --tokenizer tekken      # in small

QA tasks read the corpora of tests/ (documents may come twice, or they would not reach these lengths); --source with
--task reads another. The tokenizers are tekken (no chat template, tiktoken) and the folder of SmolLM2 (chat template,
tokenizers); their own libraries count. Exit status 1 if anything fails.
"""

import argparse
import importlib.util
import multiprocessing
import re
import sys
import time
from collections.abc import Callable, Iterable
from itertools import combinations
from pathlib import Path

import numpy as np
import suite_solvers
from machine import print_machine

from nl_tasks.generators import Sample, format_length, get_task, load_tokenizer, parse_length, task_types
from nl_tasks.generators.sample import content_hash
from nl_tasks.generators.task import Task
from nl_tasks.gold import gold_prediction
from nl_tasks.scoring import get_scorer

ROOT = Path(__file__).parents[1]
CORPORA = {"qa_quality": "quality.jsonl", "qa_squad": "squad.json", "qa_toefl": "toefl.jsonl"}
READ_AT = 8192
"""Tokens of the prompts that a reader answers."""
GARBAGE = ("", "I do not know.", "<answer></answer>", "<answer>\n???\n</answer>")


def task_of(name: str, source: str = "") -> Task:
    """The task with its default knobs, and a source if it needs one."""
    if name not in CORPORA:
        return get_task(name)
    if source:
        return get_task(name, source=source)
    return get_task(name, source=str(ROOT / "tests" / "generators" / "corpora" / CORPORA[name]), allow_repeat=True)


def flaws(sample: Sample, tokenizer: str) -> list[str]:
    """What is wrong with a sample by itself."""
    found = []
    counted = load_tokenizer(tokenizer).count_reference(sample.prompt)
    if not counted == sample.num_tokens == sample.target_tokens:
        found.append(f"{counted} tokens")
    if sample.sha256 != content_hash(sample.prompt, sample.answers):
        found.append("another hash")
    if len(sample.depths) != len(sample.evidence) or not sample.evidence:
        found.append("evidence without depth")
    found += [f"evidence {span.role!r}" for span in sample.evidence if not named(sample, span.start, span.end)]
    score = get_scorer(sample.metric)
    if score(gold_prediction(sample.metric, sample.answers), sample.answers).value != 1:
        found.append("gold does not score 1")
    if any(score(text, sample.answers).value != 0 for text in GARBAGE):
        found.append("garbage scores")
    return found


def named(sample: Sample, start: int, end: int) -> bool:
    """Whether a span of evidence says what its task's evidence has to say."""
    text = sample.prompt[start:end]
    if text != text.strip() or not text:
        return False
    kind = sample.task
    if kind == "ruler_cwe":
        return text in sample.answers
    if kind == "ruler_niah":
        return any(text == f"The code for {a.replace(': ', ' is ')}." for a in sample.answers)
    if kind == "ruler_vt":
        return bool(re.fullmatch(r"Let [A-Z]{5} be (equal to )?\w+\.", text)) and text[4:9] in sample.answers
    if kind == "qa_squad":
        return text == sample.answers[0]
    if kind in CORPORA:
        return text == suite_solvers.document(sample.prompt)
    return True  # the stories' reader and the whole text of FWE are checked with the answers


def read(sample: Sample) -> bool:
    """Whether a reader of the prompt alone comes to the gold answers; QA: they stand in the document asked about."""
    if sample.task.startswith("story_"):
        return list(_stories().ReadStory(sample.prompt).answers()) == list(sample.answers)
    if sample.task in CORPORA:
        text = suite_solvers.document(sample.prompt)
        if sample.task == "qa_squad":
            return all(answer in text for answer in sample.answers)
        chosen = [suite_solvers.options(sample.prompt)[letter] for letter in "".join(sample.answers)]
        facts = [option.removeprefix("the year ") for option in chosen]
        return all(fact.lower() in text.lower() for fact in facts)
    solve: Callable[[str], set[str]] = getattr(suite_solvers, sample.task.removeprefix("ruler_"))
    return solve(sample.prompt) == set(sample.answers)


def _stories() -> object:
    """The reader of stories that the tests have."""
    if "story_reader" not in sys.modules:
        spec = importlib.util.spec_from_file_location("story_reader", ROOT / "tests" / "generators" / "conftest.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["story_reader"] = module
        spec.loader.exec_module(module)
    return sys.modules["story_reader"]


def make(name: str, source: str, tokenizer: str, length: int, index: int) -> Sample:
    """One sample of seed 43."""
    return task_of(name, source).sample(seed=43, index=index, length=length, tokenizer=load_tokenizer(tokenizer))


def check_lengths(names: Iterable[str], lengths: list[str], tokenizers: list[str], source: str) -> int:
    """Each task at each length with each tokenizer, made in two processes."""
    bad = 0
    print(f"{'task':<17}{'tokenizer':<12}{'length':>7}{'samples':>9}{'sound':>7}{'made again':>12}{'cpu s each':>12}")
    with multiprocessing.get_context("spawn").Pool(1) as elsewhere:
        for name in names:
            for tokenizer in tokenizers:
                for length in lengths:
                    count = 1 if parse_length(length) >= 2**20 else 3
                    jobs = [(name, source, tokenizer, parse_length(length), index) for index in range(count)]
                    other = elsewhere.starmap_async(make, jobs)
                    began = time.process_time()
                    try:
                        samples = [make(*job) for job in jobs]
                    except ValueError as error:
                        print(f"{name:<17}{Path(tokenizer).name:<12.11}{length:>7}   not made: {error}", flush=True)
                        continue
                    seconds = (time.process_time() - began) / count
                    problems = [problem for sample in samples for problem in flaws(sample, tokenizer)]
                    equal = sum(a == b for a, b in zip(samples, other.get()))
                    sound = sum(not flaws(sample, tokenizer) for sample in samples) if problems else count
                    bad += count - sound + count - equal
                    row = f"{name:<17}{Path(tokenizer).name:<12.11}{length:>7}{count:>9}{sound:>7}{equal:>12}"
                    print(f"{row}{seconds:>12.3f}   {'; '.join(sorted(set(problems)))}", flush=True)
    return bad


def check_readers(names: Iterable[str], count: int, source: str) -> int:
    """A reader of the prompt alone on many samples of each task."""
    bad = 0
    print(f"\n{'task':<17}{'length':>7}{'samples':>9}{'reader agrees':>15}{'deciles of depth':>18}")
    for name in names:
        samples = [make(name, source, "tekken", READ_AT, index) for index in range(count)]
        agreed = sum(map(read, samples))
        bad += count - agreed
        depths = [depth for sample in samples for depth in sample.depths]
        shares = np.histogram(depths, bins=10, range=(0, 1))[0] / len(depths) * 100
        balanced = "" if name == "ruler_fwe" else f"{shares.min():.1f}% to {shares.max():.1f}%"
        print(f"{name:<17}{format_length(READ_AT):>7}{count:>9}{agreed:>15}{balanced:>18}", flush=True)
        if name in ("ruler_niah", "ruler_vt", "ruler_cwe") and count >= 100:
            bad += not 8 <= shares.min() <= shares.max() <= 12
    return bad


def check_common_words(length: str = "16k", count: int = 100) -> int:
    """Whether samples of CWE share the places of their common words."""
    places = []
    for index in range(count):
        sample = make("ruler_cwe", "", "tekken", parse_length(length), index)
        entries = re.findall(r"^\d+\. ([a-z]+)$", sample.prompt, re.MULTILINE)
        places.append(frozenset(place for place, word in enumerate(entries) if word in set(sample.answers)))
    shared = [len(a & b) / len(a) for a, b in combinations(places, 2)]
    print(f"\nCWE, {count} samples of {length}: {len(set(places))} different sets of places of the common words;")
    print(f"two samples share {np.mean(shared):.1%} of the places on average, {max(shared):.1%} at most")
    return count - len(set(places))


def main() -> int:
    """Run the checks that the options name."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    options.add_argument("--samples", type=int, default=300)
    options.add_argument("--len", default="8k,128k,1m")
    options.add_argument("--tokenizer", nargs="*", default=[])
    options.add_argument("--task", nargs="*", default=sorted(task_types()))
    options.add_argument("--source", default="")
    chosen = options.parse_args()
    tokenizers = chosen.tokenizer
    if not tokenizers:
        from nl_tasks.local_models import model_folder

        tokenizers = ["tekken", model_folder("smollm2")]
    print_machine("numpy", "tiktoken", "tokenizers", "mistral-common")
    bad = check_lengths(chosen.task, chosen.len.split(","), tokenizers, chosen.source)
    if not chosen.source:
        bad += check_readers(chosen.task, chosen.samples, chosen.source)
        bad += check_common_words(count=min(100, chosen.samples)) if "ruler_cwe" in chosen.task else 0
    print(f"\n{bad} failures")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
