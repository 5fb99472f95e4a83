"""The contract of every story task: exact length, purity, pairing, spread depths, evidence that is where it says."""

import json

import numpy as np
import pytest

from nl_tasks.generators import get_task, load_tokenizer
from nl_tasks.generators.sample import content_hash

STORIES = ("story_retrieval", "story_multihop", "story_filtering")
SHORT = {"story_retrieval": {"num_queries": 4}}
FULL = {"story_retrieval": {"num_queries": 16}, "story_multihop": {}, "story_filtering": {}}


@pytest.fixture(scope="module")
def tekken():
    return load_tokenizer("tekken")


@pytest.fixture(scope="module")
def chatty(tmp_path_factory, tekken):
    """A folder with a small byte-level BPE of Hugging Face and a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    library = Tokenizer(models.BPE())
    library.pre_tokenizer, library.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1500,
        special_tokens=["<|user|>", "<|model|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    library.train_from_iterator([make("story_retrieval", tekken, length=8192).prompt], trainer)
    folder = tmp_path_factory.mktemp("chatty")
    library.save(str(folder / "tokenizer.json"))
    template = (
        "{% for m in messages %}<|user|>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<|model|>{% endif %}"
    )
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": template}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return str(folder)


def make(name, tokenizer, *, length=4096, index=7, seed=43, **knobs):
    task = get_task(name, **{**SHORT.get(name, {}), **knobs})
    return task.sample(seed=seed, index=index, length=length, tokenizer=tokenizer)


@pytest.mark.parametrize("length", [4096, 5000, 16384, 131072])
@pytest.mark.parametrize("name", STORIES)
def test_a_prompt_has_exactly_the_tokens_asked_for(name, length, tekken):
    sample = make(name, tekken, length=length)
    assert tekken.count_reference(sample.prompt) == sample.num_tokens == length


@pytest.mark.parametrize("name", STORIES)
def test_a_chat_has_exactly_the_tokens_asked_for_by_the_word_of_transformers(name, chatty):
    transformers = pytest.importorskip("transformers")
    sample = make(name, load_tokenizer(chatty), length=10_000)
    chat = [{"role": "user", "content": sample.prompt}]
    model = transformers.AutoTokenizer.from_pretrained(chatty)
    read = model.apply_chat_template(chat, add_generation_prompt=True, tokenize=True, return_dict=True)["input_ids"]
    assert len(read) == sample.num_tokens == 10_000


@pytest.mark.parametrize("name", STORIES)
def test_a_sample_depends_on_its_names_alone(name, tekken):
    first = make(name, tekken)
    make(name, tekken, index=3)
    assert make(name, tekken) == first
    assert first.sha256 == content_hash(first.prompt, first.answers)


@pytest.mark.parametrize("name", STORIES)
def test_neighbouring_seeds_share_no_sample(name, tekken):
    runs = [{make(name, tekken, seed=seed, index=index).sha256 for index in range(5)} for seed in (43, 44)]
    assert not runs[0] & runs[1]


@pytest.mark.parametrize("name", ["story_retrieval", "story_multihop"])
def test_gold_and_evidence_are_the_same_at_every_length_and_for_every_tokenizer(name, tekken, chatty):
    short, long = make(name, tekken, length=8192), make(name, tekken, length=131072)
    other = make(name, load_tokenizer(chatty), length=16384)
    assert short.answers == long.answers == other.answers
    texts = [[sample.prompt[span.start : span.end] for span in sample.evidence] for sample in (short, long, other)]
    assert texts[0] == texts[1] == texts[2]


@pytest.mark.parametrize("name", STORIES)
def test_evidence_lies_at_every_depth_equally_often(name, tekken):
    depths = [
        depth for index in range(100) for depth in make(name, tekken, length=32768, index=index, **FULL[name]).depths
    ]
    assert abs(np.mean(depths) - 0.5) <= 0.02
    deciles = np.histogram(depths, bins=10, range=(0, 1))[0] / len(depths)
    assert deciles.min() >= 0.08 and deciles.max() <= 0.12, deciles


def test_a_length_too_short_names_the_smallest_that_works(tekken):
    task = get_task("story_retrieval", num_queries=16)
    smallest = task.smallest_length(seed=43, indices=[0], tokenizer=tekken)
    with pytest.raises(ValueError, match=f"smallest that works is {smallest}"):
        task.sample(seed=43, index=0, length=smallest - 1, tokenizer=tekken)
    assert task.sample(seed=43, index=0, length=smallest, tokenizer=tekken).num_tokens == smallest


@pytest.mark.parametrize("hops", [1, 2, 3, 4])
def test_multihop_evidence_names_the_gold(hops, tekken):
    sample = make("story_multihop", tekken, hops=hops)
    last = [sample.prompt[span.start : span.end] for span in sample.evidence if span.role == f"hop {hops}"]
    assert any(sample.answers[0] in text for text in last)
