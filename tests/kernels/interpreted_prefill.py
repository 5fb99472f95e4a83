"""Prefill kernels and estimators against torch and the float64 reference; run by `test_interpreter.py`."""

import os

import pytest
import torch
import triton
import triton.language as tl

from nl_tasks.bench_head_by_head import AS_REFERENCE, head_by_head
from nl_tasks.kernels import devices, triton_antidiagonals, triton_block_sparse, triton_support, triton_vertical_slash
from nl_tasks.kernels.alpha_search import STEPS, covering_sizes_torch
from nl_tasks.kernels.antidiagonals import block_mass_torch
from nl_tasks.kernels.attention import attention
from nl_tasks.kernels.attention_mass import attention_mass_torch
from nl_tasks.kernels.band_index import BandIndex
from nl_tasks.kernels.band_rank import band_rank_torch
from nl_tasks.kernels.band_split import band_split_torch
from nl_tasks.kernels.block_means import block_means_torch
from nl_tasks.kernels.block_sparse import block_sparse_attention
from nl_tasks.kernels.column_blocks import column_blocks, column_blocks_torch
from nl_tasks.kernels.compact import compact_torch, expand_torch
from nl_tasks.kernels.fa4_vertical_slash import split_bands
from nl_tasks.kernels.line_entries import line_entries
from nl_tasks.kernels.line_lists import line_lists_torch
from nl_tasks.kernels.line_search import nearest_size_torch
from nl_tasks.kernels.line_sums import line_sums_torch
from nl_tasks.kernels.plan import BlockPlan, VerticalSlashPlan
from nl_tasks.kernels.reference import reference_attention
from nl_tasks.kernels.threshold_search import STEPS as THRESHOLDS
from nl_tasks.kernels.threshold_search import covering_blocks_torch
from nl_tasks.kernels.triton_alpha_search import covering_sizes_triton
from nl_tasks.kernels.triton_antidiagonals import block_mass_triton
from nl_tasks.kernels.triton_attention_mass import attention_mass_triton
from nl_tasks.kernels.triton_band_rank import band_rank_triton
from nl_tasks.kernels.triton_band_split import band_split_triton
from nl_tasks.kernels.triton_block_means import block_means_triton
from nl_tasks.kernels.triton_block_sparse import block_sparse_triton
from nl_tasks.kernels.triton_column_blocks import column_blocks_triton
from nl_tasks.kernels.triton_compact import compact_triton
from nl_tasks.kernels.triton_expand import expand_triton
from nl_tasks.kernels.triton_line_entries import ROWS, STEP, WIDTH, residue_entries
from nl_tasks.kernels.triton_line_lists import line_lists_triton
from nl_tasks.kernels.triton_line_search import nearest_size_triton
from nl_tasks.kernels.triton_line_sums import line_sums_triton
from nl_tasks.kernels.triton_pick_blocks import pick_blocks_triton
from nl_tasks.kernels.triton_support import Tile
from nl_tasks.kernels.triton_threshold_search import covering_blocks_triton
from nl_tasks.kernels.triton_vertical_slash import vertical_slash_triton, walk
from nl_tasks.kernels.window_scores import window_scores, window_scores_torch
from nl_tasks.sparse_backends import blocks, parse_backend

TOLERANCE = {torch.float32: 5e-6, torch.float16: 4e-3}


@pytest.fixture(autouse=True)
def poisoned(monkeypatch):
    """Outputs begin as NaN: what a kernel does not write shows."""
    torch.manual_seed(0)
    torch.set_num_threads(1)

    def outputs(q):
        return torch.full(q.shape, torch.nan, dtype=q.dtype), torch.full(q.shape[:-1], torch.nan)

    monkeypatch.setattr(triton_block_sparse, "empty_outputs", outputs)
    monkeypatch.setattr(triton_vertical_slash, "empty_outputs", outputs)


def test_kernels_run_interpreted():
    assert os.environ["TRITON_INTERPRET"] == "1"
    assert triton_support.can_run(torch.zeros(1))


def inputs(batch, heads, kv_heads, queries, keys, dim, dtype=torch.float32):
    q = torch.randn(batch, queries, heads, dim).to(dtype).transpose(1, 2)  # as models hand it over
    return q, torch.randn(batch, kv_heads, keys, dim).to(dtype), torch.randn(batch, kv_heads, keys, dim).to(dtype)


def listed(mask):
    return compact_torch(mask, max(1, int(mask.sum(-1).max())), 0)


def block_plan(batch, heads, queries, keys, rows, columns):
    """Random lists: the first is empty, the last full."""
    blocks, across = -(-queries // rows), -(-keys // columns)
    last = ((torch.arange(blocks) + 1) * rows).clamp(max=queries) - 1 + keys - queries
    mask = torch.rand(batch, heads, blocks, across) < 0.4
    mask[:, :, 0], mask[:, :, -1] = False, True
    return BlockPlan(queries, keys, rows, columns, *listed(mask & (torch.arange(across) * columns <= last[:, None])))


def line_plan(batch, heads, queries, keys, block):
    columns = listed(torch.rand(batch, heads, keys) < 0.3)
    starts = torch.tensor([-190, -73, -30]).expand(batch, heads, 3).int()
    ends = torch.tensor([-80, -72, block]).expand(batch, heads, 3).int()
    bands = torch.full((batch, heads), 3, dtype=torch.int32)
    bands[0, 0] = 1  # rows of this head may see nothing
    return VerticalSlashPlan(queries, keys, block, *columns, starts, ends, bands)


def agree(found, q, k, v, plan):
    expected, expected_lse = reference_attention(q, k, v, plan, scale=0.3)
    out, lse = found
    torch.testing.assert_close(out.double(), expected.nan_to_num(), atol=TOLERANCE[q.dtype], rtol=1e-3)
    torch.testing.assert_close(lse.double(), expected_lse, atol=TOLERANCE[q.dtype], rtol=1e-3)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    "shape,blocks,tile",
    [
        ((2, 4, 2, 45, 45, 16), (16, 16), None),
        ((1, 4, 1, 40, 77, 24), (32, 16), Tile(64, 32, 4, 2)),  # heads of a group stacked, steps of two blocks
        ((1, 2, 1, 150, 150, 16), (64, 64), Tile(64, 32, 4, 2, descriptors=True)),  # half a block a step
        ((1, 1, 1, 1, 130, 16), (128, 64), None),
        ((1, 1, 1, 1, 1, 16), (16, 32), None),
    ],
    ids=str,
)
def test_block_sparse(shape, blocks, tile, dtype):
    q, k, v = inputs(*shape, dtype)
    for heads in sorted({shape[1], shape[2]}):  # lists of query heads, or shared by a group
        plan = block_plan(shape[0], heads, *shape[3:5], *blocks)
        agree(block_sparse_triton(q, k, v, plan, scale=0.3, tile=tile), q, k, v, plan)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    "shape,block,rows",
    [
        ((1, 2, 1, 200, 200, 16), 64, 64),
        ((2, 2, 2, 65, 130, 24), 64, 64),
        ((1, 2, 1, 200, 200, 16), 64, 128),  # a tile of two blocks, whose bands differ
        ((1, 2, 1, 40, 100, 16), 1, 32),  # exact diagonals
        ((1, 1, 1, 150, 150, 16), 128, 32),  # a block of four tiles
        ((1, 1, 1, 1, 1, 16), 64, 64),
    ],
    ids=str,
)
def test_vertical_slash(shape, block, rows, dtype):
    q, k, v = inputs(*shape, dtype)
    plan = line_plan(shape[0], shape[1], *shape[3:5], block)
    agree(vertical_slash_triton(q, k, v, plan, scale=0.3, tile=Tile(rows, 32, 4, 2, True)), q, k, v, plan)


@pytest.mark.parametrize("tile", [AS_REFERENCE, None], ids=["as the reference", "own kernels"])
def test_head_by_head_is_the_attention_of_all_heads_at_once(tile):
    q, k, v = inputs(1, 4, 2, 200, 200, 16)
    backend = parse_backend("vertical_slash:verticals=70,slashes=70,window=32")
    plan = backend.plan(q, k, scale=0.25)
    expected = reference_attention(q, k, v, plan, scale=0.25)[0]
    torch.testing.assert_close(head_by_head(backend, q, k, v, 70, tile).double(), expected, atol=5e-6, rtol=1e-3)


def test_negative_scale():
    q, k, v = inputs(1, 1, 1, 40, 40, 16)
    plan = block_plan(1, 1, 40, 40, 16, 16)
    found = block_sparse_triton(q, k, v, plan, scale=-0.3)[0]
    expected = reference_attention(q, k, v, plan, scale=-0.3)[0].nan_to_num()
    torch.testing.assert_close(found.double(), expected, atol=5e-6, rtol=1e-3)


@pytest.mark.parametrize("queries,keys", [(300, 300), (100, 228), (1, 129)])
def test_bands_split_between_two_kernels(queries, keys):
    """What FlashAttention-4 would compute, by the torch kernel, and the Triton kernel going on from it."""
    q, k, v = inputs(1, 2, 1, queries, keys, 16)
    plan = line_plan(1, 2, queries, keys, 64)
    starts = torch.tensor([-290, -215, -200]).expand(1, 2, 3).int()
    ends = torch.tensor([-220, -210, 64]).expand(1, 2, 3).int()
    plan = VerticalSlashPlan(queries, keys, 64, plan.columns, plan.column_counts, starts, ends, plan.bands)
    counts, lists, intervals = split_bands(plan)
    assert int(counts.sum()) > 0
    real = torch.arange(lists.shape[-1]) < counts[..., None]
    lists = torch.where(real, lists, 2**20).sort(-1).values
    taken = BlockPlan(queries, keys, 128, 128, torch.where(lists < 2**20, lists, 0).int(), counts)
    begun = block_sparse_attention(q, k, v, taken, scale=0.3)
    index, columns = BandIndex.of(plan, 64, intervals), column_blocks(plan)
    found = walk(q, k, v, plan, index, columns, Tile(64, 32, 4, 2), 0.3, begun)
    agree(found, q, k, v, plan)


def many_columns(queries, keys, block):
    """A plan of two heads, of which one keeps all columns and few bands, the other a third."""
    columns = listed(torch.rand(1, 2, keys) < torch.tensor([0.3, 1.0])[:, None])
    starts, ends = (torch.tensor([edges] * 2)[None].int() for edges in ([-400, -200, -30], [-395, -100, block]))
    return VerticalSlashPlan(queries, keys, block, *columns, starts, ends, torch.tensor([[3, 1]]).int())


COLUMN_SHAPES = [(700, 700, 64), (300, 500, 64), (70, 333, 128), (520, 520, 256), (1, 1, 64)]


@pytest.mark.parametrize("queries,keys,block", COLUMN_SHAPES)
def test_column_blocks(queries, keys, block):
    plan = many_columns(queries, keys, block)
    found, expected = column_blocks_triton(plan), column_blocks_torch(plan)
    assert found.rows == expected.rows
    for name in ("whole", "cut"):
        counts = getattr(expected, f"{name}_counts")
        assert torch.equal(getattr(found, f"{name}_counts"), counts)
        lists, wanted = getattr(found, name), getattr(expected, name)
        real = torch.arange(wanted.shape[-1]) < counts[..., None]
        assert torch.equal(lists[real], wanted[real])
    assert keys < 500 or int(expected.whole_counts.sum()) > 0


def test_columns_by_blocks():
    """Tiles that no mask touches, and those that bands or causality cut."""
    q, k, v = inputs(1, 2, 1, 700, 700, 16)
    plan = many_columns(700, 700, 64)
    for descriptors in (False, True):
        agree(vertical_slash_triton(q, k, v, plan, scale=0.3, tile=Tile(64, 32, 4, 2, descriptors)), q, k, v, plan)


@pytest.mark.parametrize("rows,keys", [(1, 1), (13, 80), (70, 150), (130, 131)])
def test_line_sums(rows, keys):
    q, k = torch.randn(1, 2, rows, 16), torch.randn(1, 1, keys, 16)
    for found, expected in zip(line_sums_triton(q, k, scale=0.3), line_sums_torch(q, k, scale=0.3)):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@triton.jit
def entries_of_parts(
    band_rank, column_rank, verticals, slashes, parts, keys, ROWS: tl.constexpr, STEP: tl.constexpr, WIDTH: tl.constexpr
):
    """What each part of a head's residues counts for each of some plans of one sequence."""
    at = tl.program_id(1) * tl.num_programs(2) + tl.program_id(2)
    limits = tl.load(verticals + at), tl.load(slashes + at)
    entries = residue_entries(band_rank, column_rank, limits[0], limits[1], tl.program_id(2), keys, ROWS, STEP, WIDTH)
    tl.store(parts + at * tl.num_programs(0) + tl.program_id(0), entries)


@pytest.mark.parametrize("keys", [1, 64, 77, 200])
def test_line_entries(keys):
    ranks = torch.randint(0, 2 * keys, (1, 2, keys + 64), dtype=torch.int32), torch.rand(1, 2, keys).argsort(-1).int()
    sizes = [torch.randint(0, keys + 1, (2, 1, 2), dtype=torch.int32) for _ in range(2)]
    parts = torch.empty(2, 2, ROWS // WIDTH, dtype=torch.int64)
    entries_of_parts[(ROWS // WIDTH, 2, 2)](*ranks, *sizes, parts, keys, ROWS=ROWS, STEP=STEP, WIDTH=WIDTH)
    assert torch.equal(parts.sum(2)[:, None], line_entries(*ranks, *sizes, keys))


@pytest.mark.parametrize("keys,queries", [(200, 200), (150, 90)])
def test_line_entries_are_those_of_plans(keys, queries):
    """The torch version against plans that are made and counted."""
    q, k = torch.randn(1, 2, queries, 16), torch.randn(1, 2, keys, 16)
    for size in (70, 90, 130):
        plan = parse_backend(f"vertical_slash:verticals={size},slashes={size}").plan(q, k, scale=0.3)
        table = plan.band_table()
        sizes = torch.ones(1, 1, 2, dtype=torch.int32)
        ranks = (~table).int(), (~plan.column_table()).int()
        assert torch.equal(line_entries(*ranks, sizes, sizes, queries)[0], plan.computed())


KEYS = [1, 63, 64, 65, 1000]


def line_ranks(batch, heads, keys):
    """Random orders of diagonals and of columns."""
    diagonals, columns = torch.rand(2, batch, heads, keys).argsort(-1).int()
    return diagonals, columns


@pytest.mark.parametrize("keys", KEYS)
def test_band_rank(keys):
    diagonals, _ = line_ranks(2, 3, keys)
    assert torch.equal(band_rank_triton(diagonals), band_rank_torch(diagonals))


@pytest.mark.parametrize("keys", [*KEYS, 3000])  # more than a piece
def test_line_lists(keys):
    diagonals, columns = line_ranks(2, 3, keys)
    sizes = torch.randint(0, keys + 1, (2, 2, 3), dtype=torch.int32)
    sizes[:, 0, 0], sizes[:, 1, 1] = 0, keys  # none, all
    given = band_rank_torch(diagonals), columns, *sizes
    expected = line_lists_torch(*given, keys)
    found = line_lists_triton(*given, keys)
    assert len(found) == len(vars(expected))
    for x, wanted in zip(found, vars(expected).values()):
        assert torch.equal(x, wanted)


@pytest.mark.parametrize(
    "heads,keys,high,share",
    [(2, 1, 4, 1.0), (1, 63, 63, 0.001), (2, 64, 40, 0.9), (1, 65, 65, 1.0), (1, 1000, 1000, 0.2)],
)
def test_nearest_size(heads, keys, high, share):
    diagonals, columns = line_ranks(2, heads, keys)
    given = band_rank_torch(diagonals), columns, int(share * heads * keys * (keys + 1) / 2), 4, high, 64
    assert torch.equal(nearest_size_triton(*given), nearest_size_torch(*given, keys))


COVERING = {  # heads, keys, share of all entries, steps, columns that may be the answer
    "one key": (1, 1, 1.0, 2**10, [1]),
    "all plans alike": (1, 64, 0.9, 2**10, [4]),
    "less than the least": (1, 200, 0.1, 2**10, [4]),
    "some number of lines": (1, 77, 0.81, 2**10, range(5, 20)),
    "alpha 0": (1, 200, None, 2**10, [20]),
    "some alpha": (1, 200, 0.8, STEPS, range(21, 160)),
    "alpha of two heads": (2, 77, 0.95, 2**10, range(21, 62)),
    "alpha 1": (1, 200, 1.0, 2**10, [200]),
}


@pytest.mark.parametrize("heads,keys,share,steps,sizes", COVERING.values(), ids=COVERING)
def test_covering_sizes(heads, keys, share, steps, sizes):
    """Near diagonals first; attention falls steeply, that of the last fifth is 0; 20 lines of either for alpha 0."""
    least, slashes = min(20, keys), min(10, keys)
    diagonals, columns = torch.arange(keys).expand(2, heads, keys).int(), torch.rand(2, heads, keys).argsort(-1).int()
    ranks = band_rank_torch(diagonals), columns
    mass = torch.rand(2, 2, heads, keys, dtype=torch.float64).pow(8).sort(-1, descending=True).values
    mass[..., keys - keys // 5 :] = 0
    lowest = torch.full((1, 2, heads), least)
    target = int(line_entries(*ranks, lowest, lowest, keys)[0, 0].sum())
    if share is not None:
        target = int(share * heads * keys * (keys + 1) / 2)
    given = *ranks, mass.cumsum(-1), target, min(0, 4 - least), least, slashes, steps
    found = covering_sizes_triton(*given)
    assert set(found[0, 0].tolist()) <= set(sizes)  # row 1 may be another case
    assert torch.equal(found, covering_sizes_torch(*given, keys))


@pytest.mark.parametrize("share", [0.0, 0.6, 0.97, 1.0])
def test_covering_blocks(share):
    """Rows of which the first may keep none; two sequences, each with a threshold of its own."""
    held = torch.rand(2, 2, 4, 33).pow(8).sort(-1, descending=True).values
    held[1] += 0.1
    upto = torch.cat([torch.full_like(held[..., :1], 0.1), held], -1).cumsum(-1)
    available, area = torch.tensor([[0, 9, 19, 29], [5, 64, 64, 3]], dtype=torch.int32)
    given = upto[..., :-1] / upto[..., -1:], available, area, int(share * 2 * (available * area).sum())
    found = covering_blocks_triton(*given, THRESHOLDS)
    assert torch.equal(found, covering_blocks_torch(*given))
    assert share > 0 or not found.any()
    assert share < 1 or torch.equal(found, available.expand(2, 2, -1))


@pytest.mark.parametrize("block", [16, 128])
def test_block_means(block):
    x = torch.randn(2, 200, 3, 24).transpose(1, 2)
    torch.testing.assert_close(block_means_triton(x, block), block_means_torch(x, block), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    "queries, keys, block", [(1, 1, 16), (130, 130, 16), (70, 203, 32), (64, 64, 64), (150, 301, 128)]
)
def test_attention_mass(queries, keys, block):
    q, k, _ = inputs(2, 4, 2, queries, keys, 48)
    found = attention_mass_triton(q, k, scale=0.3, block=block)
    torch.testing.assert_close(found, attention_mass_torch(q, k, scale=0.3, block=block), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.sum((2, 3)), torch.full((2, 4), float(queries)))


def test_tiles_of_gpus_with_little_shared_memory(monkeypatch):
    monkeypatch.setattr(devices, "shared_memory", lambda device: 101_376)
    q, k, v = inputs(1, 2, 1, 140, 150, 136, torch.float32)
    assert devices.narrow(q)
    agree(block_sparse_triton(q, k, v, plan := block_plan(1, 2, 140, 150, 32, 32), scale=0.3), q, k, v, plan)
    agree(vertical_slash_triton(q, k, v, plan := line_plan(1, 2, 140, 150, 64), scale=0.3), q, k, v, plan)
    for found, expected in zip(line_sums_triton(q, k, scale=0.3), line_sums_torch(q, k, scale=0.3)):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    found, expected = (f(q, k, scale=0.3, over="mean") for f in (window_scores, window_scores_torch))
    torch.testing.assert_close(found, expected, atol=5e-6, rtol=1e-5)
    for block in (16, 128):
        found, expected = (f(q, k, scale=0.3, block=block) for f in (attention_mass_triton, attention_mass_torch))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_pick_blocks():
    scores = torch.randn(2, 5, 20)
    scores[0, :, 3:9] = 0.5  # of equals the lower
    scores[1, :, ::2] = torch.tensor([0.0, -0.0]).repeat(5)
    counts, own, last = (
        torch.tensor(x, dtype=torch.int32) for x in ([1, 4, 6, 9, 20], [0, 4, 9, 14, 19], [0, 4, 9, 14, 19])
    )
    found = pick_blocks_triton(scores, counts, own, last, 20, near=1)
    for head in range(2):
        for row in range(5):
            forced = {0, int(own[row]) - 1, int(own[row])} & set(range(20))
            order = sorted(range(int(last[row]) + 1), key=lambda c: (c not in forced, -float(scores[head, row, c]), c))
            expected = sorted(order[: int(counts[row])])
            assert found[head, row].tolist() == expected + [0] * (20 - len(expected))
    more = torch.stack([counts, last + 1])
    assert torch.equal(pick_blocks_triton(scores, more, own, last, 20, near=1)[0], found[0])
    every = [*range(int(last[3]) + 1)]
    assert pick_blocks_triton(scores, more, own, last, 20, near=1)[1, 3].tolist() == every + [0] * (20 - len(every))


@pytest.mark.parametrize("most", [1, 2, 3])
def test_blocks_are_picked_for_as_many_heads_as_there_is_room_for(most, monkeypatch):
    q, k, _ = inputs(1, 6, 2, 120, 120, 16)
    backend = parse_backend("block_sparse:top_blocks=5")
    expected = backend.plan(q, k, scale=0.3)
    monkeypatch.setattr(blocks, "scratch_bytes", lambda device: most * 8 * 8)  # scores of a head: 8 x 8 floats
    found = backend.plan(q, k, scale=0.3)
    assert torch.equal(found.indices, expected.indices) and torch.equal(found.counts, expected.counts)


@pytest.fixture
def uninitialised_is_nan():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    "shape,block,stride,tile",
    [
        ((2, 4, 2, 333, 333, 24), 32, 8, Tile(16, 16, 4, 2)),
        ((1, 2, 1, 100, 301, 80), 64, 16, Tile(32, 16, 4, 2, descriptors=True)),  # some tiles hold whole groups alone
        ((1, 4, 1, 192, 320, 144), 16, 4, Tile(16, 32, 4, 2, descriptors=True)),
        ((1, 2, 2, 130, 190, 32), 64, 64, Tile(16, 16, 4, 2, descriptors=True)),  # a group is a block
        ((1, 2, 1, 130, 130, 16), 32, 1, Tile(64, 16, 4, 2)),  # a group is a row, a tile less than a block
        ((1, 1, 1, 3, 700, 128), 128, 8, None),
        ((1, 1, 1, 1, 1, 16), 128, 8, None),
    ],
    ids=str,
)
def test_block_mass(shape, block, stride, tile, dtype, monkeypatch, uninitialised_is_nan):
    monkeypatch.setattr(triton_antidiagonals, "scratch_bytes", lambda device: 4000)  # a few rows at a time
    q, k, _ = inputs(*shape, dtype)
    given = {"scale": 0.3, "block": block, "stride": stride}
    expected = block_mass_torch(q.float(), k.float(), **given)
    for tiles in (1, 3):
        found = block_mass_triton(q, k, **given, tile=tile, walk=tiles)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
        last = (torch.arange(block, shape[3] + block, block).clamp(max=shape[3]) - 1 + shape[4] - shape[3]) // block
        unseen = torch.arange(found.shape[3]) > last[:, None]
        assert not found[..., unseen].any()


def test_compact():
    kept = torch.rand(2, 3, 3000) < torch.tensor([0.0, 0.1, 1.0])[:, None]
    for found, expected in zip(compact_triton(kept, 3000, 9), compact_torch(kept, 3000, 9)):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("longest,width,step", [(1, 1, 1), (5, 700, 1), (40, 700, 64), (33, 20, 1)])
def test_expand(longest, width, step):
    starts = torch.randint(-500, 500, (2, 3, longest), dtype=torch.int32)
    lengths = torch.randint(0, 30, (2, 3, longest), dtype=torch.int32)
    lengths *= torch.rand(lengths.shape) < torch.tensor([0.0, 0.3, 1.0])[:, None]
    found = expand_triton(starts, lengths, width, step)
    assert torch.equal(found, expand_torch(starts, lengths, width, step))


def many_bands(queries, keys, block, gap):
    """A plan of heads with no band, with some and with many, most places of bands drawn at random."""
    plan, longest = line_plan(2, 3, queries, keys, block), keys // gap + 2
    edges = torch.rand(2, 3, keys + block).argsort(-1)[..., : 2 * longest].sort(-1).values.int() - keys
    edges = torch.nn.functional.pad(edges, (0, 2 * longest - edges.shape[-1]))
    bands = torch.tensor([0, longest // 2, longest]).clamp(max=(keys + block) // 2).expand(2, 3).int()
    starts, ends = (torch.where(torch.arange(longest) < bands[..., None], edges[..., i::2], 0) for i in (0, 1))
    return VerticalSlashPlan(queries, keys, block, plan.columns, plan.column_counts * (bands > 0), starts, ends, bands)


@pytest.mark.parametrize("gap", [3, 20, 150])
@pytest.mark.parametrize(
    "queries,keys,block,rows",
    [
        (1, 1, 64, 64),
        (200, 200, 64, 64),
        (65, 130, 64, 128),
        (100, 203, 1, 32),
        (150, 150, 128, 32),
        (99, 3400, 64, 64),
    ],
)
def test_band_index(queries, keys, block, rows, gap, monkeypatch):
    plan = many_bands(queries, keys, block, gap)
    found = BandIndex.of(plan, rows)
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    expected = BandIndex.of(plan, rows)
    for name in ("runs", "rest", "spans", "bands"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name


@pytest.mark.parametrize("gap", [3, 100])
@pytest.mark.parametrize("queries,keys", [(300, 300), (100, 228), (1, 129), (40, 1000)])
def test_band_split(queries, keys, gap, monkeypatch):
    """And the index of what is left, of which two frames take turns."""
    plan = many_bands(queries, keys, 64, gap)
    parts = band_split_torch(plan.starts, plan.ends, plan.bands)
    for found, expected in zip(band_split_triton(plan.starts, plan.ends, plan.bands), parts):
        assert torch.equal(found, expected)
    found = BandIndex.of(plan, 64, parts[2:])
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    expected = BandIndex.of(plan, 64, parts[2:])
    for name in ("runs", "rest", "spans", "bands"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name


@pytest.mark.parametrize(
    "spec",
    [
        "block_sparse:block=16,top_blocks=4",
        "xattention:block=16,threshold=0.6",
        "xattention:block=16,sparsity=0.6",
        "vertical_slash:sparsity=0.2",
    ],
)
def test_backends_run_on_the_kernels(spec, monkeypatch):
    """What a backend chooses through the kernels is what it chooses through torch."""
    q, k, v = inputs(1, 2, 1, 300, 300, 16)
    found = parse_backend(spec).plan(q, k, scale=0.3)
    agree(attention(q, k, v, found, scale=0.3), q, k, v, found)
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    expected = parse_backend(spec).plan(q, k, scale=0.3)
    assert torch.equal(found.mask(0, 300), expected.mask(0, 300))
