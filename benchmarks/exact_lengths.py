"""Is every prompt as long as was asked for? Each is encoded again, whole, by the library that its tokenizer is from.

    python benchmarks/exact_lengths.py [TOKENIZER ...] > benchmarks/exact_lengths.txt

By default: tekken (asked: mistral-common), the folder of SmolLM2 (asked: transformers' apply_chat_template with the
generation prefix, and the tokenizers library), and tiktoken:o200k_base (asked: tiktoken). The last needs its file:
network, or a folder that TIKTOKEN_CACHE_DIR names (one is in the wheel litellm: litellm/litellm_core_utils/tokenizers).
Exit status 1 if any count is off.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from machine import print_machine

from nl_tasks.generators import format_length, get_task, load_tokenizer, parse_length

TASKS = ("story_retrieval", "story_multihop", "story_filtering")
SAMPLES = {"4k": 20, "16k": 20, "128k": 10, "1m": 3}
KNOBS = {("story_retrieval", "4k"): {"num_queries": 4}}  # 16 questions need more than 4096 tokens


def readers(name: str) -> dict[str, Callable[[str], int]]:
    """Functions that count what a model reads, each by a library that knows nothing of this package."""
    if name == "tekken":
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer

        from nl_tasks.generators.tokenizer_tiktoken import tekken_path

        tekken = Tekkenizer.from_file(tekken_path())
        return {"mistral-common": lambda prompt: len(tekken.encode(prompt, bos=False, eos=False))}
    if name.startswith("tiktoken:"):
        import tiktoken

        encoding = tiktoken.get_encoding(name.removeprefix("tiktoken:"))
        return {"tiktoken": lambda prompt: len(encoding.encode(prompt, disallowed_special=()))}
    import tokenizers
    import transformers

    transformers.logging.set_verbosity_error()  # a prompt longer than the model's context is what we want here
    model = transformers.AutoTokenizer.from_pretrained(name)
    library = tokenizers.Tokenizer.from_file(str(Path(name) / "tokenizer.json"))

    def chat(prompt: str, **options: bool) -> object:
        message = [{"role": "user", "content": prompt}]
        return model.apply_chat_template(message, add_generation_prompt=True, **options)

    return {
        "transformers": lambda prompt: len(chat(prompt, tokenize=True, return_dict=True)["input_ids"]),
        "tokenizers": lambda prompt: len(library.encode(chat(prompt, tokenize=False), add_special_tokens=False)),
    }


def main(names: list[str]) -> int:
    print_machine("mistral-common", "transformers", "tokenizers", "tiktoken")
    heads = f"{'length':>7}{'samples':>9}{'exact':>7}{'least':>9}{'most':>9}"
    print(f"{'tokenizer':<29}{'counted by':<16}{'task':<17}{heads}", flush=True)
    wrong = 0
    for name in names:
        tokenizer, libraries = load_tokenizer(name), readers(name)
        for task_name in TASKS:
            for length, count in SAMPLES.items():
                task, target = get_task(task_name, **KNOBS.get((task_name, length), {})), parse_length(length)
                prompts = [
                    task.sample(seed=43, index=index, length=target, tokenizer=tokenizer).prompt
                    for index in range(count)
                ]
                for library, read in libraries.items():
                    found = [read(prompt) for prompt in prompts]
                    exact = found.count(target)
                    wrong += count - exact
                    row = f"{Path(name).name:<29.28}{library:<16}{task_name:<17}{format_length(target):>7}"
                    print(f"{row}{count:>9}{exact:>7}{min(found):>9}{max(found):>9}", flush=True)
    print(f"{wrong} prompts are not as long as was asked for")
    return int(wrong > 0)


if __name__ == "__main__":
    chosen = sys.argv[1:]
    if not chosen:
        from nl_tasks.local_models import model_folder

        chosen = ["tekken", model_folder("smollm2"), "tiktoken:o200k_base"]
    sys.exit(main(chosen))
