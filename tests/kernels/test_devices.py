"""Kernels are launched on the GPU where their inputs lie."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from nl_tasks.kernels import attention as attention_module
from nl_tasks.kernels import devices, provider
from nl_tasks.kernels.plan import FullPlan


def test_the_gpu_of_a_tensor_is_the_current_one_meanwhile(monkeypatch):
    entered = []
    monkeypatch.setattr(torch.cuda, "device", lambda device: SimpleNamespace(asked=entered.append(device)))
    devices.on_device_of(SimpleNamespace(is_cuda=True, device=torch.device("cuda:1")))
    assert entered == [torch.device("cuda:1")]
    with devices.on_device_of(torch.zeros(1)):  # a CPU has none
        pass
    assert len(entered) == 1


def test_attention_runs_there(monkeypatch):
    inside = []

    @contextmanager
    def there(x):
        inside.append(x)
        yield
        inside.pop()

    def kernel(q, k, v, plan, *, scale):
        return inside[-1], scale

    monkeypatch.setattr(attention_module, "on_device_of", there)
    monkeypatch.setattr(provider, "_KERNELS", {})
    provider.kernel(FullPlan, "torch")(kernel)
    q = torch.zeros(1, 2, 3, 8)
    ran_with, _ = attention_module.attention(q, q, q, FullPlan(3, 3, 1, 2, q.device), scale=1.0)
    assert ran_with is q and inside == []


def test_a_kernel_that_fails_leaves_the_gpu_as_it_was(monkeypatch):
    left = []

    @contextmanager
    def there(x):
        try:
            yield
        finally:
            left.append(x)

    monkeypatch.setattr(attention_module, "on_device_of", there)
    q = torch.zeros(1, 2, 3, 8)
    with pytest.raises(ValueError, match="cannot run a FullPlan"):
        attention_module.attention(q, q, q, FullPlan(3, 3, 1, 2, q.device), scale=1.0, provider="flex")
    assert left == [q]
