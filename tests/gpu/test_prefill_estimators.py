"""Estimators on a GPU against their plain torch versions, and whole backends against themselves on the CPU."""

import pytest
import torch

from nl_tasks.kernels.alpha_search import STEPS, covering_sizes, covering_sizes_torch
from nl_tasks.kernels.antidiagonals import block_mass, block_mass_torch
from nl_tasks.kernels.attention_mass import attention_mass, attention_mass_torch
from nl_tasks.kernels.band_rank import band_rank, band_rank_torch
from nl_tasks.kernels.block_means import block_means, block_means_torch
from nl_tasks.kernels.compact import compact, compact_torch
from nl_tasks.kernels.line_lists import line_lists, line_lists_torch
from nl_tasks.kernels.line_search import nearest_size, nearest_size_torch
from nl_tasks.kernels.line_sums import line_sums, line_sums_torch
from nl_tasks.kernels.threshold_search import covering_blocks, covering_blocks_torch
from nl_tasks.sparse_backends import parse_backend

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]
DEVICE = torch.device("cuda")


def made(*shape, dtype=torch.bfloat16):
    return torch.randn(*shape, device=DEVICE).to(dtype)


@pytest.mark.parametrize("dim", [64, 128, 256])
@pytest.mark.parametrize("rows,keys", [(1, 1), (100, 100), (256, 4097), (300, 3000), (64, 8192)])
def test_line_sums(dim, rows, keys):
    q, k = made(2, 8, rows, dim), made(2, 2, keys, dim)
    found, expected = line_sums(q, k, scale=0.1), line_sums_torch(q, k, scale=0.1)
    for sums, wanted in zip(found, expected):
        torch.testing.assert_close(sums, wanted, atol=1e-4, rtol=2e-3)
        assert torch.equal(sums, line_sums(q, k, scale=0.1)[0 if sums is found[0] else 1])  # to the bit


LINE_KEYS = [1, 63, 64, 65, 1000, 5000]


def line_ranks(keys):
    """Random orders of diagonals and of columns."""
    torch.manual_seed(0)
    diagonals, columns = torch.rand(2, 2, 3, keys, device=DEVICE).argsort(-1).int()
    return diagonals, columns


@pytest.mark.parametrize("keys", LINE_KEYS)
def test_band_rank(keys):
    diagonals, _ = line_ranks(keys)
    assert torch.equal(band_rank(diagonals), band_rank_torch(diagonals))


@pytest.mark.parametrize("keys", LINE_KEYS)
def test_line_lists(keys):
    diagonals, columns = line_ranks(keys)
    sizes = torch.randint(0, keys + 1, (2, 2, 3), device=DEVICE, dtype=torch.int32)
    sizes[:, 0, 0], sizes[:, 1, 1] = 0, keys  # none, all
    given = band_rank_torch(diagonals), columns, *sizes, keys
    found, expected = vars(line_lists(*given)), vars(line_lists_torch(*given))
    for name, wanted in expected.items():
        assert torch.equal(found[name], wanted), name


@pytest.mark.parametrize("share", [0.001, 0.2, 0.9, 1.0])
@pytest.mark.parametrize("keys", LINE_KEYS)
def test_nearest_size(keys, share):
    diagonals, columns = line_ranks(keys)
    given = band_rank_torch(diagonals), columns, int(share * 3 * keys * (keys + 1) / 2)
    for high in (4, min(40, keys), keys):
        assert torch.equal(
            nearest_size(*given, 4, high, 64, keys), nearest_size_torch(*given, 4, max(4, high), 64, keys)
        )


def test_nearest_size_beyond_32_bits():
    """Counts and target of a long row with several heads."""
    diagonals, columns = line_ranks(70_000)
    given = band_rank_torch(diagonals), columns, 5 * 10**9, 4, 70_000, 64
    assert torch.equal(nearest_size(*given, 70_000), nearest_size_torch(*given, 70_000))


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.5, 0.7, 0.9, 0.999, 1.0])
@pytest.mark.parametrize("keys", [1000, 5000])
def test_covering_sizes(keys, share):
    """Targets below and above the fewest lines of alpha = 0; near diagonals first."""
    _, columns = line_ranks(keys)
    diagonals = torch.arange(keys, device=DEVICE, dtype=torch.int32).expand(columns.shape)
    mass = torch.rand(2, 2, 3, keys, dtype=torch.float64, device=DEVICE).pow(8).sort(-1, descending=True).values
    mass[..., keys - keys // 5 :] = 0
    given = band_rank_torch(diagonals), columns, mass.cumsum(-1), int(share * 3 * keys * (keys + 1) / 2)
    for least in (70, 512):
        found = covering_sizes(*given, 4, least, 64, keys)
        assert torch.equal(found, covering_sizes_torch(*given, 4 - least, least, 64, STEPS, keys))


@pytest.mark.parametrize("block", [16, 128])
def test_block_means(block):
    x = made(2, 1000, 4, 128).transpose(1, 2)
    torch.testing.assert_close(block_means(x, block), block_means_torch(x, block), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [1, 2048, 5001])
def test_compact(size):
    kept = torch.rand(2, 3, size, device=DEVICE) < torch.tensor([0.0, 0.3, 1.0], device=DEVICE)[:, None]
    for found, expected in zip(compact(kept, size, padding=9), compact_torch(kept, size, 9)):
        assert torch.equal(found, expected)


def test_compact_of_many_rows():
    kept = torch.rand(70_000, 9, device=DEVICE) < 0.3
    for found, expected in zip(compact(kept, 9), compact_torch(kept, 9, 0)):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("rows,columns", [(1, 1), (9, 40), (500, 1000)])
def test_covering_blocks(rows, columns, share):
    held = torch.rand(2, 3, rows, columns, device=DEVICE).pow(8).sort(-1, descending=True).values
    upto = torch.cat([torch.full_like(held[..., :1], 0.1), held], -1).cumsum(-1)
    available = torch.arange(rows, device=DEVICE, dtype=torch.int32) * columns // rows
    area = torch.randint(1, 99, (rows,), device=DEVICE, dtype=torch.int32)
    given = upto[..., :-1] / upto[..., -1:], available, area, int(share * 3 * (available * area).sum())
    assert torch.equal(covering_blocks(*given), covering_blocks_torch(*given))


@pytest.mark.parametrize("block", [16, 64, 128])
@pytest.mark.parametrize("dim", [64, 128, 256])
def test_attention_mass(block, dim):
    q, k = made(2, 4, 1000, dim), made(2, 2, 1100, dim)
    found = attention_mass(q, k, scale=0.3, block=block)
    expected = attention_mass_torch(q.float(), k.float(), scale=0.3, block=block)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize(
    "queries,keys,dim,block,stride",
    [
        (1000, 1300, 64, 128, 8),
        (5000, 5000, 64, 128, 8),
        (5000, 5000, 128, 128, 8),
        (5000, 5000, 256, 64, 16),
        (3001, 5003, 128, 32, 32),  # a group is a block, and both ends are within one
        (2000, 2000, 80, 128, 1),
        (1, 700, 128, 16, 4),
    ],
)
def test_block_mass(queries, keys, dim, block, stride, dtype):
    q, k = made(2, 4, queries, dim, dtype=dtype), made(2, 2, keys, dim, dtype=dtype)
    given = {"scale": 0.3, "block": block, "stride": stride}
    found = block_mass(q, k, **given)
    torch.testing.assert_close(found, block_mass_torch(q, k, **given), atol=1e-4, rtol=1e-3)
    assert torch.equal(found, block_mass(q, k, **given))  # to the bit


def test_block_mass_of_rows_apart():
    """Heads side by side in a row, as models hand them over."""
    q, k = made(1, 4096, 4, 128).transpose(1, 2), made(1, 4096, 2, 128).transpose(1, 2)
    given = {"scale": 0.1, "block": 128, "stride": 8}
    torch.testing.assert_close(block_mass(q, k, **given), block_mass_torch(q, k, **given), atol=1e-4, rtol=1e-3)


SPECS = [
    "block_sparse:block=16,top_blocks=9",
    "block_sparse:block=128,sparsity=0.6",
    "vertical_slash:verticals=200,slashes=300",
    "vertical_slash:sparsity=0.6",
    "flexprefill:sparsity=0.5",
    "flexprefill:alpha=0.5,min_budget=100",
    "xattention:threshold=0.7",
    "xattention:sparsity=0.5",
]


@pytest.mark.parametrize("spec", [*SPECS, "oracle:unit=block,sparsity=0.8"])
def test_backend_chooses_as_on_the_cpu(spec):
    torch.manual_seed(0)
    q, k = made(1, 4, 3001, 64, dtype=torch.float32), made(1, 2, 3001, 64, dtype=torch.float32)
    backend = parse_backend(spec)
    found = backend.plan(q, k, scale=0.3)
    expected = backend.plan(q.cpu(), k.cpu(), scale=0.3)
    assert torch.equal(found.computed(), found.mask(0, 3001).sum((2, 3)))
    torch.testing.assert_close(found.density().cpu(), expected.density(), atol=2e-3, rtol=2e-3)
    differing = (found.mask(0, 3001).cpu() != expected.mask(0, 3001)).double().mean()
    assert float(differing) < 5e-3  # scores that are all but equal may change places


@pytest.mark.parametrize("spec", SPECS)
def test_backend_never_waits_for_the_device(spec):
    q, k = made(1, 4, 2048, 64), made(1, 2, 2048, 64)
    backend = parse_backend(spec)
    backend.plan(q, k, scale=0.3)  # compiles, and fills caches of what depends on the shape alone
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        backend.plan(q, k, scale=0.3)
    finally:
        torch.cuda.set_sync_debug_mode("default")
