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


SHAPE = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 4096,
    "initializer_range": 0.15,  # wide enough for attention to matter
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": None,
}
WINDOWS = {"sliding_window": 48, "layer_types": ["sliding_attention", "full_attention", "full_attention"]}
TINY = {
    "llama": ("Llama", {}),
    "qwen2": ("Qwen2", {}),
    "qwen3": ("Qwen3", {}),
    "mistral": ("Mistral", {"sliding_window": None}),
    "gemma3": ("Gemma3", WINDOWS),
}


@pytest.fixture(scope="session")
def tiny():
    """`tiny(name)`: a random model of 3 layers, 4 query and 2 KV heads; `gemma3` has a first layer with a window."""
    transformers = pytest.importorskip("transformers")
    made = {}

    def make(name, **changes):
        if name not in made or changes:
            family, own = TINY[name]
            kind = f"{family}TextConfig" if name == "gemma3" else f"{family}Config"
            config = getattr(transformers, kind)(**{**SHAPE, **own, **changes})
            torch.manual_seed(0)
            model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
            if changes:
                return model
            made[name] = model
        return made[name]

    return make


@pytest.fixture(scope="session")
def prompts():
    """`prompts(*lengths)`: rows of random tokens, no padding among them."""

    def make(*lengths, seed=0):
        bits = torch.Generator().manual_seed(seed)
        return [torch.randint(2, 97, (length,), generator=bits) for length in lengths]

    return make


@pytest.fixture(scope="session")
def padded():
    """`padded(rows, side)`: input_ids and attention_mask of rows of different length, padded on the left or right."""

    def make(rows, side):
        longest = max(map(len, rows))
        ids, mask = torch.zeros(2, len(rows), longest, dtype=torch.long)
        for number, row in enumerate(rows):
            place = slice(longest - len(row), longest) if side == "left" else slice(0, len(row))
            ids[number, place], mask[number, place] = row, 1
        return {"input_ids": ids, "attention_mask": mask}

    return make


@pytest.fixture(scope="session")
def smollm2():
    """SmolLM2-135M-Instruct in float32, and its tokenizer."""
    transformers = pytest.importorskip("transformers")
    from nl_tasks.local_models import model_folder

    try:
        folder = model_folder("smollm2")
    except ValueError as missing:
        pytest.skip(str(missing))
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return model, transformers.AutoTokenizer.from_pretrained(folder)
