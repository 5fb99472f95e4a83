# mypy: disallow-untyped-defs=False
"""Page minima and maxima in Triton: each key is read once."""

import triton
import triton.language as tl
from torch import Tensor


def bound_pages(k: Tensor, page: int, low: Tensor, high: Tensor) -> None:
    """Write the minima and maxima of the whole pages of `k` `[B, Hkv, S, D]` to `low`, `high` `[B, Hkv, pages, D]`."""
    batch, heads, pages, dim = low.shape
    tile = 1 << (max(1, 16 // page).bit_length() - 1)
    _bound[(triton.cdiv(pages, tile), heads, batch)](
        k, low, high, *k.stride()[:3], *low.stride()[:3], *high.stride()[:3], pages,
        PAGE=page, TILE=tile, DIM=dim, WIDE=triton.next_power_of_2(dim), num_warps=1,
    )  # fmt: skip


@triton.jit(do_not_specialize=["pages"])
def _bound(
    k, low, high, k_batch, k_head, k_row, low_batch, low_head, low_row, high_batch, high_head, high_row, pages,
    PAGE: tl.constexpr, TILE: tl.constexpr, DIM: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    batch, head = tl.program_id(2).to(tl.int64), tl.program_id(1).to(tl.int64)
    page = tl.program_id(0) * TILE + tl.arange(0, TILE)
    dims = tl.arange(0, WIDE)
    inside = (page < pages)[:, None] & (dims < DIM)[None, :]
    page = page.to(tl.int64)[:, None]
    at = k + batch * k_batch + head * k_head + page * PAGE * k_row + dims[None, :]
    least = tl.load(at, mask=inside, other=0.0).to(tl.float32)
    most = least
    for step in range(1, PAGE):
        key = tl.load(at + step * k_row, mask=inside, other=0.0).to(tl.float32)
        least, most = tl.minimum(least, key), tl.maximum(most, key)
    tl.store(low + batch * low_batch + head * low_head + page * low_row + dims[None, :], least, mask=inside)
    tl.store(high + batch * high_batch + head * high_head + page * high_row + dims[None, :], most, mask=inside)
