"""Which devices can run Triton kernels, and how much they hold; for modules that must load without Triton."""

import os
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor

_HOPPER = 232448


@cache
def has_triton() -> bool:
    """Whether Triton 3.4 or newer is installed (it is made for Linux alone)."""
    try:
        return find_spec("triton.tools.tensor_descriptor") is not None  # which older ones lack, and the kernels need
    except ImportError:
        return False


def runs_triton(x: Tensor) -> bool:
    """Whether Triton kernels run on x: a GPU that they fit, or any device under Triton's interpreter (for tests)."""
    return has_triton() and (_fits_kernels(x.device) if x.is_cuda else os.environ.get("TRITON_INTERPRET") == "1")


@cache
def _fits_kernels(device: torch.device) -> bool:
    """Ampere or newer, whose shared memory the tiles are made for. AMD's GPUs count their versions otherwise."""
    return torch.version.hip is not None or torch.cuda.get_device_capability(device) >= (8, 0)


def on_device_of(x: Tensor) -> AbstractContextManager[object]:
    """Make x's GPU the current one: Triton and FlashAttention-4 launch there, wherever their inputs lie."""
    return torch.cuda.device(x.device) if x.is_cuda else nullcontext()


@cache
def shared_memory(device: torch.device) -> int:
    """Bytes of shared memory that a program may take on a GPU; a Hopper's for other devices."""
    if device.type != "cuda":
        return _HOPPER
    properties = torch.cuda.get_device_properties(device)
    return getattr(properties, "shared_memory_per_block_optin", properties.shared_memory_per_block)


def fits(x: Tensor, rows: int) -> bool:
    """Whether a program on x's device may hold `rows` rows of x, `[..., D]`, beside what Triton takes for itself."""
    wide = 1 << (x.shape[-1] - 1).bit_length()
    return rows * wide * x.element_size() + 8192 <= shared_memory(x.device)


def narrow(x: Tensor) -> bool:
    """Whether rows of x are too long for the usual tiles: float32 of head dimension 256, on most GPUs but Hopper's."""
    return x.shape[-1] * x.element_size() > 512 and not fits(x, 192)
