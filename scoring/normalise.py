"""Forgiving on dress, exact on content: two texts are the same answer if they normalise to the same.

Dress is case, Unicode form, markdown (bold, italics, code, headings, bullets), quotes, brackets around the whole, a
list number, a label such as `Answer:` or `Chapter 3:`, a leading article, trailing stops, and white space. All else
is content: `It was Rome`, `twelve` for `12`, or one letter more are other answers.
"""

import re
import unicodedata

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−"), "-")
_QUOTES = dict.fromkeys(map(ord, "“”„‟«»"), '"') | dict.fromkeys(map(ord, "‘’‚‛`´"), "'")
# Underscores are matched from the start of their run on, or a long run would take quadratic time.
_MARKDOWN = re.compile(r"\*+|(?<!\w)_++|(?<!_)_++(?!\w)|~~|\\(?=[.)\-*_])")
_LEAD = re.compile(
    r"(?:#{1,6}\s+|[-+•‣·>]\s+|\(?\d{1,6}[.):\]、]+\s*(?<=[\s、])|\d{1,6}\s+-\s+|(?:final\s+)?answer\s*(?:\d{1,6}\s*)?:\s*"
    r"|chapter\s+\d{1,6}\s*[:.-]\s*|(?:a|an|the)\s+)"
)
_LAYERS = 12  # no honest answer wears more
_STOPS = " \t\r\n.,;:!。、"
_AROUND = ("''", '""', "()", "[]", "<>", "{}")


def normalise(text: str) -> str:
    """The content of a short answer, in one line and lower case. A step that would leave nothing is not taken."""
    text = " ".join(_MARKDOWN.sub("", fold(text)).split())
    for _ in range(_LAYERS):
        if (bare := _undress(text)) == text:
            break
        text = bare
    return text


def fold(text: str) -> str:
    """`text` with one form of each letter, dash and quote (NFKC), in lower case; lines and markdown stay."""
    return unicodedata.normalize("NFKC", text).translate(_DASHES | _QUOTES).casefold()


def filled_lines(text: str) -> list[str]:
    """The lines of `text` that hold something, their white space made single."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def _undress(text: str) -> str:
    """`text` without one layer of dress."""
    bare = text.strip(" ").rstrip(_STOPS)
    if lead := _LEAD.match(bare):
        bare = bare[lead.end() :]
    if len(bare) > 2 and bare[0] + bare[-1] in _AROUND:
        bare = bare[1:-1]
    return bare or text
