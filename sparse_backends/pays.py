"""When a sparse prefill takes less time than full attention on a GPU.

A method takes the time of its selection and its launches, which hardly depends on what it keeps, and that of the
products it keeps, which its kernels compute at a lower rate than dense ones. The time of full attention grows with T^2.
So a method pays for a prompt of T tokens once (overhead / T)^2 + density / rate is less than 1.
"""

import math
from dataclasses import dataclass

BLOCK_RATE = {16: 0.104, 32: 0.207, 64: 0.62, 128: 0.8}
"""Of plans of blocks, by size. Keys are read for as many rows as a block has: small blocks wait for the memory."""


@dataclass(frozen=True)
class Cost:
    """What a method costs, in the time of the fastest dense attention of 32 heads of dimension 128.

    `overhead` is the length in tokens whose dense attention takes as long as all that does not depend on the density;
    `rate` the share of the dense rate that is left for what is kept. Both are fitted, to within a sixth, to the lengths
    from which methods were faster at sparsities 0.5 to 0.95 in benchmarks/h200_prefill.txt.
    """

    overhead: float
    rate: float

    def pays(self, tokens: int, density: float, work: float = 1.0) -> bool:
        """Whether a prompt of `tokens` is faster sparse; `work` is its heads x dimension, as a share of 32 x 128."""
        return tokens >= self.pays_from(density, work)

    def pays_from(self, density: float, work: float = 1.0) -> float:
        """Tokens from which on the method is faster; infinite if it never is."""
        left = 1 - density / self.rate
        return self.overhead / math.sqrt(left * work) if left > 0 else math.inf


def block_cost(overhead: float, block: int) -> Cost | None:
    """What a method costs that keeps blocks of `block` tokens; None for sizes that were not measured."""
    return Cost(overhead, BLOCK_RATE[block]) if block in BLOCK_RATE else None
