"""Options of pytest, and fixtures of several folders: a model small enough to be made for a test."""

import pytest

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WITH_BOS = (
    "{{ bos_token }}{% for message in messages %}[{{ message.role }}] {{ message.content | trim }}{% endfor %}[bot]"
)


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files of the tasks")


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory):
    """`tiny_llama(template, bos=False, context=4096)`: the folder of a random Llama, 2 layers, with a trained BPE.

    `bos` adds a BOS token to every text that is encoded without a template, as Llama's own tokenizer does.
    """
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    from nl_tasks.generators.task import get_task
    from nl_tasks.generators.tokenizers import load_tokenizer

    special = ["<|pad|>", "<|bos|>", "<|im_start|>", "<|im_end|>"]
    text = get_task("story_retrieval", num_queries=1).sample(
        seed=1, index=0, length=8192, tokenizer=load_tokenizer("tekken")
    )
    made = {}

    def make(template=CHATML, *, bos=False, context=4096):
        if (key := (template, bos, context)) in made:
            return made[key]
        folder = tmp_path_factory.mktemp("tiny") / "tiny-llama"
        bpe = Tokenizer(models.BPE())
        bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        bpe.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=1500, special_tokens=special, initial_alphabet=alphabet)
        bpe.train_from_iterator([text.prompt], trainer)
        if bos:
            bpe.post_processor = processors.TemplateProcessing(
                single="<|bos|> $A", special_tokens=[("<|bos|>", bpe.token_to_id("<|bos|>"))]
            )
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=bpe, pad_token="<|pad|>", bos_token="<|bos|>", eos_token="<|im_end|>"
        )
        tokenizer.chat_template = template
        tokenizer.save_pretrained(folder)
        torch.manual_seed(0)
        config = transformers.LlamaConfig(
            vocab_size=bpe.get_vocab_size(),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=context,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=3,
        )
        transformers.LlamaForCausalLM(config).save_pretrained(folder)
        made[key] = str(folder)
        return made[key]

    make.with_bos = WITH_BOS
    return make
