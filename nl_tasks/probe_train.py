"""Training a probe: a small model that can do our tasks, so that sparse attention has something to break.

    train(Settings(base=folder, steps=2000), "probe-run")

The folder `out` then holds `adapter.safetensors`, `log.jsonl` and what it takes to go on after an interruption. The
same settings give the same batches, whatever the number of workers.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from nl_tasks.probe_adapter import read_adapter, write_adapter
from nl_tasks.probe_batch import Batch, writer
from nl_tasks.probe_llama import PLAIN, Blocks, read_base
from nl_tasks.probe_lowrank import LowRank
from nl_tasks.probe_score import held_out_scores
from nl_tasks.probe_settings import Settings
from nl_tasks.probe_step import learn, steps_in, time_steps

ADAPTER, LOG, STATE = "adapter.safetensors", "log.jsonl", "state.pt"


def train(
    settings: Settings,
    out: str | Path,
    *,
    workers: int = 0,
    device: str = "auto",
    compile_blocks: bool | None = None,
    save_every: int = 200,
    stop_after: int | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Train, or go on with what is in `out`; every `save_every` steps held-out texts are scored and all is saved.

    `compile_blocks` is by default done on a GPU; `stop_after` ends this call after so many steps in all, as an
    interruption would. Raises ValueError if `out` holds a training of other settings.
    """
    device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    on_gpu = device.startswith("cuda")
    out = Path(out)
    begin = _begin(settings) if settings.start else None
    course, held_out = settings.course(), settings.tests()
    writer(settings.base)  # before there are workers: it says what is wrong, and they need not read it again
    first = _saved_step(settings, out)
    out.mkdir(parents=True, exist_ok=True)
    batches = _loaded(course, range(first, settings.steps), workers, on_gpu)
    tests = list(_loaded(held_out, range(len(held_out)), workers, False)) if len(held_out) else []

    base = read_base(settings.base, device=device, dtype=torch.bfloat16 if on_gpu else torch.float32)
    shapes = {name: weight.shape for name, weight in base.linears.items()}
    updates = LowRank(shapes, rank=settings.rank, scale=settings.scale, seed=settings.seed).to(device)
    if begin is not None:
        updates.load_state_dict(begin.state_dict())
    optimizer = torch.optim.AdamW(updates.parameters(), lr=0.0, betas=(0.9, 0.98), weight_decay=0.0, fused=on_gpu)
    if first:
        state = torch.load(out / STATE, map_location=device)
        updates.load_state_dict(state["updates"])
        optimizer.load_state_dict(state["optimizer"])
    blocks = Blocks.compiled() if (on_gpu if compile_blocks is None else compile_blocks) else PLAIN

    def save(step: int) -> None:
        scores = held_out_scores(base, updates.merged(base.linears), held_out, tests, device) if tests else {}
        _note(out, step=step, seconds=round(time.monotonic() - began, 1), held_out=scores)
        say(f"step {step}: " + ", ".join(f"{name} {score:.2f}" for name, score in scores.items()))
        facts = {"settings": json.loads(settings.described()), "step": step}
        write_adapter(out / ADAPTER, updates, facts)
        state = {"step": step, "updates": updates.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save({**state, "settings": settings.described()}, out / f"{STATE}.new")
        (out / f"{STATE}.new").replace(out / STATE)

    began, heard, tokens = time.monotonic(), [], 0
    for step, batch in enumerate(batches, first):
        if stop_after is not None and step >= stop_after:
            return
        here = batch.to(device)
        for group in optimizer.param_groups:
            group["lr"] = settings.rate_at(step)
        loss = learn(base, updates, optimizer, here, blocks)
        tokens += batch.tokens.numel()
        heard.append(loss)
        if len(heard) == 20 or step + 1 == settings.steps:
            mean = float(torch.stack(heard).mean())
            seconds = time.monotonic() - began
            _note(out, step=step + 1, seconds=round(seconds, 1), loss=round(mean, 5), width=batch.tokens.shape[1])
            say(f"step {step + 1} of {settings.steps}: loss {mean:.4f}, {tokens / seconds:,.0f} tokens/s")
            heard = []
        if (step + 1) % save_every == 0 or step + 1 == settings.steps:
            save(step + 1)


def steps_for(
    settings: Settings, out: str | Path, seconds: float, *, device: str = "auto", compile_blocks: bool | None = None
) -> int:
    """How many steps take about `seconds` here, with what each saving costs; those of the training in `out`, if any."""
    if (Path(out) / STATE).is_file():
        state = torch.load(Path(out) / STATE, map_location="cpu")
        return int(json.loads(state["settings"])["steps"])
    if not seconds > 0:
        raise ValueError(f"a training of {seconds} s is out of range: more than 0")
    device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    on_gpu = device.startswith("cuda")
    began = time.perf_counter()
    base = read_base(settings.base, device=device, dtype=torch.bfloat16 if on_gpu else torch.float32)
    shapes = {name: weight.shape for name, weight in base.linears.items()}
    updates = LowRank(shapes, rank=settings.rank, scale=settings.scale).to(device)
    blocks = Blocks.compiled() if (on_gpu if compile_blocks is None else compile_blocks) else PLAIN
    times = time_steps(base, updates, blocks, settings.widths, settings.tokens)
    return steps_in(seconds - (time.perf_counter() - began), settings.course(), times)


def _begin(settings: Settings) -> LowRank:
    """The updates that the training starts from. Raises ValueError if they are of another kind."""
    found, _ = read_adapter(settings.start)
    if (found.rank, found.scale) != (settings.rank, settings.scale):
        raise ValueError(
            f"start {settings.start!r} has rank {found.rank} and scale {found.scale}, asked are {settings.rank} and "
            f"{settings.scale}"
        )
    return found


def _loaded(data: Dataset[Batch], steps: range, workers: int, pin: bool) -> Iterator[Batch]:
    """Batches in order, made ahead by worker processes."""
    ahead = {"prefetch_factor": 4, "persistent_workers": False} if workers else {}
    return iter(
        DataLoader(data, batch_size=None, sampler=list(steps), num_workers=workers, pin_memory=pin, **ahead)  # type: ignore[arg-type]
    )


def _saved_step(settings: Settings, out: Path) -> int:
    """How many steps the training in `out` has done; 0 if there is none."""
    if not (out / STATE).is_file():
        return 0
    state = torch.load(out / STATE, map_location="cpu")
    if state["settings"] != settings.described():
        raise ValueError(f"{out} holds a training of other settings: {state['settings']}; choose another folder")
    return int(state["step"])


def _note(out: Path, **facts: Any) -> None:
    with (out / LOG).open("a", encoding="utf-8") as log:
        log.write(json.dumps(facts) + "\n")
