"""Decode and eviction methods against slow float64 code that was written from their definitions alone.

Each `*_mask` function says which of the S keys a KV head or query head reads or keeps, `[S]` bool.
"""

import math

import pytest
import torch

from nl_tasks.kernels.attention import attention
from nl_tasks.sparse_backends import get_backend

SCALE = 0.25


def share_of(sparsity, tokens, prompt, keys):
    if sparsity is not None:
        return keys if sparsity == 0 else min(keys, round((1 - sparsity) * prompt))
    return min(tokens, keys)


def best(scores, count):
    """The highest scores, of equals the lower index."""
    return sorted(range(len(scores)), key=lambda i: (-float(scores[i]), i))[:count]


def mask_of(keys, chosen):
    mask = torch.zeros(keys, dtype=torch.bool)
    mask[torch.tensor(sorted(chosen), dtype=torch.long)] = True
    return mask


def pages_of(keys, page):
    return [range(start, min(start + page, keys)) for start in range(0, keys, page)]


def counted_pages(scores, pages, budget, always=()):
    """The newest page, those in `always`, and the best others: as many as bring the keys nearest to `budget`."""
    last = len(pages) - 1
    spare = (budget - len(pages[last])) / len(pages[0])
    others = min(last, max(0, math.floor(spare + 0.5)), last)
    sure = sorted(set(always) - {last})
    ranked = sure + [page for page in best(scores[:last], last) if page not in sure]
    chosen = ranked[: max(others, len(sure))]
    return [token for page in [*chosen, last] for token in pages[page]]


# Pages and tokens read by a generated token ---------------------------------------------------------------------------


def quest_masks(q, k, *, prompt, tokens=None, sparsity=None, page=16, share_pages=True):
    heads, keys = len(q), k.shape[1]
    pages, group = pages_of(keys, page), heads // len(k)
    bounds = torch.zeros(heads, len(pages), dtype=torch.float64)
    for head in range(heads):
        for number, inside in enumerate(pages):
            low, high = (f(k[head // group, inside].double(), 0).values for f in (torch.min, torch.max))
            vector = q[head, 0].double()
            bounds[head, number] = torch.maximum(vector * low, vector * high).sum()
    if share_pages:
        bounds = bounds.view(len(k), group, -1).sum(1).repeat_interleave(group, 0)
    budget = share_of(sparsity, tokens, prompt, keys)
    return [mask_of(keys, counted_pages(bounds[head], pages, budget)) for head in range(heads)]


def mix(x):
    x = ((x ^ (x >> 16)) * 0x21F0AAAD) % 2**32
    x = ((x ^ (x >> 15)) * 0x735A2D97) % 2**32
    return x ^ (x >> 15)


def hash_of(*names):
    state = 0x9E3779B9
    for name in names:
        state = mix(state ^ mix((name + 0x85EBCA6B) % 2**32))
    return state


def random_masks(q, k, *, prompt, tokens=None, sparsity=None, block=16, seed=0, phase="decode"):
    keys = k.shape[1]
    pages, budget = pages_of(keys, block), share_of(sparsity, tokens, prompt, keys)
    always = {0, max(0, len(pages) - 2)}
    return [
        mask_of(
            keys,
            counted_pages([hash_of(seed, 0, head, keys, page) for page in range(len(pages))], pages, budget, always),
        )
        for head in range(len(q))
    ]


def oracle_masks(q, k, *, prompt, tokens=None, sparsity=None, block=16, unit="token", phase="decode"):
    keys, group = k.shape[1], len(q) // len(k)
    budget, masks = share_of(sparsity, tokens, prompt, keys), []
    for head in range(len(q)):
        weights = (k[head // group].double() @ q[head, 0].double() * SCALE).softmax(0)
        if unit == "token":
            masks.append(mask_of(keys, best(weights, max(1, budget))))
            continue
        pages = pages_of(keys, block)
        order = best([float(weights[page].mean()) for page in pages], len(pages))
        read = list(pages[order[0]])
        for page in order[1:]:
            if abs(len(read) + len(pages[page]) - budget) > abs(len(read) - budget):
                break
            read += pages[page]
        masks.append(mask_of(keys, read))
    return masks


# Tokens that stay in the cache after the prompt -----------------------------------------------------------------------


def window_weights(q, k, window):
    """Attention of the last `window` rows of each query head, `[Hq, w, S]`."""
    rows, keys = min(window, q.shape[1]), k.shape[1]
    later = torch.arange(keys) > (torch.arange(rows) + keys - rows)[:, None]
    found = []
    for head in range(len(q)):
        scores = q[head, -rows:].double() @ k[head // (len(q) // len(k))].double().T * SCALE
        found.append(scores.masked_fill(later, -math.inf).softmax(-1))
    return torch.stack(found)


def smoothed(scores, kernel):
    """Each score averaged over the `kernel` around it, with zeros beyond the ends."""
    half = kernel // 2
    wide = [0.0] * half + scores.tolist() + [0.0] * half
    return torch.tensor([sum(wide[i : i + kernel]) / kernel for i in range(len(scores))], dtype=torch.float64)


def with_ends(scores):
    scores = scores.clone()
    scores[:4] = scores[-128:] = math.inf
    return scores


def snapkv_masks(q, k, *, window=256, kernel=21, tokens=None, sparsity=None):
    keys, group = k.shape[1], len(q) // len(k)
    count, weights = share_of(sparsity, tokens, keys, keys), window_weights(q, k, window)
    masks = []
    for kv in range(len(k)):
        summed = weights[kv * group : (kv + 1) * group].mean(0).sum(0)
        masks.append(mask_of(keys, best(with_ends(smoothed(summed, kernel)), count)))
    return masks


def ada_snapkv_masks(q, k, *, window=256, kernel=21, min_share=0.2, tokens=None, sparsity=None):
    keys, group = k.shape[1], len(q) // len(k)
    count, weights = share_of(sparsity, tokens, keys, keys), window_weights(q, k, window)
    scores = [with_ends(smoothed(weights[kv * group : (kv + 1) * group].amax((0, 1)), kernel)) for kv in range(len(k))]
    least = min(keys, max(int(min_share * count), 132))
    kept = {(kv, token) for kv in range(len(k)) for token in best(scores[kv], least)}
    rest = [(-float(scores[kv][t]), kv, t) for kv in range(len(k)) for t in range(keys) if (kv, t) not in kept]
    kept |= {(kv, token) for _, kv, token in sorted(rest)[: max(0, count * len(k) - len(kept))]}
    return [mask_of(keys, {token for kv, token in kept if kv == head}) for head in range(len(k))]


def mean_attention(q, k, held):
    group = len(q) // len(k)
    rows = [(k[h // group].double() @ q[h, 0].double() * SCALE).masked_fill(~held, -math.inf) for h in range(len(q))]
    return torch.stack([row.softmax(0) for row in rows]).mean(0)


def tova_masks(q, k, *, tokens=None, sparsity=None):
    keys = k.shape[1]
    attention = mean_attention(q[:, -1:], k, torch.ones(keys, dtype=torch.bool))
    return [mask_of(keys, best(attention, share_of(sparsity, tokens, keys, keys)))] * len(k)


# The comparisons ------------------------------------------------------------------------------------------------------


def name_of(case):
    return "-".join([case[0], *(f"{name}={value}" for name, value in case[1].items())])


DECODE = {"quest": quest_masks, "random": random_masks, "oracle": oracle_masks}
PHASE = {"phase": "decode"}
LONG = [("quest", {"share_pages": shared, "sparsity": s}) for shared in (True, False) for s in (0.5, 0.9)]
LONG += [("random", {**PHASE, "sparsity": s}) for s in (0.5, 0.9)]
LONG += [("oracle", {**PHASE, "unit": unit, "sparsity": s}) for unit in ("token", "block") for s in (0.5, 0.9)]
SHORT = [
    ("quest", {"tokens": 64}),
    ("quest", {"tokens": 40, "page": 8, "share_pages": False}),
    ("random", {**PHASE, "tokens": 64}),
    ("random", {**PHASE, "tokens": 96, "block": 32, "seed": 3}),
    ("oracle", {**PHASE, "tokens": 30}),
    ("oracle", {**PHASE, "tokens": 30, "unit": "block"}),
]
EVICT = {"snapkv": snapkv_masks, "ada_snapkv": ada_snapkv_masks, "tova": tova_masks}
LONG_EVICT = [(name, {"sparsity": s}) for name in EVICT for s in (0.5, 0.9)]
SHORT_EVICT = [
    ("snapkv", {"tokens": 150, "window": 16, "kernel": 5}),
    ("ada_snapkv", {"tokens": 140, "min_share": 1.0}),
    ("ada_snapkv", {"tokens": 200, "window": 64, "kernel": 7, "min_share": 0.0}),
    ("tova", {"tokens": 20}),
]


def compare(q, k, v, plan, masks, unmasked, masked):
    """Whether the plan is these masks, and whether attention over it is what float64 makes of them."""
    seen = plan.mask(0, 1)[0, :, 0].repeat_interleave(len(q) // plan.mask(0, 1).shape[1], 0)
    out, _ = attention(q[None], k[None], v[None], plan, scale=SCALE, provider="torch")
    for head in range(len(q)):
        kv = head // (len(q) // len(k))
        mask = masks[head * len(masks) // len(q)]
        assert torch.equal(seen[head], mask)
        exact = masked(unmasked(q[head], k[kv], SCALE), mask, v[kv])
        torch.testing.assert_close(out[0, head].double(), exact, atol=1e-5, rtol=0)


@pytest.mark.parametrize("case", LONG, ids=name_of)
def test_a_generated_token_reads_what_the_definition_says(case, planted, unmasked, masked):
    name, parameters = case
    q, k, v = (x[0] for x in planted(1, 4, 2, 1, 4101))  # five tokens after a prompt of 4096
    plan = get_backend(name, **parameters).plan(q[None], k[None], scale=SCALE, prompt=4096)
    compare(q, k, v, plan, DECODE[name](q, k, prompt=4096, **parameters), unmasked, masked)
    read = plan.computed().double() / 4096
    assert read.flatten().tolist() == pytest.approx([1 - parameters["sparsity"]] * read.numel(), rel=0.02)


@pytest.mark.parametrize("keys", [2, 15, 16, 17, 63, 64, 65, 200])
@pytest.mark.parametrize("case", SHORT, ids=name_of)
def test_short_caches_are_read_as_the_definition_says(case, keys, planted, unmasked, masked):
    name, parameters = case
    q, k, v = (x[0] for x in planted(1, 4, 2, 1, keys, seed=keys))
    plan = get_backend(name, **parameters).plan(q[None], k[None], scale=SCALE, prompt=keys - 1)
    compare(q, k, v, plan, DECODE[name](q, k, prompt=keys - 1, **parameters), unmasked, masked)


@pytest.mark.parametrize("case", LONG_EVICT, ids=name_of)
def test_a_prompt_leaves_what_the_definition_says(case, planted, unmasked, masked):
    name, parameters = case
    q, k, v = (x[0] for x in planted(1, 4, 2, 4096, 4096))
    plan = get_backend(name, **parameters).plan(q[None], k[None], scale=SCALE, prompt=4096)
    compare(q[:, -1:], k, v, plan, EVICT[name](q, k, **parameters), unmasked, masked)
    kept = plan.computed().double() / 4096
    assert float(kept.mean()) == pytest.approx(1 - parameters["sparsity"], rel=0.02)
    if name == "ada_snapkv":
        assert float(kept.max() - kept.min()) > 0.05  # the heads of this example differ
    else:
        assert kept.flatten().tolist() == pytest.approx([1 - parameters["sparsity"]] * kept.numel(), rel=0.02)


@pytest.mark.parametrize("keys", [1, 2, 131, 132, 133, 300])
@pytest.mark.parametrize("case", SHORT_EVICT, ids=name_of)
def test_short_prompts_leave_what_the_definition_says(case, keys, planted, unmasked, masked):
    name, parameters = case
    q, k, v = (x[0] for x in planted(1, 4, 2, keys, keys, seed=keys))
    plan = get_backend(name, **parameters).plan(q[None], k[None], scale=SCALE, prompt=keys)
    compare(q[:, -1:], k, v, plan, EVICT[name](q, k, **parameters), unmasked, masked)


def test_tova_drops_one_token_a_step(planted):
    q, k, _ = (x[0] for x in planted(1, 4, 2, 60, 60, seed=5))
    backend = get_backend("tova", tokens=12)
    held = backend.plan(q[None, :, :40], k[None, :, :40], scale=SCALE, prompt=40).mask(0, 1)[0, :, 0]
    expected = tova_masks(q[:, :40], k[:, :40], tokens=12)[0]
    for newest in range(40, 60):
        held = torch.nn.functional.pad(held, (0, 1), value=True)
        expected = torch.nn.functional.pad(expected, (0, 1), value=True)
        step = q[:, newest : newest + 1], k[:, : newest + 1]
        after = backend.evict_step(*step, held, scale=SCALE, prompt=40)
        weights = mean_attention(*step, expected)
        least = min((token for token in range(newest + 1) if expected[token]), key=lambda t: (float(weights[t]), -t))
        expected[least] = False
        held = after
        assert torch.equal(held, expected.expand(2, -1)) and int(held[0].sum()) == 12


def test_rows_of_a_batch_are_ranked_on_their_own(planted):
    q, k, _ = planted(3, 4, 2, 400, 400)
    for name, parameters in SHORT_EVICT + SHORT:
        backend = get_backend(name, **parameters)
        last = q if backend.phase == "evict" else q[:, :, -1:]
        together = backend.plan(last, k, scale=SCALE, prompt=399).mask(0, 1)
        for row in range(3):
            alone = backend.plan(last[row : row + 1], k[row : row + 1], scale=SCALE, prompt=399).mask(0, 1)
            assert torch.equal(together[row : row + 1], alone), name
