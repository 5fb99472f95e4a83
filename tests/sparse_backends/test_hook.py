"""The hook: what it makes sparse and what it leaves alone, by which doors it is entered, and how it is left."""

import subprocess
import sys

import pytest
import torch

pytest.importorskip("transformers")

import transformers

from nl_tasks.sparse_backends import parse_backend, use_by_name

PREFILL = ["vertical_slash:verticals=8,slashes=64", "block_sparse:top_blocks=4", "streaming:window=40"]


def said(model, row, **options):
    return model.generate(row, max_new_tokens=10, do_sample=False, **options)


def phases(spec, model, *calls):
    """The densities [layers] of a backend after each of some calls on one cache."""
    found = []
    cache = transformers.DynamicCache(config=model.config)
    with parse_backend(spec).attach(model) as run, torch.no_grad():
        for ids in calls:
            run.start()
            model(ids, past_key_values=cache)
            found.append(run.density().nanmean(1).tolist())
    return found


def test_prompt_and_generated_token_are_told_apart_by_shapes(tiny, prompts):
    model = tiny("llama")
    prompt, one = prompts(200)[0][None], prompts(1)[0][None]
    whole, step = phases("streaming:window=40", model, prompt, one)
    assert max(whole) < 0.5 and len(step) == 3 and all(x != x for x in step)  # NaN: it did not act
    whole, step, next_step = phases("quest:tokens=48", model, prompt, one, one)
    assert all(x != x for x in whole)
    assert step == [pytest.approx(41 / 201)] * 3 and next_step == [pytest.approx(42 / 202)] * 3  # 2 pages + the newest


def test_a_prompt_of_one_token_is_a_prompt(tiny, prompts):
    model = tiny("llama")
    one = prompts(1)[0][None]
    first, second = phases("streaming:window=40", model, one, one)
    assert first == [1.0] * 3 and all(x != x for x in second)
    first, second = phases("quest:tokens=48", model, one, one)
    assert all(x != x for x in first) and second == [1.0] * 3


@pytest.mark.parametrize(
    "spec", ["quest:tokens=48", "quest:sparsity=0.6", "streaming:window=40", "oracle:phase=decode,tokens=30"]
)
def test_a_prompt_in_chunks_says_the_same(spec, tiny, prompts):
    model, row = tiny("llama"), prompts(200)[0][None]
    with parse_backend(spec).attach(model) as run:
        whole = said(model, row)
        whole_density = run.density()
        run.start()
        assert torch.equal(said(model, row, prefill_chunk_size=64), whole)
        torch.testing.assert_close(run.density(), whole_density, atol=0.01, rtol=0)


@pytest.mark.parametrize(
    "spec", ["vertical_slash:sparsity=0.4", "block_sparse:sparsity=0.6", "xattention:threshold=0.5"]
)
def test_a_chunk_is_planned_for_its_own_rows(spec, tiny, prompts):
    model, row = tiny("llama"), prompts(640)[0][None]
    first, second = phases(spec, model, row[:, :320], row[:, 320:])
    assert max(first + second) < 0.9
    if "sparsity" in spec:
        asked = 1 - parse_backend(spec).sparsity
        assert first + second == pytest.approx([asked] * 6, rel=0.05)


def test_eviction_needs_the_prompt_in_one_call(tiny, prompts):
    model, row = tiny("llama"), prompts(300)[0][None]
    with (
        parse_backend("snapkv:tokens=140").attach(model),
        pytest.raises(ValueError, match="snapkv evicts after the first call, which must hold the whole prompt"),
    ):
        said(model, row, prefill_chunk_size=128)


@pytest.mark.parametrize("spec", ["snapkv:tokens=140", "ada_snapkv:tokens=140", "tova:tokens=30"])
def test_an_evicted_cache_gives_its_memory_back(spec, tiny, prompts):
    model, row = tiny("llama"), prompts(300)[0][None]
    with parse_backend(spec).attach(model), torch.no_grad():
        found = model.generate(row, max_new_tokens=5, do_sample=False, return_dict_in_generate=True)
    cache = found.past_key_values
    assert cache.get_seq_length() == 304  # positions go on from what was seen
    longest = 300 if spec.startswith("ada") else int(spec.partition("=")[2]) + 4
    assert all(layer.keys.shape[2] <= longest and layer.keys.shape == layer.values.shape for layer in cache.layers)


def test_layers_with_a_window_stay_dense(tiny, prompts):
    model, row = tiny("gemma3"), prompts(300)[0][None]
    for spec in ("streaming:window=40", "quest:tokens=48", "snapkv:tokens=140", "tova:tokens=30"):
        with parse_backend(spec).attach(model) as run:
            said(model, row)
        density = run.density().nanmean(1)
        assert torch.isnan(density[0]) and float(density[1:].max()) < 0.6
    window = tiny("mistral", sliding_window=32)
    with pytest.raises(ValueError, match="every layer stays dense"), parse_backend("quest").attach(window):
        pass


def test_chosen_layers_stay_dense(tiny, prompts):
    model, row = tiny("llama"), prompts(200)[0][None]
    with parse_backend("streaming:window=20").attach(model, dense_layers=[0, -1]) as run, torch.no_grad():
        some = model(row).logits
    assert [x != x for x in run.density().nanmean(1).tolist()] == [True, False, True]
    with parse_backend("streaming:window=20").attach(model), torch.no_grad():
        assert float((model(row).logits - some).abs().max()) > 1e-3
    with pytest.raises(ValueError, match=r"dense_layers holds 3, which is out of range: -3 to 2"):
        parse_backend("quest").attach(model, dense_layers=[3]).__enter__()


def state(model):
    configs = {id(part.config): part.config._attn_implementation for part in model.modules() if hasattr(part, "config")}
    hooks = [
        (len(part._forward_hooks), len(part._forward_pre_hooks), sorted(part.__dict__)) for part in model.modules()
    ]
    return configs, hooks


@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_everything_is_restored(name, tiny, prompts):
    model, row = tiny(name), prompts(100)[0][None]
    with torch.no_grad():
        before, expected = state(model), model(row).logits
        with parse_backend("streaming:window=20").attach(model):
            inside = model(row).logits
            assert state(model) != before
        assert state(model) == before and torch.equal(model(row).logits, expected)
        assert not torch.equal(inside, expected)
        with pytest.raises(KeyError), parse_backend("tova:tokens=8").attach(model):
            model(row)
            raise KeyError("of the user's")
        assert state(model) == before and torch.equal(model(row).logits, expected)
        with pytest.raises(ValueError, match="works from"), parse_backend("snapkv:sparsity=0.9").attach(model):
            model(row)  # an error in the middle of the model
        assert state(model) == before and torch.equal(model(row).logits, expected)


def test_importing_patches_nothing():
    code = """
import transformers, torch
from transformers import cache_utils, masking_utils, modeling_utils, AttentionInterface, AttentionMaskInterface
from transformers.integrations import sdpa_attention
from transformers.models.llama import modeling_llama
places = [transformers.PreTrainedModel, cache_utils, cache_utils.DynamicLayer, cache_utils.Cache, masking_utils,
          modeling_utils, sdpa_attention, modeling_llama, torch.nn.Module, torch.nn.functional]
before = [dict(vars(place)) for place in places]
known = dict(AttentionInterface()._global_mapping), dict(AttentionMaskInterface()._global_mapping)
import nl_tasks.sparse_backends
for place, was in zip(places, before):
    now = vars(place)
    changed = [name for name in was if now.get(name) is not was[name]]
    assert not changed and set(now) == set(was), (place, changed, set(now) ^ set(was))
for table, was in zip((AttentionInterface(), AttentionMaskInterface()), known):
    now = table._global_mapping
    assert all(now[name] is function for name, function in was.items())
    assert all(name.startswith("nl_") for name in set(now) - set(was))
    assert "nl_quest" in now
print("nothing")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "nothing\n", done.stderr


@pytest.mark.parametrize(
    "spec", [*PREFILL, "flexprefill:alpha=0.3", "quest:tokens=48", "snapkv:tokens=140", "tova:tokens=40"]
)
def test_by_name_says_what_attached_says(spec, tiny, prompts, padded):
    model = tiny("llama")
    batch, other = padded(prompts(200, 150), "left"), prompts(180, seed=4)[0][None]
    use_by_name(parse_backend(spec), f"nl_{spec}")
    with parse_backend(spec).attach(model):
        expected = said(model, other), said(model, batch["input_ids"], attention_mask=batch["attention_mask"])
    model.set_attn_implementation(f"nl_{spec}")
    try:
        for _ in range(2):  # one sequence after another
            assert torch.equal(said(model, other), expected[0])
            assert torch.equal(said(model, batch["input_ids"], attention_mask=batch["attention_mask"]), expected[1])
    finally:
        model.set_attn_implementation("sdpa")


def test_by_name_a_model_whose_every_layer_slides_is_refused(tiny, prompts):
    row = prompts(40)[0][None]
    for model, fits in ((tiny("mistral", sliding_window=64), False), (tiny("gemma3"), True)):
        model.set_attn_implementation("nl_streaming")
        try:
            if fits:
                said(model, row)
            else:
                with pytest.raises(ValueError, match="streaming: every layer stays dense"):
                    said(model, row)
        finally:
            model.set_attn_implementation("sdpa")


def test_every_backend_has_a_name_in_transformers(tiny, prompts, tmp_path):
    tiny("llama").save_pretrained(tmp_path)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="nl_quest")
    row = prompts(40)[0][None]
    assert torch.equal(said(model, row), said(tiny("llama"), row))  # 40 tokens are fewer than its default budget


def test_a_model_spread_over_devices_works(tiny, prompts, tmp_path):
    pytest.importorskip("accelerate")
    tiny("llama").save_pretrained(tmp_path / "model")
    places = {
        "model.embed_tokens": "cpu",
        "model.layers.0": "cpu",
        "model.layers.1": "disk",
        "model.layers.2": "disk",
        "model.norm": "cpu",
        "model.rotary_emb": "cpu",
        "lm_head": "cpu",
    }
    spread = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "model", device_map=places, offload_folder=str(tmp_path / "offload")
    )
    assert spread.model.layers[1].self_attn.q_proj.weight.device.type == "meta"  # loaded when it is its turn
    row = prompts(300)[0][None]
    for spec in ("streaming:window=20", "quest:tokens=48", "snapkv:tokens=140"):
        with parse_backend(spec).attach(tiny("llama")):
            expected = said(tiny("llama"), row)
        with parse_backend(spec).attach(spread) as run:
            assert torch.equal(said(spread, row), expected)
        assert float(run.density().max()) < 0.7


def test_a_config_with_a_window_of_none_is_no_window(prompts):
    config = transformers.Qwen2MoeConfig(
        vocab_size=97, hidden_size=32, intermediate_size=32, moe_intermediate_size=16,
        shared_expert_intermediate_size=16, num_experts=2, num_experts_per_tok=1, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2,
        use_sliding_window=False, eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    model, row = transformers.Qwen2MoeForCausalLM(config).eval(), prompts(100)[0][None]
    assert config.sliding_window == 0 or config.sliding_window is None
    expected = said(model, row)
    with parse_backend("streaming:window=400").attach(model):
        assert torch.equal(said(model, row), expected)


def test_beams_are_reordered_with_what_they_keep(tiny, prompts):
    model, row = tiny("llama"), prompts(300)[0][None]
    options = {"num_beams": 3, "max_new_tokens": 8, "do_sample": False}
    with parse_backend("ada_snapkv:tokens=299").attach(model):
        kept = model.generate(row, **options)
    assert kept.shape == (1, 308)
    with parse_backend("quest:tokens=9999").attach(model):
        assert torch.equal(model.generate(row, **options), model.generate(row, **options))


def test_what_is_observed_is_what_was_run(tiny, prompts):
    model, row, seen = tiny("llama"), prompts(200)[0][None], []
    with parse_backend("streaming:window=40").attach(model, observe=lambda **call: seen.append(call)) as run:
        model(row)
    assert [call["layer"] for call in seen] == [0, 1, 2]
    for call in seen:
        assert call["q"].shape == (1, 4, 200, 16) and call["k"].shape == (1, 2, 200, 16)
        assert call["scale"] == 16**-0.5
        assert float(call["plan"].density()[0, 0]) == pytest.approx(float(run.density()[call["layer"], 0]))
