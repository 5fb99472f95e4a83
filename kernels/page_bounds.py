"""Channel-wise minima and maxima of the pages of a KV cache, and the bounds on attention scores that they give.

bounds = PageBounds(16)
low, high = bounds.follow(k)      # of the whole pages before the newest; later calls read only the keys that came since
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

from nl_tasks.kernels.devices import runs_triton


def page_bounds(k: Tensor, page: int) -> tuple[Tensor, Tensor]:
    """Channel-wise minimum and maximum of `k` `[B, Hkv, S, D]` over pages of `page` keys, `[B, Hkv, pages, D]` each."""
    missing = (0, 0, 0, -k.shape[2] % page)
    low = pad(k, missing, value=torch.inf).unflatten(2, (-1, page)).amin(3)
    return low, pad(k, missing, value=-torch.inf).unflatten(2, (-1, page)).amax(3)


def page_scores(q: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Upper bounds of the scores of `q` `[B, Hq, D]` with the keys of each page, `[B, Hq, pages]` float32.

    max(q min, q max) is q max where q is positive and q min elsewhere, so that two products do for all channels.
    """
    grouped = q.float().unflatten(1, (low.shape[1], -1))  # [B, Hkv, G, D]
    bounds = grouped.clamp(min=0) @ high.float().mT + grouped.clamp(max=0) @ low.float().mT
    return bounds.flatten(1, 2)


class PageBounds:
    """Bounds of the pages of one cache as it grows.

    The newest page, which holds the newest key, needs none: it is always read. So a page is bounded once, when the
    first key after it has come, and steps between page ends touch nothing.
    """

    def __init__(self, page: int) -> None:
        self.page = page
        self._pages = 0  # that are bounded
        self._low: Tensor | None = None
        self._high: Tensor | None = None

    def follow(self, k: Tensor) -> tuple[Tensor, Tensor]:
        """Bounds of all pages of `k` `[B, Hkv, S, D]` but the newest, `[B, Hkv, pages - 1, D]` each (views).

        `k` must begin with the keys of the last call: a cache that was cropped, reordered or begun anew needs a new
        PageBounds.
        """
        pages = (k.shape[2] - 1) // self.page
        if self._low is None or self._high is None or pages > self._low.shape[2]:
            self._grow(k, pages)
        if pages > self._pages:
            self._bound(k, self._pages, pages)
        self._pages = pages
        return self._low[:, :, :pages], self._high[:, :, :pages]  # type: ignore[index] # set by _grow

    def _grow(self, k: Tensor, pages: int) -> None:
        room = pages + max(64, pages // 8)  # a step that needs more copies everything
        shape = (*k.shape[:2], room, k.shape[3])
        low, high = k.new_empty(shape), k.new_empty(shape)
        if self._low is not None and self._high is not None:
            low[:, :, : self._pages] = self._low[:, :, : self._pages]
            high[:, :, : self._pages] = self._high[:, :, : self._pages]
        self._low, self._high = low, high

    def _bound(self, k: Tensor, first: int, last: int) -> None:
        low, high = self._low[:, :, first:last], self._high[:, :, first:last]  # type: ignore[index] # set by _grow
        new = k[:, :, first * self.page : last * self.page]
        if runs_triton(k):
            from nl_tasks.kernels.triton_page_bounds import bound_pages

            bound_pages(new, self.page, low, high)
        else:
            low[:], high[:] = page_bounds(new, self.page)
