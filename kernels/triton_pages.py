# mypy: disallow-untyped-defs=False
"""Quest's decode step in Triton: bounds of all pages, the best of them, attention over those.

Four or five launches whose grids depend on shapes alone, so that a CUDA graph can hold them. In a graph whose cache
grows from replay to replay, `lengths` on the device gives the keys of each row; k, v, low and high then have room for
the longest, and the page that the newest key has just closed is bounded on the way, from its keys.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from nl_tasks.kernels.devices import narrow
from nl_tasks.kernels.plan import PagePlan
from nl_tasks.kernels.triton_support import product, rows_contiguous
from nl_tasks.kernels.triton_tokens import attend_lists
from nl_tasks.kernels.triton_topk import ONE_TILE, best_of_parts, choose, select_long


def quest_step(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    low: Tensor,
    high: Tensor,
    page: int,
    tokens: int,
    *,
    scale: float,
    share: bool = True,
    lengths: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Attention of `q` `[B, Hq, 1, D]` over the newest page of `k`, `v` `[B, Hkv, S, D]` and the best-bounded others.

    `low`, `high` `[B, Hkv, pages - 1 or more, D]` bound the whole pages before the newest. As many pages are read as
    bring the keys nearest to `tokens`, the same for the query heads of a KV head with `share`. `lengths` `[B]` int32
    on the device are the keys of each row, at least 1 (None: S). Returns output and log-sum-exp as an
    `AttentionKernel`.
    """
    scores = page_scores_triton(q, low, high, share=share, keys=None if lengths is None else (k, page, lengths))
    pages, counts = choose_pages(scores, page, tokens, k.shape[2], lengths)
    return attend_lists(q, k, v, pages, counts, page, scale=scale, lengths=lengths)


def plan_pages(q: Tensor, low: Tensor, high: Tensor, page: int, tokens: int, keys: int, *, share: bool) -> PagePlan:
    """The plan that `quest_step` attends over, all rows having `keys` keys."""
    pages, counts = choose_pages(page_scores_triton(q, low, high, share=share), page, tokens, keys)
    return PagePlan(1, keys, page, pages, counts, (pages.shape[2] - 1) * page + (keys - 1) % page + 1)


def page_scores_triton(
    q: Tensor, low: Tensor, high: Tensor, *, share: bool, keys: tuple[Tensor, int, Tensor] | None = None
) -> Tensor:
    """Upper bounds of the scores of `q` `[B, Hq, 1, D]` with each page, `[B, Hq, pages]` float32.

    With `share` those of a KV head's query heads are summed, `[B, Hkv, pages]`. `keys` (k, page, lengths) tells what
    each row holds: bounds of the page before the newest are computed and stored, and later pages score -inf.
    """
    q = rows_contiguous(q)
    batch, heads, _, dim = q.shape
    kv, pages = low.shape[1], low.shape[2]
    out = torch.empty(batch, kv if share else heads, pages, dtype=torch.float32, device=q.device)
    if not pages:
        return out
    k, page, lengths = keys or (low, 1, out)
    tile, wide = 32 if narrow(q) else 64, max(16, triton.next_power_of_2(dim))
    _score[(triton.cdiv(pages, tile), kv, batch)](
        q, low, high, out, k, lengths, *q.stride()[:2], *low.stride()[:3], *high.stride()[:3], *k.stride()[:3],
        heads // kv, pages, SHARE=share, GROWS=keys is not None, PAGE=page,
        ROWS=triton.next_power_of_2(heads // kv) if share else max(16, triton.next_power_of_2(heads // kv)),
        TILE=tile, DIM=dim, WIDE=wide, EXACT=q.dtype == torch.float32, num_warps=4,
    )  # fmt: skip
    return out


def choose_pages(
    scores: Tensor, page: int, tokens: int, keys: int, lengths: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The newest page and the best others by `scores` `[B, H, pages - 1 or more]`: ascending pages, and counts, int32.

    `tokens` keys in all, to the nearest page (halves round up); of equal scores the earlier page wins. `lengths` as in
    `quest_step`.
    """
    batch, heads, size = scores.shape
    most = others(tokens, page, keys) if lengths is None else min(size, max(0, (2 * (tokens - 1) + page) // (2 * page)))
    pages = torch.empty(batch, heads, most + 1, dtype=torch.int32, device=scores.device)
    counts = torch.empty(batch, heads, dtype=torch.int32, device=scores.device)
    rows = scores.view(batch * heads, size)
    among = (best_of_parts(rows, most) or (None,))[0]
    if among is None and size > ONE_TILE and lengths is None and most:
        select_long(rows, most, pages.view(-1, most + 1))
        pages[..., most] = (keys - 1) // page
        return pages, counts.fill_(most + 1)
    candidates = size if among is None else among.shape[1]
    whole = candidates <= ONE_TILE
    tile = max(16, triton.next_power_of_2(max(candidates, most + 1))) if whole else 4096
    _choose[(len(rows),)](
        rows, rows if among is None else among, pages, counts, counts if lengths is None else lengths,
        rows.stride(0), candidates, heads, most, keys, tokens,
        PAGE=page, GROWS=lengths is not None, TILE=tile, WHOLE=whole, AMONG=among is not None,
        num_warps=4 if tile <= 1024 else 8 if tile <= 4096 else 16,
    )  # fmt: skip
    return pages, counts


def others(tokens: int, page: int, keys: int) -> int:
    """Pages beside the newest that bring the keys read nearest to `tokens`."""
    pages = (keys - 1) // page + 1
    newest = keys - (pages - 1) * page
    return min(pages - 1, max(0, (2 * (tokens - newest) + page) // (2 * page)))


@triton.jit(do_not_specialize=["group", "pages"])
def _score(
    q, low, high, out, k, lengths, q_batch, q_head, low_batch, low_head, low_row, high_batch, high_head, high_row,
    k_batch, k_head, k_row, group, pages,
    SHARE: tl.constexpr, GROWS: tl.constexpr, PAGE: tl.constexpr, ROWS: tl.constexpr, TILE: tl.constexpr,
    DIM: tl.constexpr, WIDE: tl.constexpr, EXACT: tl.constexpr,
):  # fmt: skip
    """TILE pages of one KV head, for its query heads."""
    first, kv = tl.program_id(0) * TILE, tl.program_id(1)
    batch = tl.program_id(2).to(tl.int64)
    page, rows, dims = first + tl.arange(0, TILE), tl.arange(0, ROWS), tl.arange(0, WIDE)
    head = (kv * group + rows).to(tl.int64)
    q_tile = tl.load(
        q + batch * q_batch + head[:, None] * q_head + dims[None, :],
        mask=(rows < group)[:, None] & (dims < DIM)[None, :], other=0.0,
    )  # fmt: skip
    last = pages - 1
    if GROWS:
        last = (tl.load(lengths + batch) - 1) // PAGE - 1  # the page before the newest
    inside = (page <= last)[:, None] & (dims < DIM)[None, :]
    kv = kv.to(tl.int64)
    at = page.to(tl.int64)[:, None]
    low += batch * low_batch + kv * low_head
    high += batch * high_batch + kv * high_head
    least = tl.load(low + at * low_row + dims[None, :], mask=inside, other=0.0)
    most = tl.load(high + at * high_row + dims[None, :], mask=inside, other=0.0)
    if GROWS:  # noqa: SIM102 (known when compiling, the other is not)
        if (first <= last) & (last < first + TILE):
            k += batch * k_batch + kv * k_head + last.to(tl.int64) * PAGE * k_row
            fresh_low = tl.load(k + dims, mask=dims < DIM, other=0.0).to(tl.float32)
            fresh_high = fresh_low
            for step in range(1, PAGE):
                key = tl.load(k + step * k_row + dims, mask=dims < DIM, other=0.0).to(tl.float32)
                fresh_low, fresh_high = tl.minimum(fresh_low, key), tl.maximum(fresh_high, key)
            tl.store(low + last.to(tl.int64) * low_row + dims, fresh_low, mask=dims < DIM)
            tl.store(high + last.to(tl.int64) * high_row + dims, fresh_high, mask=dims < DIM)
            least = tl.where((page == last)[:, None], fresh_low[None, :], least).to(least.dtype)
            most = tl.where((page == last)[:, None], fresh_high[None, :], most).to(most.dtype)
    if SHARE:
        # Sums of heads' bounds are bounds with summed queries: no product per head is needed.
        q_tile = q_tile.to(tl.float32)
        up, down = tl.sum(tl.maximum(q_tile, 0.0), 0), tl.sum(tl.minimum(q_tile, 0.0), 0)
        bound = tl.sum(most.to(tl.float32) * up[None, :] + least.to(tl.float32) * down[None, :], 1)
        bound = tl.where(page <= last, bound, float("-inf"))
        tl.store(out + (batch * tl.num_programs(1) + kv) * pages + page, bound, mask=page < pages)
    else:
        up, down = tl.where(q_tile > 0, q_tile, 0.0).to(most.dtype), tl.where(q_tile < 0, q_tile, 0.0).to(least.dtype)
        bounds = product(most, tl.trans(up), EXACT)
        bounds += product(least, tl.trans(down), EXACT)  # [TILE, ROWS]
        bounds = tl.where((page <= last)[:, None], bounds, float("-inf"))
        row = batch * tl.num_programs(1) * group + head
        to = out + row[None, :] * pages + page[:, None]
        tl.store(to, bounds, mask=(page < pages)[:, None] & (rows < group)[None, :])


@triton.jit(do_not_specialize=["score_row", "candidates", "heads", "most", "keys", "tokens"])
def _choose(
    scores, among, out, counts, lengths, score_row, candidates, heads, most, keys, tokens,
    PAGE: tl.constexpr, GROWS: tl.constexpr, TILE: tl.constexpr, WHOLE: tl.constexpr, AMONG: tl.constexpr,
):  # fmt: skip
    """One row: its best pages, the newest, and zeros to the end of the list."""
    row = tl.program_id(0).to(tl.int64)
    if GROWS:
        keys = tl.load(lengths + row // heads)
    newest = (keys - 1) // PAGE
    taken = (2 * (tokens - (keys - newest * PAGE)) + PAGE) // (2 * PAGE)
    taken = tl.minimum(tl.maximum(taken, 0), tl.minimum(newest, most))
    stop = candidates
    if not AMONG:
        stop = newest
    out += row * (most + 1)
    if taken > 0:
        choose(scores + row * score_row, among + row * candidates, out, 0, stop, taken, TILE, WHOLE, AMONG)
    tl.store(out + taken, newest)
    tl.store(counts + row, taken + 1)
    for start in range(taken + 1, most + 1, TILE):
        at = start + tl.arange(0, TILE)
        tl.store(out + at, 0, mask=at <= most)
