"""Tokens that a model's configuration adds to those of its tokenizer.json."""

from typing import Any

import tokenizers

NAMED_TOKENS = [f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")]


def add_tokens(
    library: tokenizers.Tokenizer, config: dict[str, Any], token_map: dict[str, Any]
) -> tuple[dict[str, str], list[str]]:
    """Add the tokens that only the configuration knows, as transformers does; return the named ones and those added."""
    if "added_tokens_decoder" not in config:
        config = {**config, **token_map}
    named = {key: _content(config[key]) for key in NAMED_TOKENS if config.get(key)}
    known = {token.content for token in library.get_added_tokens_decoder().values()}
    configured = sorted(config.get("added_tokens_decoder", {}).items(), key=lambda item: int(item[0]))
    tokens = [tokenizers.AddedToken(**token) for _, token in configured if token["content"] not in known]
    known.update(token.content for token in tokens)
    tokens += [tokenizers.AddedToken(content, special=True) for content in sorted({*named.values()} - known)]
    for token in tokens:
        library.add_special_tokens([token]) if token.special else library.add_tokens([token])
    return named, [repr(token) for token in tokens]


def _content(token: str | dict[str, Any]) -> str:
    return token if isinstance(token, str) else token["content"]
