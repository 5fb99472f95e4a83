"""Timing work on a GPU: events around it, warmed up, the median of several runs."""

import statistics
from collections.abc import Callable, Sequence

import torch


def median_ms(
    runs: Callable[[], object] | Sequence[Callable[[], object]], *, budget_ms: float = 80.0, least: int = 4
) -> float:
    """Milliseconds that a call takes on the GPU, the median of at least `least` of them (one of a very long call).

    Several `runs` do the same work on different inputs and are taken in turn, so that inputs smaller than the cache
    are not read from it. Launching counts where the GPU has to wait for it.
    """
    calls = [runs] if callable(runs) else list(runs)
    for call in calls:  # compiles, loads, allocates
        call()
    times = [_elapsed(calls[0])]
    count = max(least, min(100, int(budget_ms / max(times[0], 1e-3)))) if times[0] < 10 * budget_ms else 1
    times += [_elapsed(calls[turn % len(calls)]) for turn in range(1, count)]
    return statistics.median(times)


def _elapsed(call: Callable[[], object]) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)
