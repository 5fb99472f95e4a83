"""One step of a probe's training, and how many of them a time has room for on this machine."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from nl_tasks.probe_batch import Batch, pack
from nl_tasks.probe_data import Course
from nl_tasks.probe_llama import Base, Blocks, hidden_states, logits
from nl_tasks.probe_lowrank import LowRank

_ANSWER = 20  # tokens of each made-up answer
_SPARE = 0.93  # of the time: the rest goes to savings and scores


def learn(base: Base, updates: LowRank, optimizer: torch.optim.Optimizer, batch: Batch, blocks: Blocks) -> Tensor:
    """Take one step and return its loss, the mean over the answers' tokens by their weights."""
    hidden = hidden_states(base, updates.merged(base.linears), batch.tokens, blocks)
    losses = F.cross_entropy(logits(base, hidden[batch.at]), batch.wanted, reduction="none")
    loss = (losses * batch.weight).sum() / batch.weight.sum()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(updates.parameters(), 1.0)
    optimizer.step()
    return loss.detach()


def time_steps(
    base: Base, updates: LowRank, blocks: Blocks, widths: Sequence[int], tokens: int, repeats: int = 3
) -> dict[int, float]:
    """Seconds of a step for each width of texts, measured on made-up ones with a learning rate of 0."""
    device = base.embedding.device
    optimizer = torch.optim.AdamW(updates.parameters(), lr=0.0, weight_decay=0.0)
    found = {}
    for width in widths:
        batch = _made_up(len(base.embedding), width, tokens // width).to(str(device))
        seconds = []
        for _ in range(repeats + 1):  # the first also compiles
            _wait(device)
            began = time.perf_counter()
            learn(base, updates, optimizer, batch, blocks)
            _wait(device)
            seconds.append(time.perf_counter() - began)
        found[width] = min(seconds[1:])
    return found


def steps_in(seconds: float, course: Course, times: Mapping[int, float]) -> int:
    """How many steps of a course like `course` fit into so many seconds, given the time of a step of each width."""
    shape = replace(course, steps=1000)
    mean = sum(times[shape.width(step)] for step in range(shape.steps)) / shape.steps
    return max(1, int(seconds * _SPARE / mean))


def _made_up(vocabulary: int, width: int, rows: int) -> Batch:
    random = torch.Generator().manual_seed(width)
    texts = torch.randint(vocabulary, (rows, width), generator=random).tolist()
    return pack([(text[:-_ANSWER], text[-_ANSWER:]) for text in texts], width)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
