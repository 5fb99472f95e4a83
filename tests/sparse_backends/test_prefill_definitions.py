"""Prefill methods against slow float64 code that was written from their definitions alone: loops over rows and blocks.

Each `*_mask` function says which keys each query row of one head sees, `[T, S]` bool; `q` `[T, D]` is of the last T
of S positions.
"""

import itertools
import math

import pytest
import torch

from nl_tasks.kernels.attention import attention
from nl_tasks.sparse_backends import get_backend

SCALE = 0.25  # 16**-0.5
BLOCK = 64  # rows that share the block of a diagonal


def full_entries(queries, keys):
    return sum(range(keys - queries + 1, keys + 1))


def causal(queries, keys):
    return torch.arange(keys) <= (torch.arange(queries) + keys - queries)[:, None]


def probabilities(q, k):
    scores = q.double() @ k.double().T * SCALE
    return scores.masked_fill(~causal(len(q), len(k)), -math.inf).softmax(-1)


def best(scores, count, forced=()):
    """The forced indices, then the highest scores (the lower index of equals) until there are `count`."""
    others = sorted(set(range(len(scores))) - set(forced), key=lambda i: (-float(scores[i]), i))
    return set(forced) | set(others[: max(0, count - len(forced))])


def nearest(entries, target, low, high):
    """The whole number whose growing `entries` is nearest to `target`, the lower of equals."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if entries(middle) <= target else (low, middle)
    return low if target - entries(low) <= entries(high) - target else high


# vertical_slash and flexprefill ---------------------------------------------------------------------------------------


def line_scores(q, k, window):
    """Attention of the last `window` rows by key (columns) and by distance (diagonals)."""
    keys = len(k)
    weights = probabilities(q, k)[-window:]
    columns, diagonals = weights.sum(0), torch.zeros(keys, dtype=torch.float64)
    for row, position in zip(weights, range(keys - len(weights), keys)):
        diagonals[: position + 1] += row[: position + 1].flip(0)
    return columns, diagonals


def line_blocks(queries, keys, columns, distances):
    """For each block of rows: its first and last (excluded) row, and the keys in its lines, causality aside."""
    relative = torch.zeros(keys + BLOCK, dtype=torch.bool)  # entry i: the key i - keys from the block's first position
    for d in distances:
        relative[keys - d : keys - d + BLOCK] = True
    for start in range(0, queries, BLOCK):
        seen = torch.zeros(keys, dtype=torch.bool)
        near = relative[queries - start :][:keys]
        seen[: len(near)] = near
        seen[columns] = True
        yield start, min(start + BLOCK, queries), seen


def line_mask(queries, keys, columns, distances):
    mask = torch.zeros(queries, keys, dtype=torch.bool)
    for start, stop, seen in line_blocks(queries, keys, columns, distances):
        mask[start:stop] = seen
    return mask & causal(queries, keys)


def line_entries(queries, keys, columns, distances):
    """Entries of `line_mask`, in a fraction of the time."""
    total = 0
    for start, stop, seen in line_blocks(queries, keys, columns, distances):
        rows_that_reach = (keys - queries + stop - torch.arange(keys)).clamp(0, stop - start)
        total += int(rows_that_reach[seen].sum())
    return total


def ranking(scores, forced):
    """All lines in the order in which they are kept."""
    order = sorted(range(len(scores)), key=lambda i: (i >= forced, -float(scores[i]) if i >= forced else 0, i))
    return order


def ranked_lines(q, k, window):
    found = []
    for head in range(len(q)):
        columns, diagonals = line_scores(q[head], k[head], window)
        found.append((ranking(columns, 4), ranking(diagonals, 64), columns, diagonals))
    return found


def vertical_slash_masks(q, k, *, window=256, verticals=None, slashes=None, sparsity=None):
    queries, keys = q.shape[1], k.shape[1]
    orders = [(columns, diagonals) for columns, diagonals, _, _ in ranked_lines(q, k, window)]

    def of(verticals, slashes, make=line_mask):
        return [make(queries, keys, c[: max(4, verticals)], d[: max(64, slashes)]) for c, d in orders]

    if sparsity is None:
        return of(verticals, slashes)
    target = round((1 - sparsity) * full_entries(queries, keys))
    size = nearest(lambda n: sum(of(n, n, line_entries)) / len(q), target, 4, keys)
    return of(size, size)


def covering(order, scores, alpha, least):
    """How many lines in this order reach the share `alpha` of the whole, at least `least`."""
    if alpha <= 0 or alpha >= 1:
        return max(least, len(order) if alpha > 0 else 0)
    upto = scores[torch.tensor(order)].cumsum(0)
    return max(least, int((upto < alpha * upto[-1]).sum()) + 1)


def flexprefill_masks(q, k, *, window=256, alpha=None, min_budget=None, sparsity=None):
    queries, keys = q.shape[1], k.shape[1]
    lines = ranked_lines(q, k, window)

    def of(alpha, least, make=line_mask):
        return [
            make(
                queries,
                keys,
                columns[: max(4, covering(columns, c_scores, alpha, least))],
                diagonals[: max(64, covering(diagonals, d_scores, alpha, least))],
            )
            for columns, diagonals, c_scores, d_scores in lines
        ]

    def entries(alpha, least):
        return sum(of(alpha, least, line_entries)) / len(q)

    if sparsity is None:
        return of(alpha, min_budget)
    target = round((1 - sparsity) * full_entries(queries, keys))
    if entries(0, 512) > target:
        return of(0, nearest(lambda n: entries(0, n), target, 4, 512))
    # Between two neighbours of these shares, alpha makes no difference.
    shares = set()
    for columns, diagonals, c_scores, d_scores in lines:
        for order, scores in ((columns, c_scores), (diagonals, d_scores)):
            upto = scores[torch.tensor(order)].cumsum(0)
            shares |= set((upto / upto[-1]).tolist())
    steps = [0.0, *sorted(shares)]
    middles = [0.0, *((a + b) / 2 for a, b in itertools.pairwise(steps))]
    return of(middles[nearest(lambda i: entries(middles[i], 512), target, 0, len(middles) - 1)], 512)


# block_sparse, random, xattention -------------------------------------------------------------------------------------


def query_blocks(queries, keys, block):
    """For each query block: its rows, the block of its first position, the last block that its last row may see."""
    for start in range(0, queries, block):
        stop = min(start + block, queries)
        yield start, stop, (keys - queries + start) // block, (keys - queries + stop - 1) // block


def block_mask(queries, keys, block, chosen):
    mask = torch.zeros(queries, keys, dtype=torch.bool)
    for (start, stop, _, _), blocks in zip(query_blocks(queries, keys, block), chosen):
        for c in blocks:
            mask[start:stop, c * block : (c + 1) * block] = True
    return mask & causal(queries, keys)


def forced_blocks(own, last, before=1):
    return {0} | set(range(max(0, own - before), last + 1))


def uniform_counts(queries, keys, block, sparsity):
    """Blocks a query block: floor(m (r + 1)) - floor(m r), with m found by halving 1 .. number of key blocks."""
    target = round((1 - sparsity) * full_entries(queries, keys))
    rows = list(query_blocks(queries, keys, block))

    def counts(mean):
        return [math.floor(mean * (r + 1)) - math.floor(mean * r) for r in range(len(rows))]

    def entries(mean):
        total = 0
        for (start, stop, own, last), count in zip(rows, counts(mean)):
            kept = min(max(count, len(forced_blocks(own, last))), last + 1)
            near = sum(keys - queries + row + 1 - own * block for row in range(start, stop))
            total += near + (kept - (last - own + 1)) * (stop - start) * block
        return total

    low, high = 1.0, float(math.ceil(keys / block))
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if entries(middle) <= target else (low, middle)
    return counts(low if abs(entries(low) - target) <= abs(entries(high) - target) else high)


def counted_blocks(queries, keys, block, counts, score):
    chosen = []
    for r, (_, _, own, last) in enumerate(query_blocks(queries, keys, block)):
        chosen.append(best(score(r)[: last + 1], min(counts[r], last + 1), forced_blocks(own, last)))
    return block_mask(queries, keys, block, chosen)


def block_sparse_masks(q, k, *, block=16, top_blocks=None, sparsity=None):
    queries, keys = q.shape[1], k.shape[1]
    rows = math.ceil(queries / block)
    counts = [top_blocks] * rows if sparsity is None else uniform_counts(queries, keys, block, sparsity)
    masks = []
    for head in range(len(q)):
        means = torch.stack([part.double().mean(0) for part in k[head].split(block)])
        firsts = [part.double().mean(0) for part in q[head].split(block)]
        masks.append(counted_blocks(queries, keys, block, counts, lambda r: means @ firsts[r]))  # noqa: B023
    return masks


def mix(x):
    x = ((x ^ (x >> 16)) * 0x21F0AAAD) % 2**32
    x = ((x ^ (x >> 15)) * 0x735A2D97) % 2**32
    return x ^ (x >> 15)


def hash_of(*names):
    state = 0x9E3779B9
    for name in names:
        state = mix(state ^ mix((name + 0x85EBCA6B) % 2**32))
    return state


def random_masks(q, k, *, block=16, tokens=None, sparsity=None, seed=0, layer=0):
    queries, keys = q.shape[1], k.shape[1]
    rows = math.ceil(queries / block)
    counts = [tokens // block] * rows if sparsity is None else uniform_counts(queries, keys, block, sparsity)
    masks = []
    for head in range(len(q)):

        def score(r, head=head):
            return [hash_of(seed, layer, head, r, c) for c in range(math.ceil(keys / block))]

        masks.append(counted_blocks(queries, keys, block, counts, score))
    return masks


def antidiagonal_mass(q, k, block, stride):
    """Estimated attention of each query block to each key block of one head."""
    queries, keys, dim = len(q), len(k), q.shape[1]
    rows, columns = math.ceil(queries / block), math.ceil(keys / block)
    wide_q = torch.zeros(rows * block, dim, dtype=torch.float64)
    wide_q[:queries] = q
    wide_k = torch.zeros(columns * block, dim, dtype=torch.float64)
    wide_k[:keys] = k
    scores = torch.zeros(rows * block // stride, columns * block // stride, dtype=torch.float64)
    for i in range(stride):
        scores += wide_q[i::stride] @ wide_k[stride - 1 - i :: stride].T
    scores = scores * SCALE / stride
    mass = torch.zeros(rows, columns, dtype=torch.float64)
    for group in range(math.ceil(queries / stride)):
        end = min(group * stride + stride - 1 + keys - queries, keys - 1)
        weights = torch.zeros(scores.shape[1], dtype=torch.float64)
        weights[: end // stride + 1] = scores[group, : end // stride + 1].softmax(0)
        mass[group * stride // block] += weights.view(columns, -1).sum(1)
    return mass


def xattention_masks(q, k, *, block=128, stride=8, threshold=None, sparsity=None):
    queries, keys = q.shape[1], k.shape[1]
    rows = list(query_blocks(queries, keys, block))
    orders, forced_entries = [], 0  # for each head and row: (share held before it, block), in order
    for head in range(len(q)):
        mass = antidiagonal_mass(q[head], k[head], block, stride)
        for r, (start, stop, own, last) in enumerate(rows):
            sure = forced_blocks(own, last, before=0)
            held, order = sum(float(mass[r, c]) for c in sure), []
            for c in sorted(set(range(last + 1)) - sure, key=lambda c: (-float(mass[r, c]), c)):
                order.append((held / float(mass[r].sum()), c))
                held += float(mass[r, c])
            orders.append((order, sure, stop - start))
            seen = [(c * block, min((c + 1) * block, keys)) for c in sure]
            for row in range(start, stop):
                forced_entries += sum(max(0, min(b, keys - queries + row + 1) - a) for a, b in seen)
    if sparsity is not None:
        target = round((1 - sparsity) * full_entries(queries, keys)) * len(q)
        steps = sorted({share for order, _, _ in orders for share, _ in order})

        def entries(i):  # with a threshold just above the i-th share
            kept = sum(size * block for order, _, size in orders for share, _ in order if i and share <= steps[i - 1])
            return forced_entries + kept

        i = nearest(entries, target, 0, len(steps))
        threshold = 0 if i == 0 else math.nextafter(steps[i - 1], math.inf)
    chosen = [sure | {c for share, c in order if share < threshold or threshold >= 1} for order, sure, _ in orders]
    return [
        block_mask(queries, keys, block, chosen[head * len(rows) : (head + 1) * len(rows)]) for head in range(len(q))
    ]


# streaming, oracle ----------------------------------------------------------------------------------------------------


def streaming_masks(q, k, *, sinks=4, window=None, sparsity=None):
    queries, keys = q.shape[1], k.shape[1]
    distance = (torch.arange(queries) + keys - queries)[:, None] - torch.arange(keys)

    def of(window):
        return ((distance < window) | (torch.arange(keys) < sinks)) & (distance >= 0)

    if sparsity is not None:
        target = round((1 - sparsity) * full_entries(queries, keys))
        window = nearest(lambda w: int(of(w).sum()), target, 1, keys)
    return [of(window)] * len(q)


def allowance(queries, keys, tokens, sparsity):
    if sparsity is not None:
        return round((1 - sparsity) * full_entries(queries, keys))
    return sum(min(tokens, position + 1) for position in range(keys - queries, keys))


def oracle_masks(q, k, *, unit="token", block=16, tokens=None, sparsity=None):
    queries, keys = q.shape[1], k.shape[1]
    allowed, masks = allowance(queries, keys, tokens, sparsity), []
    for head in range(len(q)):
        weights = probabilities(q[head], k[head])
        if unit == "token":
            mask = torch.zeros(queries, keys, dtype=torch.bool)
            mask[torch.arange(queries), weights.argmax(1)] = True
            rest = weights.masked_fill(mask, -1).flatten().topk(max(0, allowed - queries)).indices
            mask.view(-1)[rest] = True
            masks.append(mask & causal(queries, keys))
            continue
        rows = list(query_blocks(queries, keys, block))
        chosen = [set(range(own, last + 1)) for _, _, own, last in rows]
        left = allowed - sum(keys - queries + row + 1 - own * block for a, b, own, _ in rows for row in range(a, b))
        shares = []
        for r, (start, stop, own, _) in enumerate(rows):
            for c in range(own):
                inside = weights[start:stop, c * block : (c + 1) * block]
                shares.append((-float(inside.sum()) / inside.numel(), r, c, inside.numel()))
        for _, r, c, size in sorted(shares):
            left -= size
            if left < 0:
                break
            chosen[r].add(c)
        masks.append(block_mask(queries, keys, block, chosen))
    return masks


# The comparisons ------------------------------------------------------------------------------------------------------

MASKS = {
    "vertical_slash": vertical_slash_masks,
    "flexprefill": flexprefill_masks,
    "block_sparse": block_sparse_masks,
    "xattention": xattention_masks,
    "streaming": streaming_masks,
    "random": random_masks,
    "oracle": oracle_masks,
}
SLACK = {"vertical_slash": 0.05, "flexprefill": 0.05, "xattention": 0.05}  # the others: 0.02


def name_of(case):
    return "-".join([case[0], *(f"{name}={value}" for name, value in case[1].items())])


LONG = [(name, {"sparsity": s}) for name in MASKS for s in (0.5, 0.9)]
LONG += [("oracle", {"unit": "block", "sparsity": s}) for s in (0.5, 0.9)]
SHORT = [
    ("vertical_slash", {"verticals": 20, "slashes": 90, "window": 33}),
    ("vertical_slash", {"sparsity": 0.3}),
    ("flexprefill", {"alpha": 0.6, "min_budget": 10}),
    ("flexprefill", {"alpha": 1.0, "min_budget": 10}),
    ("flexprefill", {"alpha": 0.0, "min_budget": 70}),
    ("block_sparse", {"top_blocks": 5}),
    ("block_sparse", {"top_blocks": 3, "block": 32}),
    ("block_sparse", {"sparsity": 0.5, "block": 64}),
    ("xattention", {"threshold": 0.7, "block": 32, "stride": 4}),
    ("xattention", {"threshold": 0.0}),
    ("xattention", {"threshold": 0.95, "block": 64, "stride": 16}),
    ("xattention", {"sparsity": 0.4, "block": 16}),
    ("streaming", {"window": 50, "sinks": 3}),
    ("streaming", {"window": 7, "sinks": 0}),
    ("random", {"tokens": 70}),
    ("random", {"sparsity": 0.5, "block": 32, "seed": 9}),
    ("oracle", {"tokens": 60}),
    ("oracle", {"tokens": 100, "unit": "block", "block": 32}),
]
SHAPES = [(333, 333), (130, 333), (1, 1), (2, 2), (63, 63), (64, 64), (65, 65)]


def outputs(backend, q, k, v):
    plan = backend.plan(q, k, scale=SCALE)
    out, _ = attention(q, k, v, plan, scale=SCALE, provider="torch")
    return plan, out


@pytest.fixture(scope="module")
def long_inputs(planted, unmasked):
    q, k, v = planted(1, 2, 1, 4096, 4096)
    return q, k, v, [unmasked(q[0, head], k[0, 0], SCALE) for head in range(2)]


def settled(plan, masks, q, k):
    """The oracle's masks with the plan's choice among entries whose probabilities are equal in float32."""
    for head, mask in enumerate(masks):
        logp = probabilities(q[head], k[head]).log()
        differ = plan.mask(0, plan.queries)[0, head] ^ mask
        edge = logp[differ]
        assert len(edge) < 10 and (not len(edge) or float(edge.max() - edge.min()) < 1e-5)
        mask ^= differ
    return masks


@pytest.mark.parametrize("case", LONG, ids=name_of)
def test_long_prompt_equals_the_definition(case, long_inputs, masked):
    name, parameters = case
    q, k, v, weights = long_inputs
    plan, out = outputs(get_backend(name, **parameters), q, k, v)
    masks = MASKS[name](q[0], k[0].expand(2, -1, -1), **parameters)
    if name == "oracle" and "unit" not in parameters:
        masks = settled(plan, masks, q[0], k[0].expand(2, -1, -1))
    for head, mask in enumerate(masks):
        exact = masked(weights[head], mask, v[0, 0])
        torch.testing.assert_close(out[0, head].double(), exact, atol=1e-4, rtol=0)
    asked = 1 - parameters["sparsity"]
    measured = plan.density()
    expected = torch.stack([mask.sum() for mask in masks]).double() / full_entries(4096, 4096)
    torch.testing.assert_close(measured.expand(1, 2)[0], expected, atol=1e-6, rtol=0)
    assert float(measured.mean()) == pytest.approx(asked, rel=SLACK.get(name, 0.02))
    if name not in SLACK:
        assert measured.tolist() == [pytest.approx([asked] * measured.shape[1], rel=0.02)]


@pytest.mark.parametrize("case", SHORT, ids=name_of)
@pytest.mark.parametrize("queries,keys", SHAPES)
def test_short_prompts_and_chunks_equal_the_definition(case, queries, keys, planted, unmasked, masked):
    name, parameters = case
    backend = get_backend(name, **parameters)
    if backend.sparsity and backend.floor(queries, keys) > (1 - backend.sparsity) * full_entries(queries, keys):
        with pytest.raises(ValueError, match="works from"):
            backend.plan(*planted(1, 4, 2, queries, keys)[:2], scale=SCALE)
        return
    q, k, v = planted(2, 4, 2, queries, keys, seed=1)
    plan, out = outputs(backend, q, k, v)
    seen = plan.mask(0, queries).expand(len(q), -1, -1, -1)
    for row in range(len(q)):
        masks = MASKS[name](q[row], k[row].repeat_interleave(2, 0), **parameters)
        for head, mask in enumerate(masks):
            differ = int((seen[row, head * seen.shape[1] // 4] ^ mask).sum())
            assert differ == 0
            exact = masked(unmasked(q[row, head], k[row, head // 2], SCALE), mask, v[row, head // 2])
            torch.testing.assert_close(out[row, head].double(), exact, atol=1e-5, rtol=0)
