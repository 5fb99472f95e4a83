"""Numbers that look random and are a function of their names: the same on every device and in any order."""

import torch
from torch import Tensor

_MASK = 2**32 - 1


def hashed(*names: int | Tensor) -> Tensor:
    """Mix integers (broadcast against each other) into uniform integers of 32 bits, int64."""
    state = torch.tensor(0x9E3779B9)
    for name in names:
        word = torch.as_tensor(name) & _MASK
        state = _mix(state ^ _mix((word + 0x85EBCA6B) & _MASK))
    return state


def _mix(x: Tensor) -> Tensor:
    # Shifts and products of at most 32 + 31 bits never overflow int64, so every device computes the same.
    x = ((x ^ (x >> 16)) * 0x21F0AAAD) & _MASK
    x = ((x ^ (x >> 15)) * 0x735A2D97) & _MASK
    return x ^ (x >> 15)
