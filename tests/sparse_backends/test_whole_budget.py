"""With a budget of everything, every backend is dense attention: on five architectures, padded or not, and in SmolLM2.

Nothing is approximate here, so what differs is the hook, the masks, the cache or a kernel.
"""

import pytest
import torch

pytest.importorskip("transformers")

from nl_tasks.sparse_backends import backend_types, parse_backend

WHOLE = [
    "dense",
    "vertical_slash:verticals=9999,slashes=9999",
    "vertical_slash:sparsity=0",
    "block_sparse:top_blocks=9999",
    "block_sparse:sparsity=0",
    "flexprefill:alpha=1",
    "flexprefill:sparsity=0",
    "xattention:threshold=1",
    "xattention:sparsity=0",
    "streaming:window=9999",
    "streaming:sparsity=0",
    "quest:tokens=9999",
    "quest:tokens=9999,share_pages=false,page=7",
    "quest:sparsity=0",
    "snapkv:tokens=9999",
    "snapkv:sparsity=0",
    "ada_snapkv:tokens=9999",
    "ada_snapkv:sparsity=0",
    "tova:tokens=9999",
    "tova:sparsity=0",
    "oracle:tokens=9999",
    "oracle:sparsity=0,unit=block",
    "oracle:phase=decode,tokens=9999",
    "oracle:phase=decode,unit=block,sparsity=0",
    "random:tokens=9999",
    "random:phase=decode,sparsity=0",
]
ARCHITECTURES = ["llama", "qwen2", "qwen3", "mistral", "gemma3"]
LONG = ("llama",)  # where a prompt of 1000 tokens is read as well: they take most of the time
BATCHES = {"left": (65, 1, 63), "right": (64, 2, 65)}


@pytest.fixture(scope="module")
def dense(tiny, prompts, padded):
    """What transformers' own attention makes of each input, by architecture."""
    found = {}

    def of(name):
        if name not in found:
            model = tiny(name)
            lengths = (1, 2, 63, 64, 65, *([1000] if name in LONG else []))
            inputs = [{"input_ids": prompts(length)[0][None]} for length in lengths]
            inputs += [padded(prompts(*lengths), side) for side, lengths in BATCHES.items()]
            with torch.no_grad():
                logits = [model(**one).logits for one in inputs]
            said = model.generate(**inputs[-2], max_new_tokens=32, do_sample=False)
            found[name] = list(zip(inputs, logits)), said
        return found[name]

    return of


def test_every_backend_is_here():
    assert {spec.partition(":")[0] for spec in WHOLE} == {
        name for name, cls in backend_types().items() if cls.__module__.startswith("nl_tasks.")
    }


# A budget is solved for in the same way on any architecture.
CASES = [(spec, name) for spec in WHOLE for name in (["llama"] if "sparsity=0" in spec else ARCHITECTURES)]


@pytest.mark.parametrize("spec,name", CASES)
def test_logits_and_generated_tokens_are_those_of_dense_attention(spec, name, tiny, dense):
    model, (calls, said) = tiny(name), dense(name)
    with parse_backend(spec).attach(model) as run, torch.no_grad():
        for inputs, expected in calls:
            logits = model(**inputs).logits
            real = inputs.get("attention_mask", torch.ones_like(inputs["input_ids"])).bool()
            torch.testing.assert_close(logits[real], expected[real], atol=1e-5, rtol=0)
        run.start()
        assert torch.equal(model.generate(**calls[-2][0], max_new_tokens=32, do_sample=False), said)
    density = run.density().nanmean(1)
    first = 1 if name == "gemma3" else 0  # its layers with a window are left alone
    assert torch.isnan(density[:first]).all()
    assert density[first:].tolist() == [1.0] * (3 - first)


@pytest.mark.model
def test_smollm2_is_itself(smollm2):
    model, tokenizer = smollm2
    text = "The quick brown fox jumps over the lazy dog. " * 30
    long = tokenizer(text, return_tensors="pt").input_ids[:, :90]
    tokenizer.padding_side = "left"
    batch = tokenizer([text[:200], "Say", text[40:230]], return_tensors="pt", padding=True)
    with torch.no_grad():
        expected = model(long).logits
        said = model.generate(**batch, max_new_tokens=8, do_sample=False)
        for spec in WHOLE:
            if "sparsity=0" in spec or "page=7" in spec:
                continue
            backend = parse_backend(spec)
            with backend.attach(model):
                # Logits reach 36 here, and transformers' own two attentions (eager, sdpa) are 6e-5 apart.
                torch.testing.assert_close(model(long).logits, expected, atol=1e-4, rtol=0, msg=spec)
                if backend.name in ("quest", "ada_snapkv", "tova"):
                    assert torch.equal(model.generate(**batch, max_new_tokens=8, do_sample=False), said), spec
