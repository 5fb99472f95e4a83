# mypy: disallow-untyped-defs=False
"""Decode attention in Triton over lists of pages or tokens, or over all keys: the lists are split to fill the GPU.

A program reads a stretch of one list for the query heads that share it and leaves an output and its log-sum-exp; a
second launch joins the stretches. Nothing waits for the device and the grid depends on shapes alone, so both launches
can be captured in a CUDA graph; where the number of keys changes between replays, `lengths` on the device says it.
"""

from functools import lru_cache

import torch
import triton
import triton.language as tl
from torch import Tensor

from nl_tasks.kernels.devices import fits
from nl_tasks.kernels.plan import FullPlan, PagePlan, Plan, TokenPlan
from nl_tasks.kernels.provider import kernel
from nl_tasks.kernels.triton_support import LN2, LOG2E, can_run, masked_softmax_step, product, rows_contiguous

_MOST_SPLITS = 64


def usable(q: Tensor, plan: Plan) -> bool:
    """One query row, a head dimension up to 256, and a device and dtype that Triton has."""
    known = q.dtype in (torch.bfloat16, torch.float16, torch.float32)
    return plan.queries == 1 and q.shape[-1] <= 256 and known and can_run(q)


@kernel(TokenPlan, "triton", usable)
def token_attention_triton(q: Tensor, k: Tensor, v: Tensor, plan: TokenPlan, *, scale: float) -> tuple[Tensor, Tensor]:
    """Attention of one query row over the listed tokens; shapes as in `AttentionKernel` with T = 1."""
    return attend_lists(q, k, v, plan.tokens, plan.counts, 1, scale=scale)


@kernel(PagePlan, "triton", usable)
def page_attention_triton(q: Tensor, k: Tensor, v: Tensor, plan: PagePlan, *, scale: float) -> tuple[Tensor, Tensor]:
    """Attention of one query row over the listed pages; shapes as in `AttentionKernel` with T = 1."""
    return attend_lists(q, k, v, plan.pages, plan.counts, plan.page, scale=scale)


@kernel(FullPlan, "triton", usable)
def dense_decode_triton(q: Tensor, k: Tensor, v: Tensor, plan: FullPlan, *, scale: float) -> tuple[Tensor, Tensor]:
    """Attention of one query row over all keys; shapes as in `AttentionKernel` with T = 1."""
    return attend_lists(q, k, v, None, None, 1, scale=scale)


def attend_lists(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    units: Tensor | None,
    counts: Tensor | None,
    page: int,
    *,
    scale: float,
    lengths: Tensor | None = None,
    tile: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Attention of `q` `[B, Hq, 1, D]` over the pages `units` `[B, H, M]` of `page` keys, of which `counts` are real.

    `k`, `v` are `[B, Hkv, S, D]`; without `units` all keys are read. `lengths` `[B]` int32 on the device are the keys
    that each row really has (None: S), and `tile` the keys that a program reads at once. Returns output and
    log-sum-exp as an `AttentionKernel`.
    """
    q, k, v = (rows_contiguous(x) for x in (q, k, v))
    batch, heads, _, dim = q.shape
    keys, lists = k.shape[2], k.shape[1] if units is None else units.shape[1]
    listed = keys if units is None else min(units.shape[2] * page, keys + page - 1)
    tile = tile or choose_tile(q)
    span, splits = split(listed, tile, batch * lists, processors(q.device))
    per = heads // lists
    rows, wide = max(16, triton.next_power_of_2(per)), max(16, triton.next_power_of_2(dim))
    stages = 1 if span <= 2 * tile else 3 if fits(q, rows + 4 * tile) else 2  # loads in flight
    out = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    lse = q.new_empty(batch, heads, 1, dtype=torch.float32)
    part = q.new_empty(batch, heads, splits, dim, dtype=torch.float32) if splits > 1 else out
    part_lse = q.new_empty(batch, heads, splits, dtype=torch.float32) if splits > 1 else lse
    if units is None or counts is None:
        units = counts = part_lse  # not read
        dense = True
    else:
        units, counts, dense = units.contiguous(), counts.contiguous(), False
    _attend[(splits, lists, batch)](
        q, k, v, part, part_lse, units, counts, part_lse if lengths is None else lengths,
        *q.stride()[:2], *k.stride()[:3], *v.stride()[:3],
        heads, keys, lists, units.shape[-1], per, lists // k.shape[1], span, splits, scale * LOG2E, LN2,
        PAGE=page, DENSE=dense, LENGTHS=lengths is not None, FINAL=splits == 1, TILE=tile,
        ROWS=rows, DIM=dim, WIDE=wide, EXACT=q.dtype == torch.float32, num_warps=4, num_stages=stages,
    )  # fmt: skip
    if splits > 1:
        _join[(heads, batch)](
            part, part_lse, out, lse, splits, LN2,
            SPLITS=triton.next_power_of_2(splits), DIM=dim, WIDE=wide, num_warps=4,
        )  # fmt: skip
    return out, lse


def choose_tile(q: Tensor) -> int:
    """Keys that a program reads at once."""
    return 64 if q.shape[-1] * q.element_size() <= 512 else 32


def split(listed: int, tile: int, lists: int, processors: int) -> tuple[int, int]:
    """Cut lists of at most `listed` keys so that the GPU has work for each processor: keys of a part, and parts."""
    tiles = max(1, triton.cdiv(listed, tile))
    parts = min(tiles, _MOST_SPLITS, max(1, triton.cdiv(2 * processors, lists)))
    span = triton.cdiv(tiles, parts)
    return span * tile, triton.cdiv(tiles, span)


@lru_cache
def processors(device: torch.device) -> int:
    """Multiprocessors of a GPU; 4 for other devices."""
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 4


@triton.jit(do_not_specialize=["heads", "keys", "lists", "longest", "per", "share", "span", "splits"])
def _attend(
    q, k, v, out, lse, units, counts, lengths,
    q_batch, q_head, k_batch, k_head, k_row, v_batch, v_head, v_row,
    heads, keys, lists, longest, per, share, span, splits, scale, ln2,
    PAGE: tl.constexpr, DENSE: tl.constexpr, LENGTHS: tl.constexpr, FINAL: tl.constexpr, TILE: tl.constexpr,
    ROWS: tl.constexpr, DIM: tl.constexpr, WIDE: tl.constexpr, EXACT: tl.constexpr,
):  # fmt: skip
    """The keys `part * span` and on of one list, for the `per` query heads that share it."""
    part, own = tl.program_id(0), tl.program_id(1)
    batch = tl.program_id(2).to(tl.int64)
    if LENGTHS:
        keys = tl.load(lengths + batch)
    listed = keys
    if not DENSE:
        listed = tl.load(counts + batch * lists + own) * PAGE
        units += (batch * lists + own) * longest
    kv = (own // share).to(tl.int64)
    rows, dims, step = tl.arange(0, ROWS), tl.arange(0, WIDE), tl.arange(0, TILE)
    head = own * per + rows
    inside = (rows < per)[:, None] & (dims < DIM)[None, :]
    q_tile = tl.load(q + batch * q_batch + head[:, None].to(tl.int64) * q_head + dims[None, :], mask=inside, other=0.0)
    k += batch * k_batch + kv * k_head
    v += batch * v_batch + kv * v_head
    high = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    acc = tl.zeros([ROWS, WIDE], tl.float32)
    for start in range(part * span, tl.minimum((part + 1) * span, listed), TILE):
        place = start + step
        key = place
        if not DENSE:
            key = tl.load(units + place // PAGE, mask=place < listed, other=0) * PAGE + place % PAGE
        real = (place < listed) & (key < keys)
        loaded = real[:, None] & (dims < DIM)[None, :]
        key = key.to(tl.int64)
        k_tile = tl.load(k + key[:, None] * k_row + dims[None, :], mask=loaded, other=0.0)
        v_tile = tl.load(v + key[:, None] * v_row + dims[None, :], mask=loaded, other=0.0)
        scores = product(q_tile, tl.trans(k_tile), EXACT)
        high, total, acc = masked_softmax_step(scores, real[None, :], v_tile, high, total, acc, scale, EXACT)
    some = total > 0
    acc = acc / tl.where(some, total, 1.0)[:, None]
    found = tl.where(some, high + tl.math.log2(tl.where(some, total, 1.0)), float("-inf"))
    if FINAL:
        found *= ln2
    place = (batch * heads + head) * splits + part
    tl.store(lse + place, found, mask=rows < per)
    tl.store(out + place[:, None] * DIM + dims[None, :], acc.to(out.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["splits"])
def _join(
    part, part_lse, out, lse, splits, ln2, SPLITS: tl.constexpr, DIM: tl.constexpr, WIDE: tl.constexpr
):  # fmt: skip
    """Weigh the parts of one query head by what each holds of the softmax's denominator (part_lse: base 2)."""
    head = tl.program_id(1).to(tl.int64) * tl.num_programs(0) + tl.program_id(0)
    parts, dims = tl.arange(0, SPLITS), tl.arange(0, WIDE)
    share = tl.load(part_lse + head * splits + parts, mask=parts < splits, other=float("-inf"))
    high = tl.max(share, 0)
    high = tl.where(high == float("-inf"), 0.0, high)  # -inf less -inf would be nan
    share = tl.math.exp2(share - high)
    total = tl.sum(share, 0)
    inside = (parts < splits)[:, None] & (dims < DIM)[None, :]
    outs = tl.load(part + (head * splits + parts)[:, None] * DIM + dims[None, :], mask=inside, other=0.0)
    some = total > 0
    total = tl.where(some, total, 1.0)
    joined = tl.sum(outs * share[:, None], 0) / total
    tl.store(out + head * DIM + dims, joined.to(out.dtype.element_ty), mask=dims < DIM)
    tl.store(lse + head, tl.where(some, (tl.math.log2(total) + high) * ln2, float("-inf")))
