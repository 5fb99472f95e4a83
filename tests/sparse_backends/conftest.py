"""Made-up queries and keys with the shape of real attention, and attention over a mask in float64."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def planted():
    """`planted(batch, heads, kv, queries, keys, dim=16, seed=0)`: q, k, v with sinks, a neighbourhood, unlike heads."""

    def make(batch, heads, kv, queries, keys, dim=16, seed=0):
        bits = torch.Generator().manual_seed(seed)

        def normal(*shape):
            return torch.randn(*shape, generator=bits)

        steps = normal(batch, kv, keys + 31, dim).cumsum(2)
        walk = torch.nn.functional.pad(steps, (0, 0, 1, 0))
        smooth = (walk[:, :, 32:] - walk[:, :, :-32]) / 32**0.5  # alike within 32 tokens, unit variance
        k = smooth + 0.7 * normal(batch, kv, keys, dim)
        k[:, :, :2, 0] += 6.0
        gain = torch.linspace(0.6, 1.8, heads).view(1, heads, 1, 1)
        q = smooth[:, :, keys - queries :].repeat_interleave(heads // kv, 1) * gain
        q = q + 0.7 * normal(batch, heads, queries, dim)
        q[..., 0] += gain[..., 0] * 0.8
        return q, k, normal(batch, kv, keys, dim)

    return make


@pytest.fixture(scope="session")
def unmasked():
    """`unmasked(q, k, scale)`: float64 weights of one head before any mask and norm, `[T, S]`."""

    def weights(q, k, scale):
        scores = q.double() @ k.double().T * scale
        return scores.sub_(scores.amax(-1, keepdim=True)).exp_()

    return weights


@pytest.fixture(scope="session")
def masked():
    """`masked(weights, mask, v)`: attention output of one head in float64, from what `unmasked` gives."""

    def attend(weights, mask, v):
        kept = weights * mask
        return kept @ v.double() / kept.sum(-1, keepdim=True)

    return attend
