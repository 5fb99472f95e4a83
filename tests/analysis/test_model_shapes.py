import json

import pytest

from nl_tasks.analysis.model_shapes import ModelShape, find_shape, model_shapes

BILLIONS = {"Qwen2.5-7B": 7.6, "Qwen2.5-72B": 72.7, "Llama-3.1-8B": 8.0, "Llama-3.1-70B": 70.6, "gemma-3-27b": 27.0}


@pytest.mark.parametrize(("name", "billions"), BILLIONS.items())
def test_parameters_are_those_that_the_names_promise(name, billions):
    assert model_shapes()[name].parameters / 1e9 == pytest.approx(billions, abs=0.06)


def test_all_models_of_the_paper_are_there():
    assert len(model_shapes()) == 9
    assert {(s.layers, s.heads, s.kv_heads) for s in model_shapes().values()} == {
        (28, 28, 4), (48, 40, 8), (64, 40, 8), (80, 64, 8), (32, 32, 8), (34, 8, 4), (48, 16, 8), (62, 32, 16)
    }  # fmt: skip


@pytest.mark.parametrize("name", ["Qwen2.5-7B", "qwen2.5-7b", "Qwen/Qwen2.5-7B-Instruct"])
def test_models_are_found_by_their_usual_names(name):
    assert find_shape(name) == model_shapes()["Qwen2.5-7B"]
    assert find_shape("google/gemma-3-4b-it") == model_shapes()["gemma-3-4b"]


def test_unknown_models_are_told_what_is_known():
    with pytest.raises(ValueError, match=r"model='mistral'.*Qwen2.5-7B"):
        find_shape("mistral")


def test_transformers_configs_are_read():
    transformers = pytest.importorskip("transformers")
    llama = transformers.LlamaConfig(
        hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
        num_key_value_heads=8, vocab_size=128256,
    )  # fmt: skip
    assert ModelShape.from_config(llama) == model_shapes()["Llama-3.1-8B"]
    qwen = transformers.Qwen2Config(
        hidden_size=3584, intermediate_size=18944, num_hidden_layers=28, num_attention_heads=28,
        num_key_value_heads=4, vocab_size=152064,
    )  # fmt: skip
    assert ModelShape.from_config(qwen) == model_shapes()["Qwen2.5-7B"]
    text = transformers.Gemma3TextConfig(
        hidden_size=2560, intermediate_size=10240, num_hidden_layers=34, sliding_window=1024,
    )  # fmt: skip
    assert ModelShape.from_config(text) == model_shapes()["gemma-3-4b"]
    assert ModelShape.from_config(transformers.Gemma3Config(text_config=text)) == model_shapes()["gemma-3-4b"]


def test_parameters_agree_with_a_model_that_is_built():
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        hidden_size=256, intermediate_size=512, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2
    )
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(config)
    norms = sum(p.numel() for p in model.parameters() if p.ndim == 1)
    assert ModelShape.from_config(config).parameters == sum(p.numel() for p in model.parameters()) - norms


def test_a_folder_is_read(tmp_path):
    config = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 6, "intermediate_size": 128}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="vocab_size"):
        find_shape(str(tmp_path))
    config |= {"vocab_size": 100, "sliding_window": 32, "sliding_window_pattern": 3}
    (tmp_path / "config.json").write_text(json.dumps(config))
    shape = find_shape(str(tmp_path))
    assert (shape.head_dim, shape.kv_heads, shape.window, shape.full_layers) == (16, 4, 32, 2)


@pytest.mark.parametrize(
    ("change", "named"),
    [({"kv_heads": 3}, "kv_heads=3"), ({"layers": 0}, "layers=0"), ({"window": 8}, "full_layers=None"),
     ({"full_layers": 1}, "window=None")],
)  # fmt: skip
def test_wrong_numbers_are_named(change, named):
    good = {"layers": 2, "hidden": 8, "heads": 4, "kv_heads": 2, "head_dim": 2, "mlp": 8, "vocab": 10}
    with pytest.raises(ValueError, match=named):
        ModelShape(**(good | change))
