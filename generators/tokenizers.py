"""Tokenizers by name: `tekken`, `tiktoken:o200k_base`, `Qwen/Qwen2.5-7B-Instruct`, `./folder`, `gguf:FILE`.

tokenizer = load_tokenizer("tekken")
tokenizer.count_prompt("Who sold the red lantern?")
"""

import re
from functools import cache
from pathlib import Path

from nl_tasks.generators.tokenizer_base import Tokenizer
from nl_tasks.generators.tokenizer_tiktoken import load_tekken, load_tiktoken

__all__ = ["Tokenizer", "load_tokenizer", "slug"]


@cache
def load_tokenizer(name: str) -> Tokenizer:
    """Load the tokenizer called `name`, once per process.

    Raises ValueError, in one line, for a name that is unknown or whose files cannot be had.
    """
    kind, _, rest = name.partition(":")
    if name == "tekken":
        return load_tekken()
    if kind == "tiktoken":
        return load_tiktoken(rest)
    # Imported where they are needed: a worker that counts with tekken saves their memory
    if kind == "gguf":
        from nl_tasks.generators.tokenizer_gguf import load_gguf

        return load_gguf(rest)
    if (name and Path(name).expanduser().is_dir()) or name.startswith((".", "/", "~", "\\")):
        from nl_tasks.generators.tokenizer_hf import load_folder

        return load_folder(name)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        from nl_tasks.generators.tokenizer_hf import load_from_hub

        return load_from_hub(name)
    raise ValueError(
        f"unknown tokenizer {name!r}: give tekken, tiktoken:NAME, gguf:FILE, a local folder or a Hub id (owner/name)"
    )


def slug(name: str) -> str:
    """Shorten a name for dataset configs: `Qwen/Qwen2.5-7B-Instruct` is `qwen2.5-7b-instruct`, `tekken` itself."""
    kind, _, rest = name.partition(":")
    path = Path(rest if kind in ("tiktoken", "gguf") else name)
    stem = path.stem if path.suffix == ".gguf" else path.name or path.resolve().name
    return re.sub(r"[^a-z0-9._-]+", "-", stem.lower())
