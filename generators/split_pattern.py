"""From a Hugging Face pre-tokenizer to the one regular expression that tiktoken splits a text by."""

import re
from dataclasses import dataclass
from typing import Any

# What ByteLevel(use_regex=True) splits by: GPT-2's pattern (github.com/openai/gpt-2, src/encoder.py)
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


@dataclass(frozen=True)
class SplitPattern:
    """A pattern, and which characters it must not be trusted with (a class body such as `一-龥`, or empty)."""

    regex: str
    untrusted: str = ""


def split_pattern(pre_tokenizer: dict[str, Any] | None) -> SplitPattern | None:
    """Translate the `pre_tokenizer` part of a tokenizer.json, or return None if no single pattern can do its work.

    Understood are byte-level ones: splits that cut out digits or a class of letters, then one split of the rest.
    """
    steps = _flatten(pre_tokenizer)
    if not steps or steps[-1]["type"] != "ByteLevel" or steps[-1].get("add_prefix_space", True):
        return None
    regexes = [_regex_of(step) for step in steps[:-1]]
    if steps[-1].get("use_regex", True):
        regexes.append(GPT2)
    if not regexes or None in regexes:
        return None
    *first, last = [regex for regex in regexes if regex is not None]
    return _join(first, last)


def _join(first: list[str], last: str) -> SplitPattern | None:
    r"""One pattern for pre-tokenizers run one after the other: `first` cut their matches out, `last` splits the rest.

    A cut ends the piece before it, so where `last` looks ahead for a space or the end (`(?!\S)`), a character that
    starts a cut is as good as the end. Letters that are cut out stay untrusted: `last` might run into them.
    """
    heads, cut, untrusted = [], "", ""
    for regex in first:
        if re.fullmatch(r"\\p\{N\}(\+|\{1,3\})?", regex):
            cut += r"\p{N}"
        elif letters := re.fullmatch(r"\[([^\[\]\\^\x00-\x7f-]-[^\[\]\\^\x00-\x7f]|[^\[\]\\^\x00-\x7f-])+\]\+", regex):
            cut += letters[0][1:-2]
            untrusted += letters[0][1:-2]
        else:
            return None
        heads.append(regex)
    if cut:
        last = last.replace(r"| ?\p{N}+", "").replace(r"(?!\S)", rf"(?![^\s{cut}])")
    return SplitPattern("|".join([*heads, last]), untrusted)


def _flatten(pre_tokenizer: dict[str, Any] | None) -> list[dict[str, Any]]:
    if pre_tokenizer is None:
        return []
    if pre_tokenizer["type"] == "Sequence":
        return [step for part in pre_tokenizer["pretokenizers"] for step in _flatten(part)]
    return [pre_tokenizer]


def _regex_of(step: dict[str, Any]) -> str | None:
    if step["type"] == "Digits":
        return r"\p{N}" if step["individual_digits"] else r"\p{N}+"
    if step["type"] != "Split" or "Regex" not in step["pattern"]:
        return None
    # Keeping only what matches is the same as isolating it, for the patterns in use match everything
    keeps_matches = (step["behavior"], step["invert"]) in {("Isolated", False), ("Removed", True)}
    return step["pattern"]["Regex"] if keeps_matches else None
