"""Kernels on the second GPU while the first is the current one, as models that are spread over several have it."""

import pytest
import torch

from nl_tasks.kernels.attention import attention
from nl_tasks.kernels.provider import usable_providers
from nl_tasks.sparse_backends import parse_backend

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")]
PREFILL = ("block_sparse:block=128,top_blocks=3", "vertical_slash", "flexprefill", "xattention", "streaming", "oracle")


def inputs(rows, keys, device):
    torch.manual_seed(0)
    sizes = (rows, 8), (keys, 2), (keys, 2)
    return [torch.randn(1, heads, length, 128).bfloat16().to(device) for length, heads in sizes]


@pytest.mark.parametrize("spec", [*PREFILL, "quest:tokens=128", "snapkv:tokens=256"])
def test_plans_and_attention_are_those_of_the_first(spec):
    backend = parse_backend(spec)
    outputs = []
    for device in ("cuda:0", "cuda:1"):
        q, k, v = inputs(1 if backend.phase == "decode" else 1024, 1024, device)
        plan = backend.plan(q, k, scale=128**-0.5)
        assert plan.device == q.device and torch.cuda.current_device() == 0
        if backend.phase == "evict":
            outputs.append([plan.density()])
            continue
        providers = [name for name in usable_providers(q, plan) if name != "flex"]
        outputs.append([attention(q, k, v, plan, scale=128**-0.5, provider=name)[0] for name in providers])
    for first, second in zip(*outputs, strict=True):
        assert torch.equal(first.cpu(), second.cpu())


@pytest.mark.parametrize("spec", ["block_sparse:block=128,top_blocks=3", "quest:tokens=128", "ada_snapkv:tokens=256"])
def test_a_model_on_the_second_says_what_it_says_on_the_first(spec):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=500, hidden_size=512, intermediate_size=512, num_hidden_layers=2, num_attention_heads=8,
        num_key_value_heads=2, max_position_embeddings=2048, eos_token_id=None,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config).bfloat16().eval()
    prompt, said = torch.randint(500, (1, 1024)), []
    for device in ("cuda:0", "cuda:1"):
        with parse_backend(spec).attach(model.to(device), provider="sparse") as run:
            said.append(model.generate(prompt.to(device), max_new_tokens=8, do_sample=False).cpu())
        assert float(run.density().max()) < 0.7
    assert torch.equal(*said)
