"""Which dense kernel runs."""

import pytest
import torch
from torch.nn.attention import SDPBackend
from torch.nn.functional import scaled_dot_product_attention

from nl_tasks.kernels import dense

Q = torch.zeros(1, 2, 1024, 8)


def ours(q, k, v, *, scale):
    return q + 1


def failing(q, k, v, **options):
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


class OnGpu(torch.Tensor):
    is_cuda = True


@pytest.fixture
def row():
    """A generated token's query, and a short cache."""
    torch.manual_seed(0)
    return torch.randn(1, 4, 1, 8).half().as_subclass(OnGpu), torch.randn(1, 2, 9, 8).half()


@pytest.mark.parametrize("allowed", [True, False])
def test_a_generated_token_does_not_wait_for_cudnn(monkeypatch, row, allowed):
    q, k = row
    seen = []

    def watched(*inputs, **options):
        seen.append(torch.backends.cuda.cudnn_sdp_enabled())
        return scaled_dot_product_attention(*(x.as_subclass(torch.Tensor) for x in inputs), **options)

    before = torch.backends.cuda.cudnn_sdp_enabled()
    monkeypatch.setattr(dense, "scaled_dot_product_attention", watched)
    try:
        torch.backends.cuda.enable_cudnn_sdp(allowed)
        out = dense.fastest_dense(q, k, k, scale=0.3)
        assert seen == [False] and torch.backends.cuda.cudnn_sdp_enabled() is allowed
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)
    weights = (q.float() @ k.float().repeat_interleave(2, 1).mT * 0.3).softmax(-1)
    torch.testing.assert_close(out.float(), weights @ k.float().repeat_interleave(2, 1), atol=2e-3, rtol=2e-3)


def test_where_torch_has_no_other_kernel_it_decides(monkeypatch, row):
    def none(*inputs, **options):
        raise RuntimeError("No available kernel. Aborting execution.")

    monkeypatch.setattr(dense, "scaled_dot_product_attention", none)
    assert dense.fastest_dense(row[0], row[1], row[1], scale=0.3) is None
    monkeypatch.setattr(dense, "scaled_dot_product_attention", failing)
    with pytest.raises(torch.OutOfMemoryError):
        dense.fastest_dense(row[0], row[1], row[1], scale=0.3)
