"""When a model said its tokens."""

import time
from typing import Any

from transformers.generation.streamers import BaseStreamer


class Clock(BaseStreamer):
    """Notes when `generate` begins and when each token is known; pass it as `streamer`.

    A token is handed over once it is on the host, so that the times are those of finished work on any device.
    """

    def __init__(self) -> None:
        self._times: list[float] = []

    def put(self, value: Any) -> None:
        """Note the time: first of the prompt, then of each token."""
        self._times.append(time.perf_counter())

    def end(self) -> None:
        """Nothing is left to do."""

    @property
    def tokens(self) -> int:
        """Tokens said."""
        return max(0, len(self._times) - 1)

    @property
    def prefill_s(self) -> float:
        """Seconds until the first token was known; 0 if there was none."""
        return self._times[1] - self._times[0] if self.tokens else 0.0

    @property
    def decode_s(self) -> float:
        """Seconds from the first token to the last."""
        return self._times[-1] - self._times[1] if self.tokens else 0.0
