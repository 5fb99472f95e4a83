# mypy: disallow-untyped-defs=False
"""Binary search in Triton, for kernels that look many bounds up in ascending lists."""

import triton
import triton.language as tl


@triton.jit
def entries_below(listed, size, bound, inside, rounds):
    """Count the entries of `listed`, `size` of them and ascending, below each of `bound`; 0 where not `inside`.

    `listed` is one list for all, or one for each of `inside`; `bound` likewise. `rounds` halvings leave nothing of a
    list shorter than 2**rounds.
    """
    low = tl.zeros(inside.shape, tl.int32)
    high = tl.where(inside, low + size, low)
    for _ in range(0, rounds):
        middle = (low + high) // 2
        searched = low < high
        right = searched & (tl.load(listed + middle, mask=searched, other=0) < bound)
        low = tl.where(right, middle + 1, low)
        high = tl.where(searched, tl.where(right, high, middle), high)
    return low
