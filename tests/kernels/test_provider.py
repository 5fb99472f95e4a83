"""Which of the registered kernels runs."""

import pytest
import torch

from nl_tasks.kernels import fa4, provider
from nl_tasks.kernels.plan import FullPlan


@pytest.fixture
def kernels(monkeypatch):
    """Two kernels, of which the one that comes first in the order pays from 100 rows on and has no bfloat16."""
    monkeypatch.setattr(provider, "_KERNELS", {})

    def long(*given, scale):
        raise NotImplementedError

    def short(*given, scale):
        raise NotImplementedError

    provider.kernel(FullPlan, "triton", lambda q, plan: q.dtype == torch.float16, pays_from=lambda plan: 100)(long)
    provider.kernel(FullPlan, "torch")(short)
    return long, short


@pytest.mark.parametrize("asked", ["auto", "sparse"])
def test_auto_leaves_short_inputs_to_the_next(kernels, asked):
    long, short = kernels
    for rows, expected in ((99, short), (100, long)):
        q = torch.zeros(1, 1, rows, 8, dtype=torch.float16)
        plan = FullPlan(rows, rows, 1, 1, q.device)
        assert provider.find_kernel(q, plan, asked) is expected
        assert provider.find_kernel(q, plan, "triton") is long  # who names it gets it
        assert provider.usable_providers(q, plan) == ["triton", "torch"]
    assert provider.find_kernel(q.bfloat16(), plan, asked) is short


def test_a_kernel_that_cannot_run_is_named(kernels):
    q = torch.zeros(1, 1, 9, 8)
    with pytest.raises(ValueError, match="provider='triton' cannot run a FullPlan on cpu with head dim 8"):
        provider.find_kernel(q, FullPlan(9, 9, 1, 1, q.device), "triton")


def test_a_flash_attn_4_that_cannot_be_imported_is_said_once_and_not_used(monkeypatch):
    def broken(module):
        raise ImportError("no cutlass of this time")

    monkeypatch.setattr(fa4, "find_spec", lambda module: module)
    monkeypatch.setattr(fa4, "import_module", broken)
    fa4.has_fa4.cache_clear()
    with pytest.warns(UserWarning, match="cannot be imported .ImportError: no cutlass of this time") as said:
        assert not fa4.has_fa4() and not fa4.has_fa4()
    assert len(said) == 1
    fa4.has_fa4.cache_clear()
