"""Prompts so short that dense attention is faster on a GPU: it runs, and the records say so."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from nl_tasks.sparse_backends import parse_backend
from nl_tasks.sparse_backends.forward import Forward, _Call
from nl_tasks.sparse_backends.run import Run


class OnGpu(torch.Tensor):
    is_cuda = True


@pytest.mark.parametrize(
    "provider,shape,dense",
    [
        ("auto", (1, 32, 64, 128), True),
        ("auto", (1, 32, 13 * 1024, 128), True),
        ("auto", (1, 32, 15 * 1024, 128), False),
        ("auto", (2, 32, 13 * 1024, 128), False),  # two sequences are more work
        ("auto", (1, 8, 24 * 1024, 128), True),  # a quarter of the heads: from twice the length on
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


def test_records_say_that_it_ran_densely(tiny_llama, monkeypatch):
    model = AutoModelForCausalLM.from_pretrained(tiny_llama()).eval()
    monkeypatch.setattr(_Call, "faster_dense", lambda self, q, k: True)
    tokens = torch.randint(4, 500, (1, 300))
    with torch.no_grad():
        expected = model(tokens).logits
        with parse_backend("vertical_slash:sparsity=0.5").attach(model) as run:
            found = model(tokens).logits
    torch.testing.assert_close(found, expected)
    assert run.report()["dense_calls"] == 2
    assert run.report()["density"] == 1
