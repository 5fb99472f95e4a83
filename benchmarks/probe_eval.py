"""What a probe can do, and what sparse attention takes from it: batched greedy answers on held-out samples.

    python benchmarks/probe_eval.py run --model FOLDER --out cells --grid dense --n 200
    python benchmarks/probe_eval.py run --model FOLDER --out cells --grid sparse --n 200 --share 0/6   # and 1/6, ...
    python benchmarks/probe_eval.py table cells

Prompts of a cell all have the same length, so a batch needs no padding. A cell's file holds a line a sample; cells
that are there are not run again, and `table` also works on unfinished runs.
"""

import argparse
import json
import math
import time
from contextlib import nullcontext
from pathlib import Path

from nl_tasks.generators.lengths import format_length, parse_length
from nl_tasks.generators.ruler_niah import RulerNiah
from nl_tasks.generators.ruler_vt import RulerVt
from nl_tasks.generators.story_filtering import StoryFiltering
from nl_tasks.generators.story_multihop import StoryMultihop
from nl_tasks.generators.story_retrieval import StoryRetrieval
from nl_tasks.scoring import Score, get_scorer, summarise

TASKS = {
    "retrieval by chapter": StoryRetrieval(num_queries=4),
    "retrieval by relation": StoryRetrieval(num_queries=4, ask_by="relation"),
    "multihop 1": StoryMultihop(),
    "multihop 2": StoryMultihop(hops=2),
    "filtering": StoryFiltering(),
    "filtering list": StoryFiltering(mode="list"),
    "niah": RulerNiah(),
    "niah 1": RulerNiah(num_queries=1),
    "vt": RulerVt(),
}
DENSE = ("retrieval by chapter", "retrieval by relation", "multihop 1", "multihop 2", "filtering", "niah", "vt")
SPARSE = ("retrieval by relation", "multihop 1", "filtering", "niah 1")
METHODS = ("vertical_slash", "block_sparse", "quest", "snapkv", "random", "oracle:unit=block")
SPARSITIES = (0.5, 0.8, 0.9, 0.95)
SEED = 43
_SPARE = 8  # tokens beyond the longest gold answer


def grid(name: str, lengths: list[int]) -> list[tuple[str, str, int]]:
    """The cells (task, backend, length) of a grid, those that matter most first."""
    if name != "sparse":
        return [(task, "dense", length) for length in lengths for task in DENSE]
    found = []
    for length in lengths:
        for sparsity in (0.9, 0.8, 0.95, 0.5):
            for method in METHODS:
                spec = f"{method}{',' if ':' in method else ':'}sparsity={sparsity}"
                found += [(task, spec, length) for task in SPARSE]
    return found


def run(arguments: argparse.Namespace) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from nl_tasks.probe_batch import writer

    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    own = writer(arguments.model)
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=dtype).to(device).eval()
    mine, of = map(int, arguments.share.split("/"))
    cells = grid(arguments.grid, [parse_length(length) for length in arguments.len.split(",")])
    if arguments.task:
        cells = [cell for cell in cells if cell[0] in arguments.task.split(",")]
    for task, spec, length in cells[mine::of]:
        name = f"{arguments.label}-{task}-{spec}-{format_length(length)}".replace(" ", "_").replace(":", "-")
        file = out / f"{name.replace('=', '').replace(',', '-')}.jsonl"
        if file.exists():
            continue
        if arguments.seconds and time.monotonic() - began > arguments.seconds:
            break
        started = time.monotonic()
        try:
            lines = answers_of(model, own, task, spec, length, arguments, device)
        except (RuntimeError, ValueError) as error:  # a cell that cannot be run does not end the others
            print(f"{name}: {type(error).__name__}: {str(error).splitlines()[0]}", flush=True)
            torch.cuda.empty_cache()
            continue
        seconds = round(time.monotonic() - started, 1)
        cell = {"model": arguments.label, "task": task, "backend": spec, "length": length, "seconds": seconds}
        scratch = file.with_suffix(".part")
        scratch.write_text("".join(json.dumps({**cell, **line}) + "\n" for line in lines), encoding="utf-8")
        scratch.rename(file)
        mean = sum(line["score"] for line in lines) / len(lines)
        print(f"{name}: {mean:.3f} of {len(lines)} in {seconds} s", flush=True)


def answers_of(model, own, task_name, spec, length, arguments, device) -> list[dict]:
    """A cell's samples: score, evidence recall and density of each."""
    import torch

    from nl_tasks.eval_evidence import evidence_tokens, question_tokens
    from nl_tasks.sparse_backends import parse_backend

    task, backend = TASKS[task_name], parse_backend(spec)
    backend.check(length if backend.phase == "prefill" else 1, length)
    samples = [
        task.sample(seed=SEED, index=index, length=length, tokenizer=own.counter) for index in range(arguments.n)
    ]
    budget = max(len(own.answer(sample.metric, sample.answers)) for sample in samples) + _SPARE
    budget = max(budget, arguments.max_new_tokens)
    lines = []
    for first in range(0, len(samples), arguments.batch):
        part = samples[first : first + arguments.batch]
        texts = [own.chat(sample.prompt) for sample in part]
        read = own.read(texts)
        prompt = torch.tensor([text.ids for text in read], device=device)
        spans, questions = [], []
        for text, found, sample in zip(texts, read, part):
            row = sample.row()
            spans.append(evidence_tokens(text, row["prompt"], row["evidence"], found.offsets))
            questions.append(question_tokens(text, row["prompt"], row["question"], found.offsets))
        plain = spec == "dense"  # whose recall and density are 1 by definition
        with nullcontext() if plain else backend.attach(model) as run, torch.inference_mode():
            if not plain:
                run.start(spans, question=max(questions))
            said = model.generate(
                input_ids=prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=budget,
                do_sample=False,
                pad_token_id=own.end,
            )
        for row, sample in enumerate(part):
            words = own.words(said[row, length:].tolist())
            score = get_scorer(sample.metric)(words, sample.answers)
            recall = 1.0 if plain else _mean(run.evidence_recall(row=row))
            density = 1.0 if plain else _mean(run.density(row=row))
            lines.append(
                {
                    "index": sample.index,
                    "score": score.value,
                    "parsed": score.parsed,
                    "depths": sample.depths,
                    "recall": recall,
                    "density": density,
                    "said": words if first == 0 and row < 3 else None,
                }
            )
    return lines


def _mean(values) -> float | None:
    value = float(values.nanmean()) if values.numel() else math.nan
    return None if math.isnan(value) else round(value, 5)


def table(arguments: argparse.Namespace) -> None:
    cells = read_cells(arguments.out)
    columns = ["model", "task", "length", "backend", "n", "score", "95% interval", "all right", "unparsed"]
    columns += ["recall", "density"]
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for (model, task, length, backend), lines in cells.items():
        found = summarise([Score(value=line["score"], parsed=line["parsed"], answer="") for line in lines])
        recall = [line["recall"] for line in lines if line["recall"] is not None]
        density = [line["density"] for line in lines if line["density"] is not None]
        cut = [f"{sum(part) / len(part):.3f}" if part else "-" for part in (recall, density)]
        whole = sum(line["score"] == 1 for line in lines) / len(lines)
        unparsed = 1 - sum(line["parsed"] for line in lines) / len(lines)
        shown = [model, task, format_length(length), backend, str(len(lines)), f"{found.mean:.3f}"]
        shown += [f"{found.low:.3f} - {found.high:.3f}", f"{whole:.3f}", f"{unparsed:.3f}", *cut]
        print(f"| {' | '.join(shown)} |")
    lost(cells)


def lost(cells: dict) -> None:
    """A logistic fit, by sample, of "right with dense attention, wrong with this method" on evidence recall."""
    import numpy as np
    import statsmodels.api as sm

    dense = {
        (key[:3], line["index"]): line["score"] == 1
        for key, lines in cells.items()
        if key[3] == "dense"
        for line in lines
    }
    for phase in ("prefill", "decode"):
        rows, owners = [], []
        for key, lines in cells.items():
            decodes = key[3].split(":")[0] in ("quest", "snapkv")
            if key[3] == "dense" or decodes != (phase == "decode"):
                continue
            for line in lines:
                if dense.get((key[:3], line["index"])) and line["recall"] is not None:
                    rows.append((line["recall"], line["score"] < 1))
                    owners.append(f"{key[1]}/{line['index']}")
        if not rows or len({wrong for _, wrong in rows}) < 2:
            continue
        x, y = np.array(rows, dtype=float).T
        # The same sample is asked under many methods: its errors are no independent draws
        fit = sm.Logit(y, sm.add_constant(x * 10)).fit(
            disp=0, cov_type="cluster", cov_kwds={"groups": np.unique(owners, return_inverse=True)[1]}
        )
        odds = [math.exp(value) for value in (fit.params[1], *fit.conf_int()[1])]
        print(f"\n{phase}: {len(y)} answers that dense attention has right, {y.mean():.3f} of them lost;")
        print("odds of losing one for each 0.1 of evidence recall more: x {:.3f} ({:.3f} - {:.3f})".format(*odds))


def read_cells(folder: str) -> dict[tuple, list[dict]]:
    """The samples of each cell (model, task, length, backend)."""
    cells: dict[tuple, list[dict]] = {}
    for file in sorted(Path(folder).glob("*.jsonl")):
        for text in file.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            cells.setdefault((line["model"], line["task"], line["length"], line["backend"]), []).append(line)
    return dict(sorted(cells.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    running = commands.add_parser("run")
    running.add_argument("--model", required=True, help="a model's folder")
    running.add_argument("--label", default="probe", help="its name in the tables")
    running.add_argument("--out", default="probe-cells")
    running.add_argument("--grid", choices=("dense", "sparse"), default="dense")
    running.add_argument("--len", default="2k,4k,8k")
    running.add_argument("--task", default="", help="some of the tasks, separated by commas")
    running.add_argument("--n", type=int, default=200)
    running.add_argument("--batch", type=int, default=8)
    running.add_argument("--max-new-tokens", type=int, default=0, help="more than the longest gold answer needs")
    running.add_argument("--share", default="0/1", help="i/k: every k-th cell from the i-th on")
    running.add_argument("--seconds", type=float, default=0, help="begin no cell after so long")
    running.set_defaults(call=run)
    showing = commands.add_parser("table")
    showing.add_argument("out")
    showing.set_defaults(call=table)
    arguments = parser.parse_args()
    arguments.call(arguments)


if __name__ == "__main__":
    main()
