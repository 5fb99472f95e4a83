"""Prompts that dense attention reads faster on a GPU: it runs, and the records say so."""

import pytest
import torch
from transformers import AttentionInterface, AutoModelForCausalLM

from nl_tasks.sparse_backends import parse_backend, use_by_name
from nl_tasks.sparse_backends.forward import Forward, _Call
from nl_tasks.sparse_backends.pays import Cost
from nl_tasks.sparse_backends.run import Run


class OnGpu(torch.Tensor):
    is_cuda = True


@pytest.mark.parametrize(
    "provider,shape,dense",
    [
        ("auto", (1, 32, 64, 128), True),
        ("auto", (1, 32, 13 * 1024, 128), True),
        ("auto", (1, 32, 15 * 1024, 128), False),
        ("auto", (4, 32, 13 * 1024, 128), True),  # a sequence runs as it does alone
        ("auto", (1, 8, 26 * 1024, 128), True),  # a quarter of the heads: from twice the length on
        ("auto", (1, 8, 30 * 1024, 128), False),
        ("sparse", (1, 32, 64, 128), False),
    ],
)
def test_auto_alone_prefers_dense_for_short_prompts(provider, shape, dense):
    backend = parse_backend("vertical_slash:sparsity=0.9")
    call = object.__new__(_Call)
    call.backend, call.forward = backend, Forward(backend, lambda module: None, Run(backend), provider=provider)
    q = torch.empty(shape, device="meta")
    assert not call.faster_dense(q, q)  # not on a CPU
    on_gpu = q.as_subclass(OnGpu)
    assert call.faster_dense(on_gpu, q) == dense
    assert not call.faster_dense(on_gpu[:, :, :32], q)  # a chunk of a prompt


@pytest.mark.parametrize(
    "spec,from_k",
    [  # where benchmarks/h200_prefill.txt has them faster
        ("block_sparse:block=128,sparsity=0.5", 12.3),
        ("block_sparse:block=128,sparsity=0.8", 9.3),
        ("block_sparse:block=64,sparsity=0.5", 15.4),
        ("block_sparse:block=32,sparsity=0.8", 39.3),
        ("block_sparse:block=32,sparsity=0.9", 11.2),
        ("block_sparse:block=32,sparsity=0.95", 9.3),
        ("block_sparse:block=16,sparsity=0.9", 36.6),
        ("block_sparse:block=16,sparsity=0.95", 9.1),
        ("vertical_slash:sparsity=0.5", 43.4),
        ("vertical_slash:sparsity=0.8", 15.9),
        ("vertical_slash:sparsity=0.95", 13.4),
        ("flexprefill:sparsity=0.5", 36.0),
        ("flexprefill:sparsity=0.9", 14.2),
        ("xattention:sparsity=0.5", 13.8),
        ("xattention:sparsity=0.8", 10.7),
        ("xattention:sparsity=0.95", 8.9),
    ],
)
def test_lengths_are_near_those_measured(spec, from_k):
    backend = parse_backend(spec)
    found = backend.cost().pays_from(1 - backend.sparsity) / 1024
    assert found == pytest.approx(from_k, rel=1 / 6)


def test_small_blocks_and_large_budgets_never_pay():
    assert not parse_backend("block_sparse:sparsity=0.8").cost().pays(10**6, 0.2)
    assert Cost(1000, 0.5).pays_from(0.5) == float("inf")
    assert not Cost(1000, 0.5).pays(10**9, 0.5)


def test_density_of_budgets():
    assert parse_backend("xattention:threshold=1").expected_density(4096, 4096) == 1
    assert parse_backend("flexprefill:alpha=1").expected_density(4096, 4096) == 1
    assert parse_backend("flexprefill").expected_density(4096, 4096) < 0.5
    blocks = parse_backend("block_sparse:block=128,top_blocks=64")
    assert blocks.expected_density(131072, 131072) == pytest.approx(0.12, abs=0.005)
    assert blocks.expected_density(4096, 4096) == 1
    assert parse_backend("vertical_slash").expected_density(32768, 32768) == pytest.approx(0.125, abs=1e-4)
    assert parse_backend("vertical_slash").expected_density(1024, 1024) == 1
    assert parse_backend("xattention:sparsity=0.75").expected_density(4096, 4096) == 0.25


def test_by_name_the_method_always_runs():
    backend = parse_backend("vertical_slash:sparsity=0.9")
    use_by_name(backend, "nl_always")
    call = object.__new__(_Call)
    call.backend, call.forward = backend, AttentionInterface()["nl_always"]
    q = torch.empty(1, 32, 64, 128, device="meta").as_subclass(OnGpu)
    assert not call.faster_dense(q, q)


def test_records_say_that_it_ran_densely(tiny_llama, monkeypatch):
    model = AutoModelForCausalLM.from_pretrained(tiny_llama()).eval()
    monkeypatch.setattr(_Call, "faster_dense", lambda self, q, k: True)
    tokens = torch.randint(4, 500, (1, 300))
    with torch.no_grad():
        expected = model(tokens).logits
        with (
            parse_backend("vertical_slash:sparsity=0.5").attach(model) as run,
            pytest.warns(UserWarning, match="full attention is faster for 300 tokens") as warned,
        ):
            found = model(tokens).logits
    torch.testing.assert_close(found, expected)
    assert run.report()["dense_calls"] == 2
    assert run.report()["density"] == 1
    assert run.report()["estimation"] == 0
    assert len(warned) == 1  # not one a layer
