"""When a model said its tokens, and which rows of a batch it has finished."""

import time
from collections.abc import Callable, Collection
from typing import Any

from transformers.generation.streamers import BaseStreamer


class Clock(BaseStreamer):
    """Notes when `generate` begins, when each token is known and which rows have ended; pass it as `streamer`.

    Tokens are handed over once they are on the host and before the next are computed, so that the times are those of
    finished work on any device, and `ended`, called with a bool for each row whenever a row ends, is called in time.
    """

    def __init__(
        self, ends: Collection[int] = (), ended: Callable[[list[bool]], None] = lambda rows: None, rows: int = 1
    ) -> None:
        """Watch `rows` rows, each of which ends with one of the tokens `ends`."""
        self._ends, self._tell = frozenset(ends), ended
        self._times: list[float] = []
        self._ended = [False] * rows
        self.tokens = [0] * rows
        """Tokens said by each row, the one that ends it included."""

    def put(self, value: Any) -> None:
        """Note the time: first of the prompts, then of a token of each row."""
        self._times.append(time.perf_counter())
        if len(self._times) == 1:
            return
        before = list(self._ended)
        for row, token in enumerate(value.tolist()):
            self.tokens[row] += not before[row]
            self._ended[row] = before[row] or token in self._ends
        if self._ended != before:
            self._tell(list(self._ended))

    def end(self) -> None:
        """Nothing is left to do."""

    @property
    def prefill_s(self) -> float:
        """Seconds until the first tokens were known; 0 if there were none."""
        return self._times[1] - self._times[0] if len(self._times) > 1 else 0.0

    @property
    def decode_s(self) -> float:
        """Seconds from the first tokens to the last."""
        return self._times[-1] - self._times[1] if len(self._times) > 1 else 0.0
