"""A plan given by a threshold on the true attention probabilities: the oracle at token granularity."""

from dataclasses import dataclass

import torch
from torch import Tensor

from nl_tasks.kernels.plan import Plan, causal_mask

TILE = 64  # rows per product: always the same shape, so that a score has the same bits wherever it is computed


@dataclass(frozen=True, eq=False)
class ScorePlan(Plan):
    """Entries whose log-probability is at least `thresholds` `[B, Hq]` (float32), and each row's largest.

    Holds the `q` `[B, Hq, T, D]` and `k` `[B, Hkv, S, D]` that it was made for, and `entries` `[B, Hq]`, their number:
    a list of single entries would be as large as the attention matrix.
    """

    q: Tensor
    k: Tensor
    scale: float
    thresholds: Tensor
    entries: Tensor

    @property
    def device(self) -> torch.device:  # noqa: D102
        return self.q.device

    def computed(self) -> Tensor:  # noqa: D102
        return self.entries.long()

    def _cover(self, rows: Tensor) -> Tensor:
        first, last = int(rows[0]), int(rows[-1])  # rows are consecutive
        cover = []
        for tile in range(first // TILE, last // TILE + 1):
            start, stop = max(first, tile * TILE), min(last + 1, (tile + 1) * TILE)
            inside = slice(start - tile * TILE, stop - tile * TILE)
            heads = [
                torch.stack(
                    [
                        keep_above(log_probabilities(self.q, self.k, self.scale, b, h, tile), self.thresholds[b, h])
                        for h in range(self.q.shape[1])
                    ]
                )
                for b in range(self.q.shape[0])
            ]
            cover.append(torch.stack(heads)[:, :, inside])
        return torch.cat(cover, 2)


def log_probabilities(q: Tensor, k: Tensor, scale: float, b: int, h: int, tile: int) -> Tensor:
    """Natural log of the causal attention probabilities of the `tile`-th 64 rows of one head, `[64 or fewer, S]`.

    Float32; -inf where causality forbids. A row's largest entry is exactly 0 if it is its only one.
    """
    queries, keys = q.shape[2], k.shape[2]
    start, stop = tile * TILE, min((tile + 1) * TILE, queries)
    scores = q[b, h, start:stop].float() @ k[b, h // (q.shape[1] // k.shape[1])].float().T
    allowed = causal_mask(start, stop, keys - queries, keys, q.device)
    return torch.log_softmax((scores * scale).masked_fill_(~allowed, float("-inf")), -1)


def keep_above(logp: Tensor, threshold: Tensor) -> Tensor:
    """Return which of `logp` `[n, S]` reach `threshold` or are their row's largest (the first of equals)."""
    kept = logp >= threshold
    return kept.scatter_(1, logp.argmax(1, keepdim=True), True)
