"""Dense attention of the layers and phases that a method leaves alone."""

import pytest
import torch

from nl_tasks.sparse_backends import full
from nl_tasks.sparse_backends.full import full_attention


@pytest.mark.parametrize("entries", [16, 2000, 2**24])
@pytest.mark.parametrize("window", [None, 1, 48, 200, 500])
@pytest.mark.parametrize("queries,keys", [(1, 1), (1, 200), (77, 200), (200, 200)])
def test_it_is_attention_of_what_each_row_sees(monkeypatch, queries, keys, window, entries):
    monkeypatch.setattr(full, "_MASK_ENTRIES", entries)
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 6, queries, 8), torch.randn(2, 3, keys, 8), torch.randn(2, 3, keys, 8)
    back = torch.arange(keys - queries, keys)[:, None] - torch.arange(keys)
    seen = (back >= 0) & (back < (window or keys))
    shared = [x.double().repeat_interleave(2, 1) for x in (k, v)]
    weights = (q.double() @ shared[0].mT * 0.3).masked_fill(~seen, -torch.inf).softmax(-1)
    found = full_attention(q, k, v, scale=0.3, window=window)
    torch.testing.assert_close(found.double(), weights @ shared[1], atol=2e-6, rtol=1e-5)


def test_a_window_is_gone_through_in_few_steps(monkeypatch):
    masks = []

    def watched(q, k, v, allowed, *, scale):
        masks.append(allowed.numel())
        return torch.zeros_like(q)

    monkeypatch.setattr(full, "scaled_dot_product_attention", watched)
    q = torch.zeros(1, 1, 2**17, 1)
    full_attention(q, q, q, scale=1.0, window=1024)
    assert len(masks) < 40 and max(masks) <= 2**24
