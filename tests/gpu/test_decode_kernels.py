"""Decode kernels on a GPU against the float64 reference and plain torch, eagerly and in CUDA graphs."""

import pytest
import torch

from nl_tasks.kernels.attention import attention
from nl_tasks.kernels.page_bounds import PageBounds, page_bounds, page_scores
from nl_tasks.kernels.plan import FullPlan, PagePlan, TokenPlan
from nl_tasks.kernels.reference import reference_attention
from nl_tasks.kernels.window_scores import window_scores, window_scores_torch

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]
DEVICE = torch.device("cuda")
TOLERANCE = {torch.bfloat16: 8e-3, torch.float16: 1.5e-3, torch.float32: 1e-5}
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@pytest.fixture(autouse=True)
def poisoned():
    """Fill free memory with NaN, which is what outputs that a kernel does not write then hold."""
    torch.manual_seed(0)
    junk = [torch.full((2**n,), torch.nan, device=DEVICE) for n in range(10, 25)]
    del junk


def made(*shape, dtype=torch.bfloat16):
    return torch.randn(*shape, device=DEVICE).to(dtype)


def decode_inputs(batch, heads, kv, keys, dim, dtype=torch.bfloat16):
    return made(batch, 1, heads, dim, dtype=dtype).transpose(1, 2), *(
        made(batch, kv, keys, dim, dtype=dtype) for _ in range(2)
    )


def listed(mask):
    counts = mask.sum(-1)
    order = torch.argsort((~mask).int(), dim=-1, stable=True)[..., : max(1, int(counts.max()))]
    real = torch.arange(order.shape[-1], device=DEVICE) < counts[..., None]
    return torch.where(real, order, 10**6).int(), counts.int()  # entries past a count must not be read


def agree(found, expected, dtype):
    out, lse = found
    wanted, wanted_lse = expected
    wanted = wanted.nan_to_num(0.0)
    assert out.dtype == dtype
    norm = max(float(wanted.norm()), 1e-9)
    assert float((out.double() - wanted).norm()) / norm < TOLERANCE[dtype]
    torch.testing.assert_close(lse.double(), wanted_lse, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("dim", [64, 128, 256])
@pytest.mark.parametrize("group", [1, 4, 8])
@pytest.mark.parametrize("keys", [1, 2, 63, 64, 65, 1000, 4097])
def test_lists_and_dense(dtype, dim, group, keys):
    batch = keys % 3 + 1
    heads, kv = 8, 8 // group
    q, k, v = decode_inputs(batch, heads, kv, keys, dim, dtype)
    for lists in {heads, kv}:
        for page in (16, 1):
            kept = torch.rand(batch, lists, -(-keys // page), device=DEVICE) < 0.3
            kept[0, 0] = False
            kept[-1, -1] = True
            index, counts = listed(kept)
            plan = PagePlan(1, keys, 16, index, counts) if page == 16 else TokenPlan(1, keys, index, counts)
            found = attention(q, k, v, plan, scale=0.1, provider="triton")
            clean = torch.where(plan.valid(), index, 0)
            plain = PagePlan(1, keys, 16, clean, counts) if page == 16 else TokenPlan(1, keys, clean, counts)
            agree(found, reference_attention(q, k, v, plain, scale=0.1), dtype)
    full = FullPlan(1, keys, batch, heads, DEVICE)
    agree(attention(q, k, v, full, scale=0.1, provider="triton"), reference_attention(q, k, v, full, scale=0.1), dtype)


@pytest.mark.parametrize("dim", [24, 80])
def test_single_precision_and_odd_head_dims(dim):
    q, k, v = decode_inputs(2, 6, 2, 333, dim, torch.float32)
    full = FullPlan(1, 333, 2, 6, DEVICE)
    found = attention(q, k, v, full, scale=-0.1, provider="triton")
    agree(found, reference_attention(q, k, v, full, scale=-0.1), torch.float32)


@pytest.mark.parametrize(
    "size,count", [(1, 1), (4097, 64), (8191, 4000), (16384, 1024), (65535, 64), (70000, 2), (70000, 30000)]
)
def test_top_indices(size, count):
    from nl_tasks.kernels.triton_topk import top_indices
    from nl_tasks.sparse_backends.budget import top

    for scores in (made(2, 4, size, dtype=torch.float32), made(2, 4, size, dtype=torch.float32).round()):
        assert torch.equal(top_indices(scores, count), top(scores, count))


def plan_of(q, k, page, tokens, share):
    """The pages that Quest reads, by torch, from a CPU's scores."""
    from nl_tasks.sparse_backends.pages import page_plan

    low, high = page_bounds(k, page)
    scores = page_scores(q[:, :, 0], low, high)
    if share:
        scores = scores.unflatten(1, (k.shape[1], -1)).sum(2)
    return scores, page_plan(scores, tokens, page, k.shape[2])


@pytest.mark.parametrize("share", [True, False], ids=["shared", "own"])
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("dim,group,page", [(64, 1, 16), (128, 4, 16), (256, 8, 32), (128, 4, 7)])
@pytest.mark.parametrize("keys", [1, 16, 17, 1000, 4097])
def test_quest_chooses_as_torch(keys, dim, group, page, dtype, share):
    from nl_tasks.kernels.triton_pages import plan_pages, quest_step

    q, k, v = decode_inputs(2, 8, 8 // group, keys, dim, dtype)
    bounds = PageBounds(page)
    bounds.follow(k[:, :, : max(1, keys // 2)])
    low, high = bounds.follow(k)
    wanted_low, wanted_high = page_bounds(k, page)
    pages = (keys - 1) // page
    assert torch.equal(low, wanted_low[:, :, :pages])
    assert torch.equal(high, wanted_high[:, :, :pages])
    tokens = max(page, 256)
    scores, expected = plan_of(q, k, page, tokens, share)
    plan = plan_pages(q, low, high, page, tokens, keys, share=share)
    assert torch.equal(plan.counts, expected.counts)
    assert torch.equal(plan.computed(), plan.mask(0, 1).sum((2, 3)))
    # Scores that are equal but for rounding may change places: then what was taken is worth the same.
    got, best = (scores.gather(-1, x.pages.long()).sort(-1).values for x in (plan, expected))
    torch.testing.assert_close(got, best, atol=1e-2, rtol=1e-4)
    assert (plan.pages[..., 1:] > plan.pages[..., :-1]).all()
    found = quest_step(q, k, v, low, high, page, tokens, scale=0.1, share=share)
    agree(found, reference_attention(q, k, v, plan, scale=0.1), dtype)


@pytest.mark.parametrize("share", [True, False], ids=["shared", "own"])
def test_quest_in_a_graph_while_the_cache_grows(share):
    from nl_tasks.kernels.triton_pages import quest_step
    from nl_tasks.sparse_backends.quest import Quest

    batch, room, page, tokens = 2, 3000, 16, 256
    q, k, v = decode_inputs(batch, 8, 2, room, 128)
    start = torch.tensor([2970, 900], dtype=torch.int32)
    low, high = (x[:, :, : (room - 1) // page].contiguous() for x in page_bounds(k, page))
    for row, keys in enumerate(start.tolist()):
        low[row, :, (keys - 1) // page :] = high[row, :, (keys - 1) // page :] = torch.nan  # not known yet
    lengths = start.to(DEVICE)
    before = low.clone(), high.clone()

    def step():
        return quest_step(q, k, v, low, high, page, tokens, scale=0.1, share=share, lengths=lengths)

    step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out, lse = step()
    low.copy_(before[0])
    high.copy_(before[1])
    backend = Quest(page=page, tokens=tokens, share_pages=share)
    for grown in range(30):
        lengths.copy_(start + grown)
        q.copy_(made(*q.shape))
        out.fill_(torch.nan)
        graph.replay()
        for row in range(batch):
            keys, one = int(start[row]) + grown, slice(row, row + 1)
            own = k[one, :, :keys], v[one, :, :keys]
            plan = backend.plan(q[one], own[0], scale=0.1)
            eager = attention(q[one], *own, plan, scale=0.1, provider="triton")
            torch.testing.assert_close(out[one], eager[0], atol=4e-3, rtol=2e-2)
            agree((out[one], lse[one]), reference_attention(q[one], *own, plan, scale=0.1), torch.bfloat16)


def test_graph_replay_equals_eager():
    from nl_tasks.kernels.triton_pages import quest_step

    q, k, v = decode_inputs(1, 32, 8, 32768, 128)
    low, high = PageBounds(16).follow(k)
    eager = quest_step(q, k, v, low, high, 16, 1024, scale=0.1)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out, lse = quest_step(q, k, v, low, high, 16, 1024, scale=0.1)
    out.fill_(torch.nan)
    graph.replay()
    assert torch.equal(out, eager[0])
    assert torch.equal(lse, eager[1])


@pytest.mark.parametrize("over", ["mean", "max"])
@pytest.mark.parametrize("dim,group", [(64, 1), (128, 4), (256, 8)])
@pytest.mark.parametrize("rows,keys", [(1, 1), (100, 100), (256, 4097), (256, 20000)])
def test_window_scores(rows, keys, dim, group, over):
    q, k = made(2, 8, rows, dim), made(2, 8 // group, keys, dim)
    found, expected = window_scores(q, k, scale=0.1, over=over), window_scores_torch(q, k, scale=0.1, over=over)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=5e-3)


@pytest.mark.parametrize("spec", ["quest:tokens=256", "quest:tokens=256,share_pages=false"])
def test_planning_a_token_never_waits_for_the_device(spec):
    from nl_tasks.sparse_backends import parse_backend

    q, k, _ = decode_inputs(2, 8, 2, 2000, 64)
    backend = parse_backend(spec)
    memory = {}
    backend.plan(q, k, scale=0.1, memory=memory)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        backend.plan(q, k, scale=0.1, memory=memory)
    finally:
        torch.cuda.set_sync_debug_mode("default")
