"""Dense causal attention through the fastest kernel that is installed: FlashAttention 4, 3 or 2, cuDNN, or torch's own.

None of the FlashAttention packages is required.
"""

from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from nl_tasks.kernels.devices import runs_triton
from nl_tasks.kernels.fa4 import full_fa4, runs_fa4

_SHORT = 1024  # rows below which launching costs more than any kernel saves
_LONG = 2**26  # bytes of keys and values from which on our split kernel decodes faster than torch's


def dense_kernels(q: Tensor, k: Tensor) -> dict[str, Callable[..., Tensor]]:
    """Name the kernels that compute causal attention of `q` `[B, Hq, T, D]` over `[B, Hkv, S, D]`, fastest first.

    Each is called with q, k, v and `scale=`, and returns `[B, Hq, T, D]`. Empty where none of them can: not on a GPU,
    not in 16 bits, or fewer queries than keys without a FlashAttention package.
    """
    found: dict[str, Callable[..., Tensor]] = {}
    if not q.is_cuda or q.dtype not in (torch.bfloat16, torch.float16):
        return found
    hopper, square = torch.cuda.get_device_capability(q.device)[0] >= 9, q.shape[2] == k.shape[2]
    if runs_fa4(q):
        found["fa4"] = lambda q, k, v, scale: full_fa4(q, k, v, scale=scale)[0]
    if hopper and _installed("flash_attn_interface"):
        found["fa3"] = partial(_flash, "flash_attn_interface")
    if hopper and square and q.shape[-1] <= 128 and q.shape[-1] % 8 == 0:
        found["cudnn"] = partial(_sdpa, SDPBackend.CUDNN_ATTENTION)
    if _installed("flash_attn.flash_attn_interface"):
        found["fa2"] = partial(_flash, "flash_attn.flash_attn_interface")
    if square and q.shape[-1] <= 256:
        found["sdpa_flash"] = partial(_sdpa, SDPBackend.FLASH_ATTENTION)
    return found


def fastest_dense(q: Tensor, k: Tensor, v: Tensor, *, scale: float) -> Tensor | None:
    """Dense causal attention by the first of `dense_kernels`; None without one, or for so few rows that none pays.

    A kernel of torch's that is switched off, or not in this build, is passed over.

    One row over a long cache is split over the GPU by our own kernel, as fast as cuDNN, which has to be set up anew for
    each length, and faster than torch's flash kernel (benchmarks/h100_decode.txt); over a short one torch's others do.
    """
    if q.shape[2] == 1 and q.is_cuda and q.dtype in (torch.bfloat16, torch.float16):
        if 2 * k.nbytes >= _LONG and q.shape[3] <= 256 and runs_triton(q):
            from nl_tasks.kernels.triton_tokens import attend_lists

            return attend_lists(q, k, v, None, None, 1, scale=scale)[0]
        return _row_without_cudnn(q, k, v, scale=scale)
    if q.shape[2] < _SHORT:
        return None
    for run in dense_kernels(q, k).values():
        try:
            return run(q, k, v, scale=scale)
        except RuntimeError as error:
            if not _is_unavailable(error):
                raise
    return None


@cache
def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _flash(module: str, q: Tensor, k: Tensor, v: Tensor, *, scale: float) -> Tensor:
    run: Any = import_module(module).flash_attn_func
    out = run(*(x.transpose(1, 2) for x in (q, k, v)), softmax_scale=scale, causal=True)
    return (out[0] if isinstance(out, tuple) else out).transpose(1, 2)


def _row_without_cudnn(q: Tensor, k: Tensor, v: Tensor, *, scale: float) -> Tensor | None:
    """One row by whichever kernel torch prefers but cuDNN, which sets itself up anew for every length of the cache.

    In 30 layers that took 43 ms (benchmarks/h200_end_to_end.txt, 4). None if torch has no other that may run.
    """
    allowed = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        return scaled_dot_product_attention(q, k, v, scale=scale, enable_gqa=q.shape[1] != k.shape[1])
    except RuntimeError as error:
        if not _is_unavailable(error):
            raise
        return None
    finally:
        torch.backends.cuda.enable_cudnn_sdp(allowed)


def _is_unavailable(error: RuntimeError) -> bool:
    """Whether torch says so of its kernels: switched off, not in this build, or not for such inputs."""
    return any(words in str(error) for words in ("No available kernel", "No viable backend"))


def _sdpa(backend: SDPBackend, q: Tensor, k: Tensor, v: Tensor, *, scale: float) -> Tensor:
    with sdpa_kernel(backend):
        return scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale, enable_gqa=q.shape[1] != k.shape[1])
