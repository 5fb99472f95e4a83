"""Evidence recall: which of the tokens that hold the evidence a plan lets the question's queries see."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nl_tasks.kernels.plan import Plan

_ROWS = 8  # query rows whose mask is held at a time


def ranges_of(ranges: Sequence[tuple[int, int]]) -> Tensor:
    """Turn token ranges (first, end) into the sorted tokens that they hold, `[n]`. ValueError if one is empty."""
    for first, end in ranges:
        if not 0 <= first < end:
            raise ValueError(f"evidence range ({first}, {end}) is out of range: 0 <= first < end")
    tokens = sorted({token for first, end in ranges for token in range(first, end)})
    return torch.tensor(tokens, dtype=torch.long)


@dataclass
class EvidenceTally:
    """Sums over the queries of a layer and row: `seen` `[Hq, n]` by any, `pairs` `[Hq]` seen by each, of `queries`."""

    seen: Tensor | None = None
    pairs: Tensor | None = None
    queries: int = 0

    def see(self, plan: Plan, row: int, evidence: Tensor, question: int, heads: int) -> None:
        """Count what the last `question` rows of `plan` see of `evidence` `[n]`; tokens beyond its keys are unseen."""
        evidence = evidence.to(plan.device)
        inside = evidence[evidence < plan.keys]
        for start in range(max(0, plan.queries - question), plan.queries, _ROWS):
            stop = min(start + _ROWS, plan.queries)
            mask = plan.mask(start, stop)[row][..., inside]  # [H, rows, n]
            mask = mask.repeat_interleave(heads // mask.shape[0], 0)
            self._add(torch.nn.functional.pad(mask, (0, len(evidence) - len(inside))))

    def hold(self, held: Tensor, evidence: Tensor) -> "EvidenceTally":
        """Count which of `evidence` `[n]` is in a cache that holds the tokens `held` `[Hq, S]` bool."""
        evidence = evidence.to(held.device)
        inside = evidence[evidence < held.shape[-1]]
        self._add(torch.nn.functional.pad(held[:, None, inside], (0, len(evidence) - len(inside))))
        return self

    def share(self, over: str) -> Tensor:
        """Share of the evidence seen by any query, or by each on average, `[Hq]` float64 (NaN without evidence)."""
        if self.seen is None or self.pairs is None:
            raise RuntimeError("no query was counted")
        tokens = self.seen.shape[-1]
        found = self.seen.sum(-1) if over == "any" else self.pairs / self.queries
        return (found.double() / tokens).cpu() if tokens else torch.full((len(self.seen),), torch.nan).double()

    def _add(self, mask: Tensor) -> None:
        pairs = mask.sum((1, 2)).double()
        seen = mask.any(1)
        self.seen = seen if self.seen is None else self.seen | seen
        self.pairs = pairs if self.pairs is None else self.pairs + pairs
        self.queries += mask.shape[1]
