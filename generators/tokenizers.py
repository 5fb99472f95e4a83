"""Tokenizers by name: `tekken`, `tiktoken:o200k_base`.

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
    if name == "tekken":
        return load_tekken()
    kind, _, rest = name.partition(":")
    if kind == "tiktoken":
        return load_tiktoken(rest)
    raise ValueError(f"unknown tokenizer {name!r}: known are tekken and tiktoken:NAME")


def slug(name: str) -> str:
    """Shorten a name for dataset configs: `Qwen/Qwen2.5-7B-Instruct` is `qwen2.5-7b-instruct`, `tekken` itself."""
    kind, _, rest = name.partition(":")
    path = Path(rest if kind in ("tiktoken", "gguf") else name)
    stem = path.stem if path.suffix == ".gguf" else path.name or path.resolve().name
    return re.sub(r"[^a-z0-9._-]+", "-", stem.lower())
