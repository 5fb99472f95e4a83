"""What lm-eval's models read and can hold, asked of the model itself or, before it is known, of its files."""

from collections.abc import Mapping
from typing import Any

from nl_tasks.generators.tokenizers import load_tokenizer
from nl_tasks.local_models import model_folder

_BUDGETS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_DEFAULT_BUDGET = 256  # lm-eval's own
_CONTEXTS = ("max_position_embeddings", "n_positions", "n_ctx")


def generation_budget(generation: Mapping[str, Any]) -> int:
    """Tokens that may be generated under these generation arguments."""
    return next((int(generation[name]) for name in _BUDGETS if generation.get(name)), _DEFAULT_BUDGET)


def count_read(model: Any, context: str, tokenizer: str) -> int | None:
    """Tokens that `model` (None: a local one with this `tokenizer`) reads for a text; None if nobody can tell."""
    if hasattr(model, "tok_batch_encode"):
        return int(model.tok_batch_encode([context])[0].shape[1])
    if hasattr(model, "tok_encode"):
        return len(model.tok_encode(context))
    return load_tokenizer(model_folder(tokenizer)).count_prompt(context, chat=False) if tokenizer else None


def context_size(model: Any, metadata: Mapping[str, Any]) -> int | None:
    """Tokens that a model can hold, prompt and answer together; None if nobody can tell."""
    if isinstance(found := getattr(model, "max_length", None), int):
        return found
    if metadata.get("max_length"):
        return int(metadata["max_length"])
    if not metadata.get("pretrained"):
        return None
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(model_folder(str(metadata["pretrained"]))).get_text_config()
    except (OSError, ValueError):  # not a model of transformers: its own library knows
        return None
    return next((int(getattr(config, name)) for name in _CONTEXTS if getattr(config, name, None)), None)
