"""Prefill kernels on a GPU in 16 bits against the float64 reference, and estimators against plain torch."""

from dataclasses import replace

import pytest
import torch

from nl_tasks.kernels.attention import attention
from nl_tasks.kernels.dense import dense_kernels
from nl_tasks.kernels.fa4 import has_fa4
from nl_tasks.kernels.plan import BlockPlan, FullPlan, VerticalSlashPlan
from nl_tasks.kernels.reference import reference_attention

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]
DEVICE = torch.device("cuda")
TOLERANCE = {torch.bfloat16: 6e-3, torch.float16: 1e-3, torch.float32: 1e-5}  # of the outputs' norm


@pytest.fixture(autouse=True)
def poisoned():
    """Fill free memory with NaN, which is what outputs that a kernel does not write then hold."""
    torch.manual_seed(0)
    junk = [torch.full((2**n,), torch.nan, device=DEVICE) for n in range(10, 27)]
    del junk


def inputs(batch, heads, kv_heads, queries, keys, dim, dtype):
    def make(*shape):
        return torch.randn(*shape, device=DEVICE).to(dtype)

    # Rows of all heads side by side, as models hand them over.
    q = make(batch, queries, heads, dim).transpose(1, 2)
    return q, make(batch, kv_heads, keys, dim), make(batch, kv_heads, keys, dim)


def listed(mask):
    counts = mask.sum(-1)
    order = torch.argsort((~mask).int(), dim=-1, stable=True)[..., : max(1, int(counts.max()))]
    real = torch.arange(order.shape[-1], device=DEVICE) < counts[..., None]
    return torch.where(real, order, -7).int(), counts.int()  # entries past a count must not be read


def block_plan(batch, heads, queries, keys, block):
    """Random lists; the first query block's is empty, the last's is full."""
    rows, columns = -(-queries // block), -(-keys // block)
    last = ((torch.arange(rows, device=DEVICE) + 1) * block).clamp(max=queries) - 1 + keys - queries
    mask = torch.rand(batch, heads, rows, columns, device=DEVICE) < 0.3
    mask[..., 0, :] = False
    mask[..., -1, :] = True
    mask &= torch.arange(columns, device=DEVICE) * block <= last[:, None]
    indices, counts = listed(mask)
    return BlockPlan(queries, keys, block, block, torch.where(indices < 0, 0, indices), counts)


def line_plan(batch, heads, queries, keys, block):
    columns, column_counts = listed(torch.rand(batch, heads, keys, device=DEVICE) < 0.05)
    far = -200 - keys // 2
    bounds = torch.tensor([[far - 70, far], [-200, -131], [-40, block]], device=DEVICE)  # ascending, none touches
    starts, ends = (bounds[:, i].expand(batch, heads, 3).int() for i in (0, 1))
    bands = torch.full((batch, heads), 3, device=DEVICE, dtype=torch.int32)
    bands[0, 0] = 1  # rows of this head may see nothing
    columns = torch.where(columns < 0, 0, columns)
    return VerticalSlashPlan(queries, keys, block, columns, column_counts, starts, ends, bands)


def check(q, k, v, plan, provider):
    scale = q.shape[-1] ** -0.5
    out, lse = attention(q, k, v, plan, scale=scale, provider=provider)
    expected, expected_lse = reference_attention(q, k, v, plan, scale=scale)
    expected = expected.nan_to_num()  # rows that see nothing
    assert out.shape == q.shape and out.dtype == q.dtype
    assert torch.isfinite(out).all()
    error = float((out.double() - expected).norm() / expected.norm().clamp(min=1e-6))  # all rows may see nothing
    assert error < TOLERANCE[q.dtype], (error, tuple(q.shape), tuple(k.shape))
    nothing = torch.isneginf(expected_lse)
    assert torch.equal(torch.isneginf(lse), nothing)
    torch.testing.assert_close(lse[~nothing].double(), expected_lse[~nothing], atol=2e-3, rtol=2e-3)
    assert (out[nothing] == 0).all()


SHAPES = [  # batch, query heads, KV heads, queries, keys
    (1, 1, 1, 1, 1),
    (2, 8, 1, 63, 63),
    (3, 4, 1, 129, 129),
    (1, 8, 8, 1000, 1000),
    (1, 4, 1, 1, 777),
    (2, 8, 2, 301, 1025),
    (1, 8, 1, 4097, 4097),
]
WIDE_SHAPES = [(2, 8, 2, 2500, 2500), (1, 4, 1, 333, 1101), (1, 4, 4, 600, 600), (1, 4, 2, 4097, 4097)]
KINDS = [(64, torch.bfloat16), (128, torch.bfloat16), (128, torch.float16), (256, torch.float16), (256, torch.bfloat16)]


def within(shapes, longest):
    return [shape for shape in shapes if max(shape) <= longest]


def name(value):
    return str(value).removeprefix("torch.")


@pytest.mark.parametrize("dim,dtype", KINDS, ids=name)
@pytest.mark.parametrize("block", [16, 32, 64, 128])
def test_block_sparse_triton(block, dim, dtype, longest):
    for shape in within(SHAPES, longest):
        q, k, v = inputs(*shape, dim, dtype)
        for heads in sorted({shape[1], shape[2]}):  # plans of query heads, and shared by a group
            check(q, k, v, block_plan(shape[0], heads, *shape[3:], block), "triton")


@pytest.mark.parametrize("dim", [24, 80])
def test_block_sparse_triton_in_float32_and_odd_head_dims(dim):
    q, k, v = inputs(1, 4, 2, 300, 300, dim, torch.float32)
    check(q, k, v, block_plan(1, 4, 300, 300, 64), "triton")
    check(q, k, v, line_plan(1, 4, 300, 300, 64), "triton")


@pytest.mark.skipif(not has_fa4(), reason="needs flash-attn-4")
@pytest.mark.parametrize("dim,dtype", [kind for kind in KINDS if kind[0] <= 128], ids=name)
@pytest.mark.parametrize("block", [64, 128])
def test_block_sparse_fa4(block, dim, dtype, longest):
    for shape in within(SHAPES, longest):
        q, k, v = inputs(*shape, dim, dtype)
        for heads in sorted({shape[1], shape[2]}):
            check(q, k, v, block_plan(shape[0], heads, *shape[3:], block), "fa4")


@pytest.mark.skipif(not has_fa4(), reason="needs flash-attn-4")
@pytest.mark.parametrize("dim,dtype", KINDS, ids=name)
def test_dense_fa4(dim, dtype, longest):
    for shape in within(SHAPES, longest):
        q, k, v = inputs(*shape, dim, dtype)
        check(q, k, v, FullPlan(shape[3], shape[4], shape[0], shape[1], DEVICE), "fa4")


@pytest.mark.parametrize("dim,dtype", KINDS[:2], ids=name)
def test_every_dense_kernel_is_causal_attention(dim, dtype):
    q, k, v = inputs(2, 8, 2, 1111, 1111, dim, dtype)
    expected, _ = reference_attention(q, k, v, FullPlan(1111, 1111, 2, 8, DEVICE), scale=0.1)
    kernels = dense_kernels(q, k)
    assert "cudnn" in kernels or torch.cuda.get_device_capability()[0] < 9
    for run in kernels.values():
        assert float((run(q, k, v, scale=0.1).double() - expected).norm() / expected.norm()) < TOLERANCE[dtype]


def test_block_sparse_flex():
    q, k, v = inputs(1, 4, 2, 1024, 1024, 128, torch.bfloat16)
    plan = block_plan(1, 4, 1024, 1024, 128)
    check(q, k, v, plan, "flex")


@pytest.mark.parametrize("dim,dtype", KINDS, ids=name)
@pytest.mark.parametrize("block", [1, 64, 128])
def test_vertical_slash_triton(block, dim, dtype, longest):
    for shape in within(SHAPES, longest):
        q, k, v = inputs(*shape, dim, dtype)
        for heads in sorted({shape[1], shape[2]}):
            check(q, k, v, line_plan(shape[0], heads, *shape[3:], block), "triton")


@pytest.mark.skipif(not has_fa4(), reason="needs flash-attn-4")
@pytest.mark.parametrize("dim,dtype", [kind for kind in KINDS if kind[0] <= 128], ids=name)
def test_vertical_slash_fa4(dim, dtype, longest):
    """Wide bands, whose blocks FlashAttention-4 takes, and narrow ones; last rows that do not fill a block of 128."""
    for shape in within(WIDE_SHAPES, longest):
        q, k, v = inputs(*shape, dim, dtype)
        plan = line_plan(shape[0], shape[1], *shape[3:], 64)
        starts = torch.tensor([-2000, -900, -300], device=DEVICE).expand_as(plan.starts).int()
        ends = torch.tensor([-1500, -830, 64], device=DEVICE).expand_as(plan.ends).int()
        check(q, k, v, replace(plan, starts=starts, ends=ends), "fa4")
