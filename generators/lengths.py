"""Lengths as people write them: `128k` is 131072 tokens, `1m` 1048576, `128000` itself."""

import re

_UNITS = {"": 1, "k": 1024, "m": 1024**2}


def parse_length(text: str | int) -> int:
    """Tokens meant by `text`. Raises ValueError for anything but digits with an optional `k` or `m`."""
    match = re.fullmatch(r"(\d+)([km]?)", str(text).strip().lower())
    if not match or int(match[1]) == 0:
        raise ValueError(f"length {text!r} is not a number of tokens: write 4096, 128k or 1m")
    return int(match[1]) * _UNITS[match[2]]


def format_length(tokens: int) -> str:
    """The shortest name of a length that `parse_length` reads back: 131072 is `128k`, 128000 stays `128000`."""
    for unit in ("m", "k"):
        if tokens % _UNITS[unit] == 0:
            return f"{tokens // _UNITS[unit]}{unit}"
    return str(tokens)
