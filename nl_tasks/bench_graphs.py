"""Timing small GPU work as it runs inside a CUDA graph, where launches cost the processor nothing."""

import statistics
from collections.abc import Callable, Sequence

import torch


def graph_us(calls: Sequence[Callable[[], object]], *, budget_ms: float = 30.0, least: int = 5) -> float:
    """Microseconds that one of `calls` takes when all of them follow each other in one graph: the median replay's mean.

    Calls do the same work on different inputs, as the layers of a model do, so that none finds its input in the cache.
    """
    for call in calls:  # compiles, loads, allocates
        call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    kept = []
    with torch.cuda.graph(graph):
        for call in calls:
            kept.append(call())
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def replay() -> float:
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        return start.elapsed_time(end)

    first = min(replay() for _ in range(3))
    count = max(least, min(200, int(budget_ms / max(first, 1e-3))))
    return statistics.median(replay() for _ in range(count)) * 1e3 / len(calls)
