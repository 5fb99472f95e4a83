import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from nl_tasks.probe_adapter import assemble, read_adapter, write_adapter  # noqa: E402
from nl_tasks.probe_llama import LINEARS, hidden_states, logits, read_base  # noqa: E402
from nl_tasks.probe_lowrank import LowRank  # noqa: E402


@pytest.fixture(scope="module")
def base(tiny_llama):
    return read_base(tiny_llama(), device="cpu", dtype=torch.float32)


def _updates(base, seed=0):
    updates = LowRank({name: w.shape for name, w in base.linears.items()}, rank=4, scale=2.0, seed=seed)
    with torch.no_grad():
        for name in LINEARS:
            updates.up[name].normal_(0, 0.05, generator=torch.Generator().manual_seed(seed))
    return updates


def test_logits_are_those_of_transformers(base, tiny_llama):
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama(), dtype=torch.float32)
    tokens = torch.randint(0, 1000, (3, 37), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model(tokens).logits.flatten(0, 1)
        found = logits(base, hidden_states(base, base.linears, tokens))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_updates_begin_as_nothing_and_take_all_gradients(base):
    updates = LowRank({name: w.shape for name, w in base.linears.items()}, rank=2, scale=2.0)
    merged = updates.merged(base.linears)
    assert all(torch.equal(merged[name], base.linears[name]) for name in LINEARS)
    updates = _updates(base)
    tokens = torch.randint(0, 1000, (2, 9), generator=torch.Generator().manual_seed(1))
    logits(base, hidden_states(base, updates.merged(base.linears), tokens)).logsumexp(-1).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in updates.parameters())
    assert not any(w.requires_grad for w in base.linears.values())


def test_eight_bits_keep_an_update_within_a_hundredth(base, tmp_path):
    updates = _updates(base)
    write_adapter(tmp_path / "adapter.safetensors", updates, {"step": 7})
    read, facts = read_adapter(tmp_path / "adapter.safetensors")
    assert facts["step"] == 7 and read.scale == 2.0 and read.rank == 4
    for name in LINEARS:
        exact = (updates.up[name] @ updates.down[name]).detach()
        kept = (read.up[name] @ read.down[name]).detach()
        assert (kept - exact).norm() < 0.015 * exact.norm()
    write_adapter(tmp_path / "again.safetensors", read, {"step": 7})
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "adapter.safetensors").read_bytes()


def test_an_assembled_model_says_what_was_trained(base, tiny_llama, tmp_path):
    write_adapter(tmp_path / "adapter.safetensors", _updates(base), {})
    updates, _ = read_adapter(tmp_path / "adapter.safetensors")
    assemble(tiny_llama(), tmp_path / "adapter.safetensors", tmp_path / "model", context=5000)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32)
    transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    tokens = torch.randint(0, 1000, (1, 20), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = logits(base, hidden_states(base, updates.merged(base.linears), tokens))
        plain = logits(base, hidden_states(base, base.linears, tokens))
        found = model(tokens).logits[0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert (found - plain).abs().max() > 1e-2
    assert model.config.max_position_embeddings == 5000
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_adapter_of_another_base_is_refused(base, tiny_llama, tmp_path):
    shapes = {name: torch.Size((3, *w.shape[1:])) for name, w in base.linears.items()}
    write_adapter(tmp_path / "adapter.safetensors", LowRank(shapes, rank=1, scale=1.0), {})
    with pytest.raises(ValueError, match="is for another base"):
        assemble(tiny_llama(), tmp_path / "adapter.safetensors", tmp_path / "model")
    (tmp_path / "no.safetensors").write_bytes(b"no")
    with pytest.raises(ValueError, match="cannot be read"):
        read_adapter(tmp_path / "no.safetensors")
