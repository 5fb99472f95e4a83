"""A byte-level BPE of Hugging Face run by tiktoken: the same tokens several times as fast, where both agree."""

import json
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tiktoken
import tokenizers

from nl_tasks.generators.split_pattern import split_pattern
from nl_tasks.generators.tokenizer_probe import PROSE, agree, words_of

_PRINTED_AS_ITSELF = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_SHIFTED = [byte for byte in range(256) if byte not in _PRINTED_AS_ITSELF]
# How byte-level vocabularies spell bytes as characters: itself if it prints, else one of the characters from U+0100
BYTE_OF = {chr(byte): byte for byte in _PRINTED_AS_ITSELF} | {chr(256 + i): byte for i, byte in enumerate(_SHIFTED)}


class Surrogate:
    """Counts for a Hugging Face tokenizer; where it cannot vouch for a text, it returns None and the library counts."""

    def __init__(self, encoding: tiktoken.Encoding, added: list[tokenizers.AddedToken], absent: str, untrusted: str):
        """Take what `build_surrogate` finds.

        Args:
            encoding: Splits and merges as the library does.
            added: Tokens that are read from a text before all else.
            absent: ASCII characters that the vocabulary lacks.
            untrusted: Body of a class of further characters that `encoding` must not be trusted with.
        """
        self.encoding = encoding
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
        # What is normal already is left alone by the only normalizer that is let through
        normal = unicodedata.is_normalized("NFC", text)
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
    if model.get("type") != "BPE" or not plain or pattern is None or not _only_nfc(data.get("normalizer")):
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
    untrusted = pattern.untrusted + "".join(map(_characters_with, absent))
    surrogate = Surrogate(encoding, added, "".join(chr(byte) for byte in absent if byte < 0x80), untrusted)
    return surrogate if all(agree(surrogate, library, probe) for probe in [*PROSE, chat, *words]) else None


def merge_ranks(merges: list[Any]) -> dict[bytes, int] | None:
    """Ranks of all tokens, the 256 bytes first, from merges (`"a b"` or `["a", "b"]`); None if not byte-level."""
    ranks = {bytes([byte]): byte for byte in range(256)}
    try:
        for rank, merge in enumerate(merges, start=256):
            joined = merge.replace(" ", "", 1) if isinstance(merge, str) else merge[0] + merge[1]
            ranks.setdefault(bytes([BYTE_OF[char] for char in joined]), rank)
    except KeyError:
        return None
    return ranks


def _characters_with(byte: int) -> str:
    """Write the body of a class with the characters beyond ASCII whose UTF-8 has `byte`, or may have it."""
    if byte < 0x80 or byte in (0xC0, 0xC1) or byte >= 0xF5:  # the latter are never part of UTF-8
        return ""
    if byte < 0xC0:
        low, high = 0x80, 0x10FFFF
    else:  # the first of 2, 3 or 4 bytes
        bits, shift = (0x1F, 6) if byte < 0xE0 else (0x0F, 12) if byte < 0xF0 else (0x07, 18)
        low = (byte & bits) << shift
        high = min(low + (1 << shift) - 1, 0x10FFFF)
    return f"\\U{low:08x}-\\U{high:08x}"


def _only_nfc(normalizer: dict[str, Any] | None) -> bool:
    if normalizer is None:
        return True
    if normalizer["type"] == "Sequence":
        return all(_only_nfc(part) for part in normalizer["normalizers"])
    return normalizer["type"] == "NFC"
