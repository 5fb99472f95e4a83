"""Which devices can run Triton kernels; for modules that must load without Triton."""

import os
from functools import cache
from importlib.util import find_spec

from torch import Tensor


@cache
def has_triton() -> bool:
    """Whether Triton is installed (it is made for Linux alone)."""
    return find_spec("triton") is not None


def runs_triton(x: Tensor) -> bool:
    """Whether Triton kernels run on x: a GPU, or any device under Triton's interpreter (for tests)."""
    return has_triton() and (x.is_cuda or os.environ.get("TRITON_INTERPRET") == "1")
