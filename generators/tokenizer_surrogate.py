"""A byte-level BPE of Hugging Face run by tiktoken: the same tokens several times as fast, where both agree."""

import json
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import tiktoken
import tokenizers

from nl_tasks.generators.byte_level import BYTE_OF, characters_with, merge_ranks
from nl_tasks.generators.split_pattern import split_pattern
from nl_tasks.generators.tokenizer_probe import PROSE, agree, words_of

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
FORMS: tuple[Form, ...] = get_args(Form)


class Surrogate:
    """Counts for a Hugging Face tokenizer; where it cannot vouch for a text, it returns None and the library counts."""

    def __init__(
        self,
        encoding: tiktoken.Encoding,
        *,
        added: list[tokenizers.AddedToken],
        forms: list[Form],
        absent: str,
        untrusted: str,
    ):
        """Take what `build_surrogate` finds.

        Args:
            encoding: Splits and merges as the library does.
            added: Tokens that are read from a text before all else.
            forms: Unicode normal forms a text is brought into first; here it must be in them already.
            absent: ASCII characters that the vocabulary lacks.
            untrusted: Body of a class of further characters that `encoding` must not be trusted with.
        """
        self.encoding = encoding
        self._forms = forms
        self._absent = absent
        contents = sorted((token.content for token in added), key=len, reverse=True)
        self._added = re.compile("|".join(map(re.escape, contents)) if contents else r"(?!)")
        self._greedy = frozenset(t.content for t in added if t.lstrip or t.rstrip or t.single_word)
        self._untrusted = re.compile(f"[{untrusted}]") if untrusted else None

    def count(self, text: str) -> int | None:
        """Tokens of text without added tokens."""
        if not self._trusts(text) or self._added.search(text):
            return None
        return len(self.encoding.encode_ordinary(text))

    def count_fragments(self, fragments: Sequence[str]) -> list[int] | None:
        """Tokens of each fragment alone."""
        together = "".join(fragments)  # one check for all: searching each would cost as much as counting
        if not self._trusts(together) or self._added.search(together):
            return None
        encode = self.encoding.encode_ordinary
        return [len(encode(fragment)) for fragment in fragments]

    def token_lengths(self, text: str) -> list[int] | None:
        """UTF-8 bytes of each token of a text in which added tokens are read as such."""
        pieces = self._split(text)
        if pieces is None:
            return None
        lengths: list[int] = []
        for i, piece in enumerate(pieces):
            if i % 2:
                lengths.append(len(piece.encode()))
            else:
                lengths += map(len, self.encoding.decode_tokens_bytes(self.encoding.encode_ordinary(piece)))
        return lengths

    def count_prompt(self, text: str) -> int | None:
        """Tokens of a text in which added tokens are read as such, as those of chat templates are."""
        pieces = self._split(text)
        if pieces is None:
            return None
        return len(pieces) // 2 + sum(len(self.encoding.encode_ordinary(piece)) for piece in pieces[::2])

    def _split(self, text: str) -> list[str] | None:
        """Text, added token, text, ..., text."""
        if not self._trusts(text):
            return None
        pieces, end = [], 0
        for match in self._added.finditer(text):
            if match[0] in self._greedy:  # it would take the space beside it
                return None
            pieces += [text[end : match.start()], match[0]]
            end = match.end()
        return [*pieces, text[end:]]

    def _trusts(self, text: str) -> bool:
        if any(character in text for character in self._absent):
            return False
        if text.isascii():
            return True
        normal = all(unicodedata.is_normalized(form, text) for form in self._forms)
        return normal and not (self._untrusted and self._untrusted.search(text))


def build_surrogate(file: Path, library: tokenizers.Tokenizer, chat: str) -> Surrogate | None:
    """Build the surrogate of a tokenizer.json, checked against `library` on the spot.

    Args:
        file: The tokenizer.json.
        library: The tokenizer read from it, with all tokens added that a model's configuration adds.
        chat: A rendered chat, a part of the check.

    Returns:
        None if a part of the file is not understood, or if the two cut any probe text differently.
    """
    data = json.loads(file.read_bytes())
    model, pattern = data["model"], split_pattern(data.get("pre_tokenizer"))
    plain = not any(model.get(key) for key in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"))
    forms = _normal_forms(data.get("normalizer"))
    if model.get("type") != "BPE" or not plain or pattern is None or forms is None:
        return None
    added = list(library.get_added_tokens_decoder().values())
    vocabulary = model.pop("vocab")
    words = words_of(vocabulary)
    own_words = len(vocabulary.keys() - {token.content for token in added})
    absent = [byte for char, byte in BYTE_OF.items() if char not in vocabulary]
    del vocabulary  # a worker's peak memory is here: let go of what is done with
    ranks = merge_ranks(model.pop("merges"))
    if ranks is None or (model.get("ignore_merges") and len(ranks) < own_words):
        return None  # no bytes, or words that no merge makes, which tiktoken would make whenever they have a rank
    try:
        encoding = tiktoken.Encoding("surrogate", pat_str=pattern.regex, mergeable_ranks=ranks, special_tokens={})
    except ValueError:  # a regular expression of another dialect
        return None
    surrogate = Surrogate(
        encoding,
        added=added,
        forms=forms,
        absent="".join(chr(byte) for byte in absent if byte < 0x80),
        untrusted=pattern.untrusted + "".join(map(characters_with, absent)),
    )
    return surrogate if all(agree(surrogate, library, probe) for probe in [*PROSE, chat, *words]) else None


def _normal_forms(normalizer: dict[str, Any] | None) -> list[Form] | None:
    """Unicode normal forms that a normalizer brings texts into; None if it does anything else."""
    parts = [] if normalizer is None else normalizer.get("normalizers", [normalizer])
    forms = [form for part in parts for form in FORMS if form == part["type"]]
    return forms if len(forms) == len(parts) else None
