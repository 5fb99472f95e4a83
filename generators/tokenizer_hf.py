"""Tokenizers of Hugging Face models, from a local folder or the Hub, without transformers.

A prompt counts as transformers' `apply_chat_template(..., add_generation_prompt=True)` tokenizes it. What decides is
`tokenizer.json`, also for the few models of which transformers knows better than that file.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers

from nl_tasks.generators.added_tokens import add_tokens
from nl_tasks.generators.chat_template import ChatTemplate, find_chat_template
from nl_tasks.generators.tokenizer_base import Tokenizer
from nl_tasks.generators.tokenizer_surrogate import build_surrogate

FILES = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "chat_template.json",
]


class HuggingFaceTokenizer(Tokenizer):
    """The tokenizer in a folder with a `tokenizer.json`, counted by tiktoken where that is the same and faster."""

    def __init__(self, name: str, folder: Path):
        """Read `folder`. Raises ValueError, naming `name`, if there is no fast tokenizer in it or it is broken."""
        # Threads do not help with one text at a time, and a fork after their use makes the library complain
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        self.name = name
        file = folder / "tokenizer.json"
        if not file.is_file():
            raise ValueError(f"tokenizer {name!r}: no tokenizer.json there; only fast tokenizers can be used")
        try:
            self._library = tokenizers.Tokenizer.from_file(str(file))
            config = _read_json(folder / "tokenizer_config.json")
            special_tokens, added = add_tokens(self._library, config, _read_json(folder / "special_tokens_map.json"))
            source = find_chat_template(folder, config)
            self._template = ChatTemplate(source, special_tokens) if source else None
            probe = self._read_by_model("What did Ann buy in Oslo?\n\n", chat=True)
        except Exception as error:  # the library raises bare Exceptions
            raise ValueError(f"tokenizer {name!r}: {first_line(error)}") from error
        self._library.no_truncation()
        self._library.no_padding()
        self.has_chat_template = self._template is not None
        self._bos_id = self._library.token_to_id(special_tokens.get("bos_token", ""))
        self._added_around = self._library.num_special_tokens_to_add(is_pair=False)
        self._surrogate = build_surrogate(file, self._library, probe)
        decisive = [added, special_tokens if source else {}, source]
        self._fingerprint = hashlib.sha256(
            file.read_bytes() + json.dumps(decisive, sort_keys=True).encode()
        ).hexdigest()

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of tokenizer.json, the tokens its configuration adds, and the chat template with its tokens."""
        return self._fingerprint

    @property
    def is_fast(self) -> bool:
        """Whether tiktoken counts in the library's stead."""
        return self._surrogate is not None

    def count(self, text: str) -> int:
        """Tokens of raw text."""
        fast = self._surrogate.count(text) if self._surrogate else None
        return self._count_raw([text])[0] if fast is None else fast

    def encode_once(self, text: str) -> int:
        """Tokens of raw text by the `tokenizers` library, without offsets."""
        return len(self._library.encode_batch_fast([text], add_special_tokens=False)[0])

    def count_fragments(self, fragments: Sequence[str]) -> np.ndarray:
        """Tokens of each fragment alone: int64 `[len(fragments)]`."""
        fast = self._surrogate.count_fragments(fragments) if self._surrogate else None
        return np.array(self._count_raw(fragments) if fast is None else fast, dtype=np.int64)

    def count_prompt(self, prompt: str, *, chat: bool = True) -> int:
        """Tokens a model reads; with `chat=False` or without a template, the prompt plus what the tokenizer adds."""
        text = self._read_by_model(prompt, chat)
        fast = self._surrogate.count_prompt(text) if self._surrogate else None
        if fast is None:
            fast = len(self._library.encode_batch_fast([text], add_special_tokens=False)[0])
        return fast + (0 if chat and self._template else self._added_around)

    def count_reference(self, prompt: str, *, chat: bool = True) -> int:
        """Count what `count_prompt` counts with the tokenizers library."""
        return len(self._encode(prompt, chat))

    def leading_bos(self, prompt: str, *, chat: bool = True) -> int:
        """Count the BOS tokens that what a model reads begins with."""
        ids = self._encode(prompt, chat).ids
        return next((i for i, token_id in enumerate(ids) if token_id != self._bos_id), len(ids))

    def _encode(self, prompt: str, chat: bool) -> tokenizers.Encoding:
        templated = chat and self._template is not None
        return self._library.encode(self._read_by_model(prompt, chat), add_special_tokens=not templated)

    def _read_by_model(self, prompt: str, chat: bool) -> str:
        return self._template.render(prompt) if chat and self._template else prompt

    def _count_raw(self, texts: Sequence[str]) -> list[int]:
        self._library.encode_special_tokens = True  # that is: take their names for ordinary text
        try:
            return [len(found) for found in self._library.encode_batch_fast(list(texts), add_special_tokens=False)]
        finally:
            self._library.encode_special_tokens = False


def load_folder(name: str) -> HuggingFaceTokenizer:
    """Load the tokenizer in the local folder `name`. Raises ValueError if there is none."""
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise ValueError(f"tokenizer {name!r}: there is no such folder")
    return HuggingFaceTokenizer(name, folder)


def load_from_hub(name: str) -> HuggingFaceTokenizer:
    """Load the tokenizer of a Hub model, downloaded or cached. Raises ValueError if it cannot be had."""
    from huggingface_hub import snapshot_download  # here: it takes 15 MB that a local folder has no use for
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    shown = not are_progress_bars_disabled()
    disable_progress_bars()  # every worker loads, and a few small files need none
    try:
        folder = snapshot_download(name, allow_patterns=FILES)
    except Exception as error:  # of many families: HTTP, files, offline mode
        raise ValueError(
            f"tokenizer {name!r} is no local folder and could not be had from the Hub "
            f"({type(error).__name__}: {first_line(error)}); without network use tekken, a local folder, gguf:FILE, "
            "or tiktoken:NAME where its file is cached"
        ) from error
    finally:
        if shown:
            enable_progress_bars()
    return HuggingFaceTokenizer(name, Path(folder))


def first_line(error: Exception) -> str:
    """Say in one line what is wrong, whatever a library had to say."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _read_json(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
