"""Tokenizers that tiktoken runs: `tekken`, whose vocabulary mistral-common ships, and `tiktoken:NAME`."""

import base64
import hashlib
import json
import mmap
import re
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import tiktoken

from nl_tasks.generators.tokenizer_base import Tokenizer

TEKKEN_FILE = "data/tekken_240911.json"  # of mistral-common: 131072 entries, 1000 of them special


class TiktokenTokenizer(Tokenizer):
    """A tiktoken encoding. It has no chat template and adds nothing, so a prompt counts as its plain text does."""

    has_chat_template = False

    def __init__(self, name: str, encoding: tiktoken.Encoding):
        self.name = name
        self.encoding = encoding

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the split pattern and of all tokens with their ranks."""
        return fingerprint_ranks(self.encoding._pat_str, self.encoding._mergeable_ranks)

    def count(self, text: str) -> int:
        """Tokens of raw text."""
        return len(self.encoding.encode_ordinary(text))

    def count_fragments(self, fragments: Sequence[str]) -> np.ndarray:
        """Tokens of each fragment alone: int64 `[len(fragments)]`."""
        encode = self.encoding.encode_ordinary
        return np.fromiter([len(encode(text)) for text in fragments], dtype=np.int64, count=len(fragments))

    def count_prompt(self, prompt: str, *, chat: bool = True) -> int:
        """Tokens of the plain prompt; there is no template, whatever `chat` says."""
        return self.count(prompt)

    def count_reference(self, prompt: str, *, chat: bool = True) -> int:
        """Count by tiktoken's general entry point, which knows special tokens (told to read none)."""
        return len(self.encoding.encode(prompt, disallowed_special=()))


class TekkenTokenizer(TiktokenTokenizer):
    """Mistral's Tekken vocabulary (v3, 130072 tokens without the special ones), without chat template and BOS.

    Counts are those of `Tekkenizer.encode(text, bos=False, eos=False)` in mistral-common.
    """

    def count_reference(self, prompt: str, *, chat: bool = True) -> int:
        """Count by mistral-common itself; the first call loads its tokenizer, which takes seconds."""
        return len(self._tekkenizer.encode(prompt, bos=False, eos=False))

    @cached_property
    def _tekkenizer(self):  # type: ignore[no-untyped-def]
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer  # here: it costs a worker its memory

        return Tekkenizer.from_file(tekken_path())


def load_tekken() -> TekkenTokenizer:
    """Load the tokenizer `tekken`. Raises ValueError if mistral-common, or its file, is missing."""
    with tekken_path().open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        pattern, ranks = read_tekken(data)
    encoding = tiktoken.Encoding("tekken", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return TekkenTokenizer("tekken", encoding)


def load_tiktoken(encoding_name: str) -> TiktokenTokenizer:
    """Load the tokenizer `tiktoken:encoding_name`. Raises ValueError if it is unknown or its file cannot be had."""
    name = f"tiktoken:{encoding_name}"
    known = tiktoken.list_encoding_names()
    if encoding_name not in known:
        raise ValueError(f"unknown tokenizer {name!r}: tiktoken has {', '.join(sorted(known))}")
    try:
        return TiktokenTokenizer(name, tiktoken.get_encoding(encoding_name))
    except OSError as error:  # requests' errors are OSErrors
        raise ValueError(
            f"tokenizer {name!r}: tiktoken could not download its file ({type(error).__name__}); without network use "
            "tekken, a local folder or gguf:FILE, or point TIKTOKEN_CACHE_DIR at a folder that holds the file"
        ) from error


def tekken_path() -> Path:
    """Where mistral-common keeps the vocabulary; the package itself is not imported. Raises ValueError if missing."""
    spec = find_spec("mistral_common")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / TEKKEN_FILE).is_file():
            return path
    raise ValueError(
        f"tokenizer 'tekken' needs {TEKKEN_FILE} of the package mistral-common: pip install mistral-common"
    )


def read_tekken(data: bytes | mmap.mmap) -> tuple[str, dict[bytes, int]]:
    """Pattern and ranks from the bytes of a Tekken file.

    Read entry by entry: `json.load` of the whole file would hold twice the memory that all else of a worker takes.
    Raises ValueError if the vocabulary is not the run of ranks that the file's own header promises.
    """
    head = data[: data.find(b'"vocab"')].rstrip().rstrip(b",") + b"}"
    config = json.loads(head)["config"]
    size = config["default_vocab_size"] - config["default_num_special_tokens"]
    ranks: dict[bytes, int] = {}
    for entry in re.finditer(rb'"rank":\s*(\d+),\s*"token_bytes":\s*"([^"]*)"', data):
        if len(ranks) == size:
            break
        ranks[base64.b64decode(entry[2])] = int(entry[1])
    if list(ranks.values()) != list(range(size)):
        raise ValueError(f"tokenizer 'tekken': {TEKKEN_FILE} does not hold ranks 0 to {size - 1} in order")
    return config["pattern"], ranks


def fingerprint_ranks(pattern: str, ranks: dict[bytes, int]) -> str:
    """SHA-256 (hex) of a split pattern and of (rank, token) pairs in the order of ranks."""
    digest = hashlib.sha256(pattern.encode())
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        digest.update(b"\n%d " % rank + token.hex().encode())
    return digest.hexdigest()
