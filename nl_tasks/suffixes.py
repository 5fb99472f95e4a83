"""Several tokenizers in one dataset: a config of each, told apart by the end of its name."""

import re
from collections.abc import Sequence
from pathlib import Path

from nl_tasks.generators.tokenizers import Tokenizer, load_tokenizer, slug

MAIN = "tekken"
"""The tokenizer whose configs bear no label beside those of others: it is the default everywhere."""


def suffixed_tokenizers(names: Sequence[str]) -> dict[str, Tokenizer]:
    """Tokenizers by the suffix of their configs, for names as `NAME` or `LABEL=NAME`.

    A label makes the suffix `_LABEL`. Without one, a single tokenizer has none, nor has tekken among several; the
    others have a short form of their name. Raises ValueError for unknown tokenizers and for equal suffixes.
    """
    if not names:
        raise ValueError("at least one tokenizer is needed")
    found: dict[str, Tokenizer] = {}
    for given in names:
        label, name = _split(given)
        if not label and len(names) > 1 and name != MAIN:
            label = slug(name)
        suffix = f"_{label}" if label else ""
        if suffix in found:
            raise ValueError(
                f"tokenizers {found[suffix].name!r} and {name!r} would share their configs' names: write LABEL={name}"
            )
        found[suffix] = load_tokenizer(name)
    return found


def _split(given: str) -> tuple[str, str]:
    labelled = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9.-]*)=(.+)", given)
    return (labelled[1], labelled[2]) if labelled and not Path(given).exists() else ("", given)
