"""Byte-level vocabularies: how Hugging Face spells bytes as characters, and ranks for tiktoken from merges."""

from typing import Any

_PRINTED_AS_ITSELF = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_SHIFTED = [byte for byte in range(256) if byte not in _PRINTED_AS_ITSELF]
# How byte-level vocabularies spell bytes as characters: itself if it prints, else one of the characters from U+0100
BYTE_OF = {chr(byte): byte for byte in _PRINTED_AS_ITSELF} | {chr(256 + i): byte for i, byte in enumerate(_SHIFTED)}


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


def characters_with(byte: int) -> str:
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
