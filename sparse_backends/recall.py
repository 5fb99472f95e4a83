"""Evidence recall: which of the tokens that hold the evidence a plan lets the question's queries see."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nl_tasks.kernels.plan import Plan
from nl_tasks.sparse_backends.settle import Settled, settle

_ENTRIES = 2**26  # of a plan's mask that may be held at a time, where a plan has no better way


class Evidence:
    """The tokens that hold the evidence of each row of a batch, in one padded list that is copied to a device once.

    Attributes:
        questions: How many of each row's last queries are the question's.
        counts: How many tokens each row has; the rest of its list is padding.
        longest: Length of the lists.
        last: The last token that holds evidence, -1 if there is none.
    """

    def __init__(self, rows: Sequence[Sequence[tuple[int, int]]], question: int | Sequence[int] = 64) -> None:
        """Take the ranges (first, end) of each row. Raises ValueError for one that is empty or begins before 0."""
        self.questions = np.broadcast_to(np.asarray(question, dtype=np.int64), len(rows))
        self._asking: dict[torch.device, Tensor] = {}
        lists = [_tokens_of(ranges) for ranges in rows]
        self.counts = [len(tokens) for tokens in lists]
        self.longest = max(self.counts, default=0)
        self.last = max((tokens[-1] for tokens in lists if tokens), default=-1)
        padded = [tokens + [0] * (self.longest - len(tokens)) for tokens in lists]
        self._on = {torch.device("cpu"): torch.tensor(padded, dtype=torch.long).view(len(lists), self.longest)}

    def __len__(self) -> int:
        return len(self.counts)

    def on(self, device: torch.device) -> Tensor:
        """The lists, `[B, longest]` int64; padding is token 0."""
        if device not in self._on:
            self._on[device] = self._on[torch.device("cpu")].to(device)
        return self._on[device]

    def asking(self, start: int, stop: int, queries: int, rows: slice, device: torch.device) -> Tensor | None:
        """Which of the queries `start` to `stop` of `queries` are the question's, `[b, stop - start]`; None: all."""
        if self.questions[rows].min(initial=queries) >= queries - start:
            return None
        if device not in self._asking:
            self._asking[device] = torch.tensor(self.questions, device=device)
        left = torch.arange(queries - start, queries - stop, -1, device=device)  # queries from each to the last
        return left <= self._asking[device][rows, None]


class EvidenceTally:
    """How many of a layer's counted queries saw each token of the evidence: `hits` `[B, Hq, longest]`, of `queries`.

    What stands in the padding means nothing.
    """

    def __init__(self, evidence: Evidence, heads: int, device: torch.device) -> None:
        self.evidence = evidence
        self.hits = torch.zeros(len(evidence), heads, evidence.longest, dtype=torch.int32, device=device)
        self.queries = np.zeros(len(evidence), dtype=np.int64)
        self.sums = Settled()

    def counted(self) -> Tensor:
        """What lies on the device."""
        return self.hits

    def forget(self, first: int, rows: int) -> None:
        """Count `rows` rows, `first` and on, anew."""
        self.sums.forget()
        self.hits[first : first + rows] = 0
        self.queries[first : first + rows] = 0

    def see(self, plan: Plan, first: int, count: int, going: "Going | None" = None) -> None:
        """Count what the question's queries of `plan` see, of `count` rows, `first` and on, that are `going`."""
        self.sums.forget()
        rows, device = slice(first, first + count), plan.device
        keys, outside = self._places(rows, plan.keys, device)
        asked = self.evidence.questions[rows].clip(max=plan.queries)
        step = max(1, _ENTRIES // (plan.keys * count * self.hits.shape[1]))
        for start in range(plan.queries - int(asked.max()), plan.queries, step):
            stop = min(start + step, plan.queries)
            seen = plan.sees(start, stop, keys)  # [b, H, queries, n]
            if outside is not None:
                seen = seen & ~outside[:, None, None]
            if (asking := self.evidence.asking(start, stop, plan.queries, rows, device)) is not None:
                seen = seen & asking[:, None, :, None]
            if going is not None:
                seen = seen & going.on(device)[rows, None, None, None]
            found = seen[:, :, 0] if seen.shape[2] == 1 else seen.sum(2)
            self.hits[rows].unflatten(1, (found.shape[1], -1)).add_(found[:, :, None])
        self.queries[rows] += asked if going is None else asked * going.rows[rows]

    def hold(self, held: Tensor, first: int, going: "Going | None" = None) -> None:
        """Say anew what a cache holds of rows `first` and on: the tokens `held` `[b, Hkv, S]` bool."""
        self.sums.forget()
        rows = slice(first, first + held.shape[0])
        keys, outside = self._places(rows, held.shape[2], held.device)
        found = held.gather(-1, keys[:, None].expand(-1, held.shape[1], -1))
        if outside is not None:
            found = found & ~outside[:, None]
        now = found.repeat_interleave(self.hits.shape[1] // held.shape[1], 1).to(self.hits.dtype)
        self.hits[rows] = (
            now if going is None else torch.where(going.on(held.device)[rows, None, None], now, self.hits[rows])
        )
        self.queries[rows] = 1

    def share(self, over: str, row: int | None = None) -> Tensor | None:
        """Share of the evidence seen by any query, or by each on average, mean of the rows (or of one), `[Hq]` float64.

        On the CPU; NaN for rows without evidence, None if nothing was counted.
        """
        rows = [at for at in range(len(self.queries)) if self.queries[at] and row in (None, at)]
        if not rows:
            return None
        settle([self])
        hits = self.sums.on_cpu[rows[0] : rows[-1] + 1]
        shares = []
        for at in rows:
            mine = hits[at - rows[0], :, : self.evidence.counts[at]]
            found = (mine > 0).sum(-1).double() if over == "any" else mine.sum(-1).double() / float(self.queries[at])
            shares.append(found / (self.evidence.counts[at] or torch.nan))
        return torch.stack(shares).mean(0)

    def _places(self, rows: slice, keys: int, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """The rows' evidence `[b, n]` among `keys` keys, and which of it is not there (None: all is)."""
        places = self.evidence.on(device)[rows]
        if self.evidence.last < keys:
            return places, None
        return places.clamp(max=keys - 1), places >= keys


class Going:
    """Which rows of a batch still go on, `rows` `[B]` bool, copied to a device once."""

    def __init__(self, rows: Sequence[bool]) -> None:
        self.rows = np.array(rows, dtype=bool)
        self._on: dict[torch.device, Tensor] = {}

    def on(self, device: torch.device) -> Tensor:
        """The rows as a tensor."""
        if device not in self._on:
            self._on[device] = torch.tensor(self.rows, device=device)
        return self._on[device]


def _tokens_of(ranges: Sequence[tuple[int, int]]) -> list[int]:
    """The tokens in some ranges, sorted. Raises ValueError if a range is empty."""
    try:
        ranges = [(first, end) for first, end in ranges]
    except TypeError:  # one row's ranges, where a list of them for each row is wanted
        raise ValueError("evidence lists for each row of the batch the ranges (first, end) of its tokens") from None
    for first, end in ranges:
        if not 0 <= first < end:
            raise ValueError(f"evidence range ({first}, {end}) is out of range: 0 <= first < end")
    return sorted({token for first, end in ranges for token in range(first, end)})
