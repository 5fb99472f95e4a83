"""Which dense kernel runs."""

import pytest
import torch
from torch.nn.attention import SDPBackend

from nl_tasks.kernels import dense

Q = torch.zeros(1, 2, 1024, 8)


def ours(q, k, v, *, scale):
    return q + 1


def failing(q, k, v, *, scale):
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_a_kernel_of_torch_that_is_not_there_is_passed_over(monkeypatch):
    def cudnn(q, k, v, *, scale):  # which a CPU has not, as torch says in its own words
        return dense._sdpa(SDPBackend.CUDNN_ATTENTION, q, k, v, scale=scale)

    with pytest.raises(RuntimeError, match=r"No (available kernel|viable backend)"):
        cudnn(Q, Q, Q, scale=1.0)
    monkeypatch.setattr(dense, "dense_kernels", lambda q, k: {"cudnn": cudnn, "ours": ours})
    assert torch.equal(dense.fastest_dense(Q, Q, Q, scale=1.0), Q + 1)
    monkeypatch.setattr(dense, "dense_kernels", lambda q, k: {"cudnn": cudnn})
    assert dense.fastest_dense(Q, Q, Q, scale=1.0) is None


def test_what_goes_wrong_otherwise_is_not_hidden(monkeypatch):
    monkeypatch.setattr(dense, "dense_kernels", lambda q, k: {"failing": failing, "ours": ours})
    with pytest.raises(torch.OutOfMemoryError):
        dense.fastest_dense(Q, Q, Q, scale=1.0)
