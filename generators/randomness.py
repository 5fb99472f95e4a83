"""Randomness keyed by names: the same names give the same bits on every machine, in any order of asking.

    key = Key("story_multihop", "1", '{"hops":1}', 43, 7)
    key.stream("filler").below(6, 10)      # ten throws of a die, 0..5
    key.depth("target")                    # where sample 7 puts its target, 0 <= depth < 1

Bits come from numpy's Philox (counter-based, its stream is guaranteed); everything above the raw bits is ours.
"""

import hashlib

import numpy as np

GOLDEN = 0x9E3779B97F4A7C15
"""2**64 over the golden ratio: multiples of it, modulo 2**64, fill the circle more evenly than any other step's."""

_WORD = 2**64
_BLOCK = 10


def _digest(*names: object) -> bytes:
    return hashlib.sha256("\x1f".join(map(str, names)).encode()).digest()


class Stream:
    """An endless sequence of 32-bit words; a longer request begins with the words of a shorter one."""

    def __init__(self, *names: object) -> None:
        self._bits = np.random.Philox(key=int.from_bytes(_digest(*names)[:16], "little"))

    def words(self, *shape: int) -> np.ndarray:
        """The next words, uint32 `shape`."""
        count = int(np.prod(shape))
        return (self._bits.random_raw(count) >> np.uint64(32)).astype(np.uint32).reshape(shape)

    def below(self, n: int, *shape: int) -> np.ndarray:
        """Whole numbers 0..n-1, int64 `shape`."""
        return scale(self.words(*shape), n)

    def one(self, n: int) -> int:
        """One whole number 0..n-1."""
        return int(self.below(n, 1)[0])

    def permutation(self, n: int) -> np.ndarray:
        """The numbers 0..n-1 in random order, int64 `[n]`."""
        # What a stable argsort gives, in a fifth of its time: words and places as one number
        packed = (self.words(n).astype(np.uint64) << np.uint64(32)) | np.arange(n, dtype=np.uint64)
        packed.sort()
        return (packed & np.uint64(2**32 - 1)).astype(np.int64)


def scale(words: np.ndarray, n: int | np.ndarray) -> np.ndarray:
    """Words spread over 0..n-1, int64; the bias is under n / 2**32."""
    return ((words.astype(np.uint64) * np.asarray(n, dtype=np.uint64)) >> np.uint64(32)).astype(np.int64)


class Key:
    """The names of one sample, from which all its randomness derives."""

    def __init__(self, task: str, version: str, params: str, seed: int, index: int) -> None:
        self._series = (task, version, params, seed)
        self._index = index

    def stream(self, name: str) -> Stream:
        """The stream `name` of this sample; streams of other names or samples are independent of it."""
        return Stream(*self._series, self._index, name)

    def depth(self, role: str) -> float:
        """Where this sample puts the evidence `role`, 0 <= depth < 1, spread evenly over the samples of a seed.

        Points of the golden-ratio sequence with a random start for each role. Within each ten samples
        the points are dealt in an order of the role's own, so that roles do not keep a fixed distance.
        """
        block, place = divmod(self._index, _BLOCK)
        dealt = Stream(*self._series, "depth", role, block).permutation(_BLOCK)[place]
        start = int.from_bytes(_digest(*self._series, "depth", role)[:8], "little")
        return (start + (block * _BLOCK + int(dealt)) * GOLDEN) % _WORD / _WORD

    def turn(self, name: str, n: int) -> int:
        """Which of `n` things, 0..n-1, is this sample's turn: each comes once in n samples, in a random order."""
        lap, place = divmod(self._index, n)
        return int(Stream(*self._series, "turn", name, lap).permutation(n)[place])
