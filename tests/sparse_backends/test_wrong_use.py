"""Wrong use of backends gets one line that says what is wrong and what would be right."""

import re
from dataclasses import dataclass

import pytest
import torch

pytest.importorskip("transformers")

import transformers

from nl_tasks.sparse_backends import get_backend, parse_backend
from nl_tasks.sparse_backends.base import Backend
from nl_tasks.sparse_backends.evict import Slot
from nl_tasks.sparse_backends.hook import _slot
from nl_tasks.sparse_backends.registry import register

WRONG = {
    "qest": "unknown backend 'qest': did you mean quest?",
    "zzz": "unknown backend 'zzz': known are",
    "quest:token=5": "quest has no parameter 'token': did you mean tokens?",
    "quest:tokens=12": "quest: tokens=12 is out of range: tokens >= page",
    "quest:tokens=many": "quest: tokens='many' is not of type int",
    "quest:share_pages=maybe": "quest: share_pages='maybe' is not of type bool",
    "quest:sparsity=0.9,tokens=512": "quest: give sparsity=0.9 or tokens, not both",
    "quest:sparsity=0.9,sparsity=0.8": "'sparsity' is given twice",
    "quest:sparsity": "write 'sparsity' as parameter=value",
    "vertical_slash:sparsity=0.9,slashes=70": "vertical_slash: give sparsity=0.9 or slashes, not both",
    "block_sparse:sparsity=1.0": "block_sparse: sparsity=1.0 is out of range: 0 <= sparsity < 1",
    "block_sparse:sparsity=-0.1": "block_sparse: sparsity=-0.1 is out of range: 0 <= sparsity < 1",
    "block_sparse:block=20": "block_sparse: block=20 is out of range: one of 16, 32, 64, 128",
    "xattention:stride=7": "xattention: stride=7 is out of range: a divisor of block",
    "snapkv:kernel=4": "snapkv: kernel=4 is out of range: an odd number >= 1",
    "snapkv:tokens=100": "snapkv: tokens=100 is out of range: tokens >= 132",
    "ada_snapkv:min_share=2": "ada_snapkv: min_share=2.0 is out of range",
    "oracle:phase=later": "oracle: phase='later' is out of range: one of prefill, decode",
    "dense:sparsity=0.5": "dense: sparsity=0.5 is out of range: 0, dense attention leaves nothing out",
    "streaming:window=0": "streaming: window=0 is out of range: window >= 1",
    "flexprefill:alpha=1.5": "flexprefill: alpha=1.5 is out of range",
}


SPARSE = ["vertical_slash", "block_sparse", "flexprefill", "xattention", "streaming", "quest", "snapkv", "ada_snapkv"]
SPARSE += ["tova", "oracle", "random"]


@pytest.mark.parametrize("text", WRONG)
def test_a_misspelt_or_impossible_backend_is_named(text):
    with pytest.raises(ValueError, match=re.escape(WRONG[text])) as raised:
        parse_backend(text)
    assert "\n" not in str(raised.value)


def test_a_backend_is_read_back_from_its_spec():
    for text in ("quest", "quest:sparsity=0.9", "oracle:phase=decode,unit=block,tokens=30", "quest:share_pages=false"):
        assert parse_backend(parse_backend(text).spec) == parse_backend(text)
    assert get_backend("quest", tokens=512).spec == "quest:tokens=512"


@pytest.mark.parametrize(
    "text",
    [*SPARSE, "random:phase=decode", "oracle:phase=decode", "oracle:unit=block"],
)
def test_a_budget_below_what_is_always_kept_names_the_shortest_length_that_works(text, planted):
    backend = parse_backend(f"{text}{',' if ':' in text else ':'}sparsity=0.99")
    decodes = backend.phase == "decode"

    def plan(keys):
        q, k, _ = planted(1, 2, 1, 1 if decodes else keys, keys)
        return backend.plan(q, k, scale=0.25, prompt=keys)

    with pytest.raises(ValueError) as raised:
        backend.check(1 if backend.phase != "prefill" else 40, 40)
    line = str(raised.value)
    assert "sparsity=0.99 is out of range: at 40 tokens" in line and "\n" not in line
    works = int(line.rpartition("works from ")[2].split()[0])
    if backend.phase != "prefill":
        backend.check(1, works)
        with pytest.raises(ValueError):
            backend.check(1, works - 1)
    elif works < 4096:
        assert float(plan(works).density().mean()) == pytest.approx(0.01, rel=0.1)
    with pytest.raises(ValueError, match="out of range"):
        plan(40)


def test_too_sparse_is_said_before_anything_is_computed(tiny, prompts):
    with parse_backend("quest:sparsity=0.9").attach(tiny("llama")) as run:
        with pytest.raises(ValueError, match="works from 160 tokens on"):
            tiny("llama").generate(prompts(100)[0][None], max_new_tokens=2, do_sample=False)
        assert not len(run.density().nonzero()) or torch.isnan(run.density()).all()


def test_models_that_cannot_be_hooked_are_named(tiny):
    backend = parse_backend("quest")
    with pytest.raises(ValueError, match="cannot hook Linear: it is not a transformers model"):
        backend.attach(torch.nn.Linear(2, 2)).__enter__()
    t5 = transformers.T5ForConditionalGeneration(
        transformers.T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    )
    with pytest.raises(ValueError, match="cannot hook T5ForConditionalGeneration: it has an encoder"):
        backend.attach(t5).__enter__()
    bert = transformers.BertModel(
        transformers.BertConfig(
            vocab_size=20, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2
        )
    )
    with pytest.raises(ValueError, match="cannot hook BertModel"):
        backend.attach(bert).__enter__()
    mamba = transformers.MambaForCausalLM(transformers.MambaConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1))
    with pytest.raises(ValueError, match="cannot hook MambaForCausalLM"):
        backend.attach(mamba).__enter__()
    gemma2 = transformers.Gemma2ForCausalLM(
        transformers.Gemma2Config(
            vocab_size=20,
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            head_dim=4,
            num_key_value_heads=1,
        )
    )
    with pytest.raises(ValueError, match="caps the scores"):
        backend.attach(gemma2).__enter__()


def test_a_second_backend_on_a_model_is_refused(tiny):
    with (
        parse_backend("quest").attach(tiny("llama")),
        pytest.raises(ValueError, match="a backend is attached to this LlamaForCausalLM already"),
        parse_backend("tova").attach(tiny("llama")),
    ):
        pass


def test_training_and_static_caches_are_refused(tiny, prompts):
    model, row = tiny("llama", attention_dropout=0.5), prompts(30)[0][None]
    with parse_backend("streaming").attach(model):
        with pytest.raises(ValueError, match=r"dropout=0.5 is out of range: 0; call model.eval\(\)"):
            model.train()(row)
        with pytest.raises(ValueError, match="cache_implementation='dynamic'"):
            model.eval().generate(row, max_new_tokens=3, do_sample=False, cache_implementation="static")
        with pytest.raises(ValueError, match="packed or custom masks"):
            model(row, position_ids=torch.arange(30)[None] % 10, use_cache=False)


def test_a_model_that_shares_the_config_is_told_so(tiny, prompts):
    model = tiny("llama")
    other = type(model)(model.config).eval()
    with (
        parse_backend("streaming:window=40").attach(model),
        pytest.raises(ValueError, match="another model that shares this one's config"),
    ):
        other(prompts(100)[0][None])


def test_an_offloaded_cache_is_not_evicted_from(tiny):
    module = tiny("llama").model.layers[0].self_attn
    cache = transformers.DynamicCache(config=tiny("llama").config)
    assert isinstance(_slot({id(module): cache}, True, module), Slot)
    cache.offloading = True  # what `offloading=True` leads to, which wants a GPU
    with pytest.raises(ValueError, match="offloaded to the CPU: use a DynamicCache on the GPU"):
        _slot({id(module): cache}, True, module)
    assert isinstance(_slot({id(module): cache}, False, module), Slot)


@pytest.mark.parametrize("spec,reads_on", [("ada_snapkv:tokens=150,min_share=0.1", False), ("snapkv:tokens=140", True)])
def test_what_heads_kept_unlike_is_not_read_without_the_backend(tiny, prompts, spec, reads_on):
    model, cache = tiny("llama"), transformers.DynamicCache()
    token = torch.tensor([[5]])
    with parse_backend(spec).attach(model), torch.no_grad():
        model(prompts(300)[0][None], past_key_values=cache)
        model(token, past_key_values=cache)
        assert cache.get_seq_length() == 301
    if reads_on:  # all heads kept as many: nothing is padded
        with torch.no_grad():
            assert model(token, past_key_values=cache).logits.isfinite().all()
        return
    with torch.no_grad(), pytest.raises(ValueError, match="kept different numbers of tokens"):
        model(token, past_key_values=cache)


def test_two_classes_cannot_share_a_name():
    with pytest.raises(ValueError, match="a backend named 'quest' is registered already"):

        @register
        class Other(Backend):
            name = "quest"


def test_a_parameter_may_not_hide_a_method():
    @dataclass(frozen=True, kw_only=True)
    class Priced(parse_backend("quest").__class__):
        cost: float = 0.5

    with pytest.raises(ValueError, match="quest: no parameter may be called 'cost', which is a method of Backend"):
        Priced()
