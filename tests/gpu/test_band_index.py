"""Lists that the vertical-slash kernels walk, made on a GPU, against plain torch: the same to the bit."""

import pytest
import torch
from torch.nn.functional import pad

from nl_tasks.kernels.band_index import BandIndex
from nl_tasks.kernels.band_runs import band_runs_torch
from nl_tasks.kernels.band_spans import band_spans_torch
from nl_tasks.kernels.band_split import band_split, band_split_torch
from nl_tasks.kernels.column_blocks import column_blocks, column_blocks_torch
from nl_tasks.kernels.compact import compact_torch, expand, expand_torch
from nl_tasks.kernels.fa4_vertical_slash import split_bands
from nl_tasks.kernels.plan import VerticalSlashPlan

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]
DEVICE = torch.device("cuda")


@pytest.mark.parametrize("longest,width,step", [(1, 1, 1), (5, 700, 1), (40, 700, 64), (33, 20, 1), (3000, 50_000, 1)])
def test_expand(longest, width, step):
    torch.manual_seed(0)
    starts, lengths = torch.randint(0, 30, (2, 2, 3, longest), device=DEVICE, dtype=torch.int32)
    lengths *= torch.rand(lengths.shape, device=DEVICE) < torch.tensor([0.0, 0.3, 1.0], device=DEVICE)[:, None]
    assert torch.equal(expand(starts, lengths, width, step), expand_torch(starts, lengths, width, step))


def many_bands(queries, keys, block, gap):
    """A plan of heads with no band, with some and with many, most places of bands drawn at random."""
    torch.manual_seed(0)
    longest = keys // gap + 2
    edges = torch.rand(2, 3, keys + block, device=DEVICE).argsort(-1)[..., : 2 * longest].sort(-1).values.int() - keys
    edges = pad(edges, (0, 2 * longest - edges.shape[-1]))
    bands = torch.tensor([0, longest // 2, longest], device=DEVICE).clamp(max=(keys + block) // 2)
    bands = bands.expand(2, 3).int().contiguous()
    real = torch.arange(longest, device=DEVICE) < bands[..., None]
    starts, ends = (torch.where(real, edges[..., i::2], 0).contiguous() for i in (0, 1))
    columns = torch.rand(2, 3, keys, device=DEVICE) < torch.tensor([0.0, 0.1, 1.0], device=DEVICE)[:, None]
    return VerticalSlashPlan(queries, keys, block, *compact_torch(columns, keys, 0), starts, ends, bands)


SHAPES = [  # queries, keys, rows of a plan's block, rows of a tile
    (1, 1, 64, 64),
    (200, 200, 64, 64),
    (65, 130, 64, 128),
    (100, 203, 1, 64),
    (150, 150, 128, 32),
    (5000, 5000, 64, 64),
    (5000, 5000, 1, 64),
    (100, 70_001, 64, 64),
]


def of_plan(plan, rows, intervals):
    """Lists and spans by kernels and by plain torch."""
    frame = max(rows, plan.query_block)
    index = BandIndex.of(plan, rows, intervals)
    starts, ends = intervals or (plan.starts[:, :, None], plan.ends[:, :, None])
    given = starts, ends, None if intervals else plan.bands, plan.keys, frame, frame - plan.query_block
    widths = index.runs.shape[-1], index.rest.shape[-1]
    lists = band_runs_torch(*given, *widths)
    return (index.runs, index.rest, index.spans), (*lists, band_spans_torch(plan, rows, frame, *lists))


@pytest.mark.parametrize("gap", [3, 20, 150])
@pytest.mark.parametrize("queries,keys,block,rows", SHAPES)
def test_band_index(queries, keys, block, rows, gap):
    plan = many_bands(queries, keys, block, gap)
    for found, expected in zip(*of_plan(plan, rows, None)):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("gap", [3, 150])
@pytest.mark.parametrize("queries,keys", [(300, 300), (100, 228), (1, 129), (5000, 5000), (120, 70_008)])
def test_band_split(queries, keys, gap):
    """And the index of what is left, of which two frames take turns."""
    plan = many_bands(queries, keys, 64, gap)
    given = plan.starts, plan.ends, plan.bands
    for found, expected in zip(band_split(*given), band_split_torch(*given)):
        assert torch.equal(found, expected)
    for found, expected in zip(*of_plan(plan, 64, split_bands(plan)[2])):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("gap", [20, 150])
@pytest.mark.parametrize(
    "queries,keys,block", [(1, 1, 64), (200, 200, 64), (150, 150, 128), (520, 5000, 256), (5000, 5000, 64)]
)
def test_column_blocks(queries, keys, block, gap):
    plan = many_bands(queries, keys, block, gap)
    found, expected = column_blocks(plan), column_blocks_torch(plan)
    assert found.rows == expected.rows
    for lists, counts in (("whole", "whole_counts"), ("cut", "cut_counts")):
        assert torch.equal(getattr(found, counts), getattr(expected, counts))
        real = torch.arange(getattr(expected, lists).shape[-1], device=DEVICE) < getattr(expected, counts)[..., None]
        assert torch.equal(getattr(found, lists)[real], getattr(expected, lists)[real])


@pytest.mark.parametrize("block", [1, 64])
def test_index_never_waits_for_the_device(block):
    plan = many_bands(2048, 2048, block, 20)
    BandIndex.of(plan, 64)  # compiles
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        BandIndex.of(plan, 64)
        split_bands(plan)
    finally:
        torch.cuda.set_sync_debug_mode("default")
