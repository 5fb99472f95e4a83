"""How much a probe can do: on texts it was not trained on, how often every token of the answer is the likeliest.

An answer whose every token is the likeliest one after the right ones before it is the answer that greedy decoding
gives, so one pass over text and answer tells what generating would.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nl_tasks.generators.lengths import format_length
from nl_tasks.probe_batch import Batch
from nl_tasks.probe_data import HeldOut
from nl_tasks.probe_llama import Base, Blocks, hidden_states, logits

_AT_ONCE = 65536  # tokens


@dataclass(frozen=True)
class Exactness:
    """Shares of the texts whose whole answer is right, and of the answers' tokens that are."""

    texts: float
    tokens: float


@torch.no_grad()
def exactness(base: Base, linears: Mapping[str, Tensor], batch: Batch, blocks: Blocks | None = None) -> Exactness:
    """Score a batch, a few rows at a time."""
    rows, width = batch.tokens.shape
    step = max(1, _AT_ONCE // width)
    right = torch.zeros(rows, dtype=torch.bool, device=batch.tokens.device)
    tokens = 0
    for first in range(0, rows, step):
        part = batch.tokens[first : first + step]
        mine = (batch.row >= first) & (batch.row < first + len(part))
        hidden = hidden_states(base, linears, part, blocks)[batch.at[mine] - first * width]
        good = logits(base, hidden).argmax(-1) == batch.wanted[mine]
        wrong = torch.zeros(len(part), dtype=torch.long, device=good.device)
        wrong.index_add_(0, batch.row[mine] - first, (~good).long())
        right[first : first + len(part)] = wrong == 0
        tokens += int(good.sum())
    return Exactness(float(right.float().mean()), tokens / len(batch.wanted))


def held_out_scores(
    base: Base, linears: Mapping[str, Tensor], held_out: HeldOut, batches: Sequence[Batch], device: str
) -> dict[str, float]:
    """Share of right texts for each held-out batch, by `TASK knobs @ length`."""
    scores = {}
    for number, batch in enumerate(batches):
        task, length = held_out.cells[number]
        knobs = [f"{knob}={value}" for knob, value in vars(task).items() if value != getattr(type(task), knob)]
        name = " ".join([task.name, *knobs, "@", format_length(length)])
        scores[name] = round(exactness(base, linears, batch.to(device)).texts, 4)
    return scores
