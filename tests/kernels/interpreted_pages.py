"""Decode kernels against their torch versions and the float64 reference; run by `test_interpreter.py`."""

import os

import pytest
import torch

from nl_tasks.kernels import triton_pages, triton_tokens, triton_topk, triton_window_scores
from nl_tasks.kernels.attention import attention
from nl_tasks.kernels.page_bounds import PageBounds, page_bounds, page_scores
from nl_tasks.kernels.plan import FullPlan, PagePlan, TokenPlan
from nl_tasks.kernels.reference import reference_attention
from nl_tasks.kernels.window_scores import window_scores, window_scores_torch
from nl_tasks.sparse_backends.ada_snapkv import AdaSnapKV
from nl_tasks.sparse_backends.budget import listed, top
from nl_tasks.sparse_backends.pages import page_plan
from nl_tasks.sparse_backends.quest import Quest
from nl_tasks.sparse_backends.registry import parse_backend
from nl_tasks.sparse_backends.snapkv import SnapKV

TOLERANCE = {torch.float32: 5e-6, torch.float16: 2e-3}
# keys, query heads, KV heads, head dim, batch, page
SHAPES = [
    (1, 4, 2, 16, 1, 16),
    (16, 2, 2, 16, 1, 16),
    (17, 4, 2, 24, 2, 16),
    (300, 6, 1, 64, 2, 5),
    (300, 8, 4, 16, 1, 4),
]


def test_kernels_run_interpreted():
    assert os.environ["TRITON_INTERPRET"] == "1"


def made(*shape, dtype=torch.float32):
    return torch.randn(*shape).to(dtype)


def agree(found, expected, dtype=torch.float32):
    out, lse = found
    wanted, wanted_lse = expected
    torch.testing.assert_close(out.double(), wanted.nan_to_num(0.0), atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])
    torch.testing.assert_close(lse.double(), wanted_lse, atol=1e-5, rtol=1e-4)


@pytest.fixture
def small_parts(monkeypatch):
    """Lists as short as a test's count as long, so that they are cut into parts, or read in steps."""
    monkeypatch.setattr(triton_topk, "ONE_TILE", 64)
    monkeypatch.setattr(triton_pages, "ONE_TILE", 64)
    monkeypatch.setattr(triton_topk, "_STEP", 32)
    monkeypatch.setattr(triton_topk, "_PARTS", (16, 32))
    monkeypatch.setattr(triton_topk, "_LAUNCH", 0)


@pytest.mark.parametrize("size,count", [(1, 1), (5, 5), (7, 3), (100, 17), (1000, 64)])
@pytest.mark.parametrize("kind", ["floats", "ties", "negative infinity"])
def test_top_indices_are_those_of_a_stable_sort(size, count, kind):
    scores = made(2, 2, size)
    if kind == "ties":
        scores = scores.round()
    if kind == "negative infinity":
        scores = torch.where(scores > 0, scores, -torch.inf)
    assert torch.equal(triton_topk.top_indices(scores, count), top(scores, count))


@pytest.mark.parametrize("size,count", [(100, 33), (130, 64), (333, 2), (129, 5)])
def test_top_indices_of_long_rows(size, count, small_parts):
    for scores in (made(2, size), made(2, size).round()):
        assert torch.equal(triton_topk.top_indices(scores, count), top(scores, count))


@pytest.mark.parametrize("keys,heads,kv,dim,batch,page", SHAPES)
def test_bounds_follow_a_growing_cache(keys, heads, kv, dim, batch, page):
    k = made(batch, kv, keys, dim)
    whole = (keys - 1) // page
    low, high = (x[:, :, :whole] for x in page_bounds(k, page))
    bounds = PageBounds(page)
    for upto in sorted({max(1, keys // 3), max(1, keys // 3 + 1), max(1, keys - 1), keys}):
        found = bounds.follow(k[:, :, :upto])
    assert torch.equal(found[0], low)
    assert torch.equal(found[1], high)


@pytest.mark.parametrize("keys,heads,kv,dim,batch,page", SHAPES)
@pytest.mark.parametrize("share", [True, False], ids=["shared", "own"])
@pytest.mark.parametrize("parts", ["whole", "cut"])
def test_quest_step(keys, heads, kv, dim, batch, page, share, parts, request):
    if parts == "cut":
        request.getfixturevalue("small_parts")
    q, k, v = made(batch, heads, 1, dim), made(batch, kv, keys, dim), made(batch, kv, keys, dim)
    budget = max(page, keys // 4)
    low, high = PageBounds(page).follow(k)
    scores = page_scores(q[:, :, 0], low, high)
    if share:
        scores = scores.unflatten(1, (kv, -1)).sum(2)
    expected = page_plan(scores, budget, page, keys)
    plan = triton_pages.plan_pages(q, low, high, page, budget, keys, share=share)
    assert torch.equal(plan.pages, expected.pages)
    assert torch.equal(plan.counts, expected.counts)
    assert torch.equal(plan.computed(), plan.mask(0, 1).sum((2, 3)))
    step = triton_pages.quest_step(q, k, v, low, high, page, budget, scale=0.3, share=share)
    agree(step, reference_attention(q, k, v, expected, scale=0.3))


@pytest.mark.parametrize("share", [True, False], ids=["shared", "own"])
def test_quest_step_with_lengths_on_the_device(share):
    batch, room, page, budget = 3, 90, 8, 24
    lengths = torch.tensor([90, 1, 41], dtype=torch.int32)
    q, k, v = made(batch, 4, 1, 16), made(batch, 2, room, 16), made(batch, 2, room, 16)
    pages = (room - 1) // page
    low, high = torch.full((batch, 2, pages, 16), torch.nan), torch.full((batch, 2, pages, 16), torch.nan)
    plans = []
    for row, keys in enumerate(lengths.tolist()):
        k[row, :, keys:] = v[row, :, keys:] = torch.nan  # must not be read
        own = PageBounds(page).follow(k[row : row + 1, :, :keys])
        known = max(0, own[0].shape[2] - 1)  # all but the page that the newest key has closed
        low[row, :, :known], high[row, :, :known] = own[0][0, :, :known], own[1][0, :, :known]
        plans.append(
            Quest(page=page, tokens=budget, share_pages=share).plan(
                q[row : row + 1], k[row : row + 1, :, :keys], scale=0.3
            )
        )
    out, lse = triton_pages.quest_step(q, k, v, low, high, page, budget, scale=0.3, share=share, lengths=lengths)
    for row, (keys, plan) in enumerate(zip(lengths.tolist(), plans)):
        one = slice(row, row + 1)
        expected = reference_attention(q[one], k[one, :, :keys], v[one, :, :keys], plan, scale=0.3)
        agree((out[one], lse[one]), expected)
        whole = (keys - 1) // page
        if whole:
            assert torch.equal(low[row, :, whole - 1], k[row, :, (whole - 1) * page : whole * page].amin(1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=["float32", "float16"])
@pytest.mark.parametrize("shared", [True, False], ids=["per_kv_head", "per_query_head"])
@pytest.mark.parametrize("keys,heads,kv,dim,batch,page", SHAPES)
def test_lists_of_pages_and_tokens(keys, heads, kv, dim, batch, page, shared, dtype):
    q = made(batch, 1, heads, dim, dtype=dtype).transpose(1, 2)
    k, v = made(batch, kv, keys, dim, dtype=dtype), made(batch, keys, kv, dim, dtype=dtype).transpose(1, 2)
    lists = kv if shared else heads
    for size, of in ((page, PagePlan), (1, TokenPlan)):
        kept = torch.rand(batch, lists, -(-keys // size)) < 0.4
        kept[-1, -1] = True
        kept[0, 0] = False  # an empty list
        index, counts = listed(kept)
        plan = PagePlan(1, keys, size, index, counts) if of is PagePlan else TokenPlan(1, keys, index, counts)
        found = attention(q, k, v, plan, scale=0.3, provider="triton")
        agree(found, reference_attention(q, k, v, plan, scale=0.3), dtype)
    dense = FullPlan(1, keys, batch, heads, q.device)
    agree(
        attention(q, k, v, dense, scale=-0.3, provider="triton"), reference_attention(q, k, v, dense, scale=-0.3), dtype
    )


@pytest.mark.parametrize("over", ["mean", "max"])
@pytest.mark.parametrize("keys,heads,kv,dim,rows", [(1, 2, 2, 16, 1), (150, 4, 2, 24, 50), (70, 4, 1, 64, 70)])
def test_window_scores(keys, heads, kv, dim, rows, over, monkeypatch):
    monkeypatch.setattr(triton_window_scores, "_SPLIT", 64)
    q, k = made(2, heads, rows, dim), made(2, kv, keys, dim)
    found, expected = window_scores(q, k, scale=0.3, over=over), window_scores_torch(q, k, scale=0.3, over=over)
    torch.testing.assert_close(found, expected, atol=5e-6, rtol=1e-5)


def test_window_scores_of_heads_that_lie_far_apart():
    apart, heads = 2**27, 17  # the last head begins 2**31 elements after the first; only what is written is in memory
    q = torch.empty(heads * apart, dtype=torch.float16).as_strided((1, heads, 4, 16), (heads * apart, apart, 16, 1))
    for head in range(heads):
        q[0, head] = made(4, 16)
    k = made(1, 1, 40, 16).half()
    found = window_scores(q, k, scale=0.3, over="mean")
    expected = window_scores_torch(q.contiguous(), k, scale=0.3, over="mean")
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("method", ["snapkv", "ada_snapkv"])
def test_evicting_chooses_as_without_triton(method, monkeypatch):
    q, k = made(1, 4, 200, 16), made(1, 2, 200, 16)
    backend = {"snapkv": SnapKV(tokens=140, window=20), "ada_snapkv": AdaSnapKV(tokens=140, window=20)}[method]
    plan = backend.plan(q, k, scale=0.3)
    monkeypatch.setattr(f"nl_tasks.sparse_backends.{method}.window_scores", window_scores_torch)
    expected = backend.plan(q, k, scale=0.3)
    assert torch.equal(plan.tokens, expected.tokens)
    assert torch.equal(plan.counts, expected.counts)


@pytest.mark.parametrize("spec", ["quest:tokens=32", "quest:tokens=32,share_pages=false,page=8", "snapkv:tokens=140"])
def test_a_model_says_with_triton_what_it_says_without(spec, monkeypatch):
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        vocab_size=100,
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    model = transformers.LlamaForCausalLM(config).eval()
    ids, mask = torch.randint(1, 100, (2, 150)), torch.ones(2, 150, dtype=torch.long)
    mask[0, :3] = 0
    options = {"max_new_tokens": 3, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    options |= {"output_logits": True, "return_dict_in_generate": True}
    kernels = []
    attend = triton_tokens.attend_lists
    monkeypatch.setattr(triton_tokens, "attend_lists", lambda *a, **k: kernels.append(1) or attend(*a, **k))
    with parse_backend(spec).attach(model, provider="auto"):
        found = model.generate(ids, attention_mask=mask, **options)
    assert kernels or spec.startswith("snapkv")
    for module in ("sparse_backends.quest", "kernels.page_bounds", "kernels.window_scores"):
        monkeypatch.setattr(f"nl_tasks.{module}.runs_triton", lambda x: False)
    kernels.clear()
    with parse_backend(spec).attach(model, provider="torch"):
        expected = model.generate(ids, attention_mask=mask, **options)
    assert not kernels
    assert torch.equal(found.sequences, expected.sequences)
    torch.testing.assert_close(torch.stack(found.logits), torch.stack(expected.logits), atol=1e-5, rtol=1e-4)
