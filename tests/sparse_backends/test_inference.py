"""Gradients through a sparse layer would be wrong or none: they are refused, and outputs are as without them."""

import pytest
import torch

from nl_tasks.sparse_backends import parse_backend


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize("spec", ["streaming:window=40", "quest:tokens=64", "snapkv:tokens=140", "dense"])
def test_gradients_are_refused_and_outputs_are_the_same(tiny, prompts, spec, checkpointed):
    model, row = tiny("llama", attention_dropout=0.0), prompts(200)[0][None]
    with parse_backend(spec).attach(model):
        with torch.no_grad():
            expected = model(row).logits
        if checkpointed:
            getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)()  # its newer name
            model.train()
        logits = model(row, use_cache=not checkpointed).logits
        assert torch.equal(logits, expected) and logits.requires_grad
        with pytest.raises(RuntimeError, match=f"{spec.split(':')[0]}: sparse backends are for inference"):
            logits.sum().backward()
    logits = model(row, use_cache=False).logits
    logits.sum().backward()
    assert float(model.model.layers[0].self_attn.q_proj.weight.grad.norm()) > 0
