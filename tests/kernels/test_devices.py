"""Which GPUs run our kernels, and that they are launched on the one where their inputs lie."""

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


@pytest.mark.parametrize(("version", "fits"), [((7, 5), False), ((8, 0), True), ((9, 0), True), ((12, 0), True)])
def test_triton_kernels_are_for_ampere_and_newer(monkeypatch, version, fits):
    monkeypatch.setattr(devices, "has_triton", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: version)
    devices._fits_kernels.cache_clear()
    assert devices.runs_triton(SimpleNamespace(is_cuda=True, device=torch.device("cuda:0"))) is fits
    devices._fits_kernels.cache_clear()


def test_a_triton_without_descriptors_counts_as_none(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("No module named 'triton'")

    for find, expected in ((missing, False), (lambda name: None, False), (lambda name: name, True)):
        monkeypatch.setattr(devices, "find_spec", find)
        assert devices.has_triton.__wrapped__() is expected


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
