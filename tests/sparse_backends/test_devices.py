"""Whatever a backend launches, it launches on the GPU where the layer's inputs lie."""

from contextlib import contextmanager

import pytest
import torch

from nl_tasks.sparse_backends import backend_types, base, forward, parse_backend


@pytest.fixture
def inside(monkeypatch):
    """How many of the blocks that make a tensor's GPU the current one are being run, in a list of one."""
    depth = [0]

    @contextmanager
    def there(x):
        depth[0] += 1
        try:
            yield
        finally:
            depth[0] -= 1

    for module in (base, forward):
        monkeypatch.setattr(module, "on_device_of", there)
    return depth


@pytest.mark.parametrize("name", sorted(backend_types()))
def test_a_plan_is_made_there(inside, name):
    found = []
    backend = parse_backend(name)

    class Watched(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            found.append(inside[0])
            return super().__torch_function__(func, types, args, kwargs or {})

    rows = 1 if backend.phase == "decode" else 300
    q, k = torch.randn(1, 4, rows, 16).as_subclass(Watched), torch.randn(1, 2, 300, 16)
    found.clear()
    backend.plan(q, k, scale=0.25)
    assert found and min(found) == 1 and inside == [0]


@pytest.mark.parametrize("spec", ["vertical_slash:verticals=64,slashes=64", "quest:tokens=64", "snapkv:tokens=140"])
def test_so_is_attention(inside, monkeypatch, tiny, prompts, spec):
    seen = []

    def watched(call):
        def run(*args, **options):
            seen.append(inside[0])
            return call(*args, **options)

        return run

    for name in ("attention", "full_attention"):
        monkeypatch.setattr(forward, name, watched(getattr(forward, name)))
    with parse_backend(spec).attach(tiny("llama")):
        tiny("llama").generate(prompts(300)[0][None], max_new_tokens=3, do_sample=False)
    assert len(seen) == 9 and min(seen) == 1 and inside == [0]  # 3 layers, the prompt and two tokens
