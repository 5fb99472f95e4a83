"""Padded batches, taken apart into parts without padding."""

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Part:
    """Rows of a batch and where their real tokens lie: indices into the T queries and the S keys of the call."""

    first: int
    rows: slice
    queries: slice | Tensor
    keys: slice | Tensor

    def count_below(self, end: int, keys: int) -> int:
        """Count the part's keys among the first `end` of `keys`."""
        if isinstance(self.keys, Tensor):
            return int((self.keys < end).sum())
        start, stop, _ = self.keys.indices(keys)
        return max(0, min(stop, end) - start)


def parts_of(mask: Tensor | None, batch: int, queries: int, keys: int) -> list[Part]:
    """Split a batch by `mask` `[B, S or more]` (True: a real token; None: all are) so that each part has no padding.

    Without a mask that is one part with all rows; otherwise each row with a real query is one. Padding may be on either
    side or between.
    """
    if mask is None:
        return [Part(0, slice(0, batch), slice(None), slice(None))]
    found, device = [], mask.device
    for row, seen in enumerate(mask[:, mask.shape[1] - keys :].cpu()):  # one wait for the device, not several a row
        real = seen.nonzero()[:, 0]
        fresh = real[real >= keys - queries] - (keys - queries)
        if len(fresh):
            found.append(Part(row, slice(row, row + 1), _span(fresh, device), _span(real, device)))
    return found


class Parts:
    """`parts_of` the last masks: the layers of a model get the same few, and looking into one waits for the device."""

    def __init__(self) -> None:
        self._known: deque[tuple[Tensor, tuple[int, int, int], list[Part]]] = deque(maxlen=2)  # full layers, sliding

    def of(self, mask: Tensor | None, batch: int, queries: int, keys: int) -> list[Part]:
        """As `parts_of`, for masks that nobody changes once they were given."""
        sizes = batch, queries, keys
        if mask is None:
            self._known.clear()
            return parts_of(None, *sizes)
        for known, of, parts in self._known:
            if known is mask and of == sizes:
                return parts
        self._known.append((mask, sizes, parts_of(mask, *sizes)))
        return self._known[-1][2]


def _span(index: Tensor, device: torch.device) -> slice | Tensor:
    first, last = int(index[0]), int(index[-1])
    return slice(first, last + 1) if last - first + 1 == len(index) else index.to(device)
