"""Whether two tokenizers cut texts alike, and the texts to find out with."""

import re
from typing import Protocol

import tokenizers

_ENGLISH = """
Chapter {n}. On the {n}th of May, 19{n:02d}, Ms. O'Neill-Farber paid $1,{n:03d}.50 (about 3{n}%) for a tin whistle;
"it's cheap," she'd said, 'isn't it?' - they'll haggle, we've seen, I'm sure he'd not... DON'T!  Two  spaces,   three,
\tone tab.

\t* item #{n}: x_{n} = y[{n}] + z**2; // see https://example.org/a?b={n}&c=d_e
  - half-price, 10:4{n}pm, v{n}.0.1, {{"key": [1, 22, 333, 4444, 55555]}}, 42km, 7 8  9   0
<answer>1. brass lamp\n2. 'silk' scarf\n\n\n3. {n}</answer> \n \r\n  \n12 {n}\n 12{n}12 ABCdef aB1c2D3
"""
_TYPESET = "“It’s a naïve café,” said Färber – or “Faerber”? – “№ {n}, isn’t it… ½ cup, {n} °C, 3 × {n} € or £{n}?”\n"
_FOREIGN = [
    "привет, мир {n}!  \n",
    "日本語のテキスト{n}、漢字 kana カナ。\n",
    "한국어 {n} 문장\n",
    "שלום {n} مرحبا\n",
    "🙂🙃 {n}\U0001f469\n",
]
# Apart from one another, as a tokenizer may be vouched for in one and not in the next
PROSE = ["".join(text.format(n=n) for n in range(12)) + "   " for text in (_ENGLISH, _TYPESET, *_FOREIGN)]


class Cutter(Protocol):
    """Anything that can say how many UTF-8 bytes each token of a text has, or None if it cannot vouch for them."""

    def token_lengths(self, text: str) -> list[int] | None:
        """UTF-8 bytes of each token, added tokens read as such."""


def words_of(vocabulary: dict[str, int], at_most: int = 20_000, per_text: int = 2_000) -> list[str]:
    """Write texts that hold (at most) 20k evenly chosen words, of those a byte-level vocabulary spells in ASCII."""
    words = [word for word in vocabulary if re.fullmatch(r"Ġ?[A-Za-z]+", word)]
    chosen = words[:: len(words) // at_most + 1]
    texts = [word.replace("Ġ", " ") if word.startswith("Ġ") else f"\n{word}" for word in chosen]
    return ["".join(texts[i : i + per_text]) for i in range(0, len(texts), per_text)]


def agree(cutter: Cutter, library: tokenizers.Tokenizer, text: str) -> bool:
    """Whether both cut `text` into tokens of the same lengths, unless `cutter` leaves it to the library anyway."""
    lengths = cutter.token_lengths(text)
    if lengths is None:
        return True
    encoding = library.encode(text, add_special_tokens=False)
    added = library.get_added_tokens_decoder()
    # Byte-level vocabularies write a byte as a character; added tokens are spelt as they are
    expected = [
        len(added[token_id].content.encode()) if token_id in added else len(token)
        for token_id, token in zip(encoding.ids, encoding.tokens)
    ]
    return lengths == expected
