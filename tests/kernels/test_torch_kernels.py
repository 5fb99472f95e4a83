"""Each plain torch kernel against the float64 reference, on odd shapes, and each plan against its own mask."""

from dataclasses import replace

import pytest
import torch

from nl_tasks.kernels.attention import attention
from nl_tasks.kernels.masked import masked_attention
from nl_tasks.kernels.plan import (
    BlockPlan,
    FullPlan,
    PagePlan,
    TokenPlan,
    VerticalSlashPlan,
    causal_entries,
    causal_mask,
)
from nl_tasks.kernels.reference import reference_attention
from nl_tasks.kernels.score_plan import ScorePlan

CPU = torch.device("cpu")


def listed(mask):
    """[..., n] bool -> sorted indices padded with 0, and counts."""
    counts = mask.sum(-1)
    order = torch.argsort((~mask).int(), dim=-1, stable=True)[..., : max(1, int(counts.max()))]
    return torch.where(torch.arange(order.shape[-1]) < counts[..., None], order, 0).int(), counts.int()


def block_plan(heads, queries, keys, bq, bk):
    rows, columns = -(-queries // bq), -(-keys // bk)
    last = torch.clamp((torch.arange(rows) + 1) * bq, max=queries) - 1 + keys - queries
    mask = torch.rand(2, heads, rows, columns) < 0.4
    mask.scatter_(3, (last // bk).expand(2, heads, rows)[..., None], True)
    mask[..., 0] = True  # every row of a block has an entry, also where the last block begins after it
    indices, counts = listed(mask & (torch.arange(columns) * bk <= last[:, None]))
    return BlockPlan(queries, keys, bq, bk, indices, counts)


def vertical_slash_plan(heads, queries, keys, block):
    columns, column_counts = listed(torch.rand(2, heads, keys) < 0.1)
    starts = torch.tensor([-90, -41, -3]).expand(2, heads, 3)
    ends = torch.tensor([-60, -40, block]).expand(2, heads, 3)
    plan = VerticalSlashPlan(queries, keys, block, columns, column_counts, starts, ends, torch.full((2, heads), 3))
    one = plan.bands.clone()
    one[0, 0] = 1  # ragged: this head keeps its farthest band alone, and needs key 0 for rows that it misses
    columns[0, 0, 0] = 0
    column_counts[0, 0] = max(1, int(column_counts[0, 0]))
    return VerticalSlashPlan(queries, keys, block, columns, column_counts, starts, ends, one)


def token_plan(heads, queries, keys):
    mask = torch.rand(2, heads, keys) < 0.3
    mask[..., -1] = True
    return TokenPlan(1, keys, *listed(mask))


def page_plan(heads, queries, keys):
    mask = torch.rand(2, heads, -(-keys // 16)) < 0.5
    mask[..., -1] = True
    return PagePlan(1, keys, 16, *listed(mask))


def full_block_plan(queries, keys, bq, bk):
    """Every block that some row sees."""
    rows, columns = -(-queries // bq), -(-keys // bk)
    last = torch.clamp((torch.arange(rows) + 1) * bq, max=queries) - 1 + keys - queries
    mask = torch.arange(columns) * bk <= last[:, None]
    return BlockPlan(queries, keys, bq, bk, *listed(mask.expand(1, 1, -1, -1)))


SHAPES = [(1, 1), (1, 77), (63, 63), (64, 64), (65, 130), (200, 200)]
MAKERS = {
    "block16": lambda h, t, s: block_plan(h, t, s, 16, 16),
    "block64x32": lambda h, t, s: block_plan(h, t, s, 64, 32),
    "block10x7": lambda h, t, s: block_plan(h, t, s, 10, 7),
    "slash64": lambda h, t, s: vertical_slash_plan(h, t, s, 64),
    "slash16": lambda h, t, s: vertical_slash_plan(h, t, s, 16),
    "slash1": lambda h, t, s: vertical_slash_plan(h, t, s, 1),
    "slash128": lambda h, t, s: vertical_slash_plan(h, t, s, 128),
    "tokens": token_plan,
    "pages": page_plan,
    "full": lambda h, t, s: FullPlan(t, s, 2, h, CPU),
}
CASES = [(m, t, s) for m in MAKERS for t, s in SHAPES if t == 1 or m not in ("tokens", "pages")]


def inputs(queries, keys, dim=24):
    return torch.randn(2, 6, queries, dim), torch.randn(2, 3, keys, dim), torch.randn(2, 3, keys, dim)


@pytest.mark.parametrize("shared", [False, True], ids=["per_query_head", "per_kv_head"])
@pytest.mark.parametrize("maker,queries,keys", CASES)
def test_kernel_equals_reference(maker, queries, keys, shared):
    q, k, v = inputs(queries, keys)
    plan = MAKERS[maker](3 if shared else 6, queries, keys)
    out, lse = attention(q, k, v, plan, scale=0.3, provider="torch")
    expected, expected_lse = reference_attention(q, k, v, plan, scale=0.3)
    torch.testing.assert_close(out.double(), expected, atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(lse.double(), expected_lse, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("maker,queries,keys", CASES)
def test_density_counts_the_mask_once(maker, queries, keys):
    plan = MAKERS[maker](6, queries, keys)
    mask = plan.mask(0, queries)
    assert not (mask & ~causal_mask(0, queries, keys - queries, keys, CPU)).any()
    assert torch.equal(plan.computed(), mask.sum((2, 3)))
    assert torch.allclose(plan.density(), mask.sum((2, 3)).double() / causal_entries(queries, keys))
    middle = queries // 2
    assert torch.equal(plan.mask(middle, queries), mask[:, :, middle:])


@pytest.mark.parametrize("blocks", [(1, 1), (16, 16), (64, 16), (16, 64), (10, 7), (7, 10), (128, 128)])
@pytest.mark.parametrize("queries,keys", [*SHAPES, (199, 200), (2, 200), (129, 193)])
def test_all_blocks_are_all_entries(blocks, queries, keys):
    plan = full_block_plan(queries, keys, *blocks)
    assert int(plan.computed()) == causal_entries(queries, keys)


@pytest.mark.parametrize("maker,queries,keys", CASES)
def test_keys_asked_for_are_seen_as_in_the_mask(maker, queries, keys):
    plan, asked = MAKERS[maker](6, queries, keys), torch.randint(keys, (2, 9))
    expected = plan.mask(0, queries).gather(-1, asked[:, None, None].expand(-1, 6, queries, -1))
    assert torch.equal(plan.sees(0, queries, asked), expected)
    middle = queries // 2
    assert torch.equal(plan.sees(middle, queries, asked), expected[:, :, middle:])


def test_masked_kernel_runs_every_plan():
    q, k, v = inputs(65, 130)
    plan = vertical_slash_plan(6, 65, 130, 64)
    out, _ = masked_attention(q, k, v, plan, scale=0.3)
    torch.testing.assert_close(out, attention(q, k, v, plan, scale=0.3)[0], atol=2e-6, rtol=1e-5)


def test_score_plan_keeps_what_reaches_the_threshold_and_row_maxima():
    q, k, v = inputs(100, 130)
    thresholds = torch.full((2, 6), -4.0)
    plan = ScorePlan(100, 130, q, k, 0.3, thresholds, torch.zeros(2, 6))
    scores = q.double() @ k.double().repeat_interleave(2, 1).mT * 0.3
    scores = scores.masked_fill(~causal_mask(0, 100, 30, 130, CPU), float("-inf")).log_softmax(-1)
    expected = (scores >= -4) | (scores == scores.amax(-1, keepdim=True))
    assert torch.equal(plan.mask(0, 100), expected)
    assert torch.equal(plan.mask(60, 70), expected[:, :, 60:70])
    assert torch.equal(plan.sees(60, 70, torch.tensor([[3, 99], [70, 3]]))[1, :, :, 0], expected[1, :, 60:70, 70])
    out, _ = attention(q, k, v, plan, scale=0.3)
    torch.testing.assert_close(out.double(), reference_attention(q, k, v, plan, scale=0.3)[0], atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_output_keeps_its_dtype(dtype):
    q, k, v = (x.to(dtype) for x in inputs(65, 65))
    plan = block_plan(6, 65, 65, 16, 16)
    out, lse = attention(q, k, v, plan, scale=0.3)
    assert (out.dtype, lse.dtype) == (dtype, torch.float32)
    torch.testing.assert_close(out.double(), reference_attention(q, k, v, plan, scale=0.3)[0], atol=3e-2, rtol=3e-2)


def test_padding_entries_of_a_list_mean_nothing():
    q, k, v = inputs(64, 64)
    plan = block_plan(6, 64, 64, 16, 16)
    junk = torch.where(plan.valid(), plan.indices, torch.randint_like(plan.indices, 4))
    noisy = BlockPlan(64, 64, 16, 16, junk, plan.counts)
    assert torch.equal(attention(q, k, v, plan, scale=1.0)[0], attention(q, k, v, noisy, scale=1.0)[0])
    assert torch.equal(plan.mask(0, 64), noisy.mask(0, 64))


@pytest.mark.parametrize("maker", ["block16", "slash64", "tokens", "pages"])
def test_lists_without_room_are_refused(maker):
    plan = MAKERS[maker](6, 1 if maker in ("tokens", "pages") else 64, 64)
    lists = {"block16": "indices", "slash64": "columns", "tokens": "tokens", "pages": "pages"}[maker]
    with pytest.raises(ValueError, match=rf"{lists} has the shape \(2, 6.*, 0\): lists have room"):
        replace(plan, **{lists: getattr(plan, lists)[..., :0]})


def test_wrong_use_is_named():
    q, k, v = inputs(64, 64)
    plan = FullPlan(64, 65, 2, 6, CPU)
    with pytest.raises(ValueError, match="64 rows x 65 keys, not 64 x 64"):
        attention(q, k, v, plan, scale=1.0)
    with pytest.raises(ValueError, match="shapes disagree"):
        attention(q, k, v[:, :2], plan, scale=1.0)
    with pytest.raises(ValueError, match="provider='cuda' is out of range"):
        attention(q, k, v, FullPlan(64, 64, 2, 6, CPU), scale=1.0, provider="cuda")
    with pytest.raises(ValueError, match="cannot run a FullPlan on cpu"):
        attention(q, k, v, FullPlan(64, 64, 2, 6, CPU), scale=1.0, provider="fa4")
