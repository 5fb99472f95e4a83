"""Layers that see a window of the last tokens alone, and so stay dense."""

from typing import Any

from torch import nn

_KINDS = ("sliding_attention", "chunked_attention")


def slides(module: nn.Module) -> bool:
    """Whether an attention module of transformers, with its `config` and `layer_idx`, sees a window alone."""
    config: Any = module.config
    kinds = getattr(config, "layer_types", None)
    if kinds is not None:
        return kinds[module.layer_idx] in _KINDS
    return getattr(module, "sliding_window", getattr(config, "sliding_window", None)) is not None


def every_layer_slides(module: nn.Module) -> bool:
    """Whether all layers of the model to which an attention module belongs see a window alone."""
    config: Any = getattr(module, "config", None)
    kinds = getattr(config, "layer_types", None)
    return all(kind in _KINDS for kind in kinds) if kinds is not None else config is not None and slides(module)
