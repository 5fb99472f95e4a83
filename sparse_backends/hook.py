"""Running a transformers model with a backend, and leaving it as it was."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.cache_utils import Cache, DynamicLayer

from nl_tasks.sparse_backends.evict import EvictedLayer, Slot, free
from nl_tasks.sparse_backends.forward import Forward
from nl_tasks.sparse_backends.masks import padding_mask
from nl_tasks.sparse_backends.run import Run
from nl_tasks.sparse_backends.windows import slides

if TYPE_CHECKING:
    from nl_tasks.sparse_backends.base import Backend

ATTACHED = "nl_attached"
_KEY = "_nl_forward"


@contextmanager
def attach(
    backend: "Backend",
    model: Any,
    *,
    dense_layers: Iterable[int] = (),
    provider: str = "auto",
    observe: Callable[..., None] | None = None,
) -> Iterator[Run]:
    """Run `model` with `backend` inside a `with` block and yield the records of it; everything is restored on exit.

    `dense_layers` are left dense (negative numbers count from the last); so are layers with a sliding window.
    `provider` picks the kernels (see `nl_tasks.kernels.attention`): "auto" what is fastest, which on a GPU is dense
    attention for a prompt that is short for its density (see `pays`; a warning says so, their density is 1 and
    `run.report()` counts `dense_calls`), "sparse" the fastest kernel that computes the plan, whatever the length. The
    first of several chunks of a prompt looks like a whole one: give "sparse" with `prefill_chunk_size`.
    `observe(layer=, q=, k=, plan=, scale=)` is called with every plan. Raises ValueError for a model that cannot be
    hooked or has a backend attached, and for layers that it does not have.
    """
    modules = attention_modules(model)
    layers = {int(module.layer_idx): module for module in modules}  # type: ignore[arg-type] # see attention_modules
    dense = _dense(dense_layers, max(layers) + 1)
    if all(index in dense or slides(module) for index, module in layers.items()):
        raise ValueError(f"{type(model).__name__}: every layer stays dense (a sliding window, or in dense_layers)")
    if backend.phase == "evict" and getattr(model.config.get_text_config(), "num_kv_shared_layers", None):
        raise ValueError(f"{backend.name}: {type(model).__name__} shares keys between layers, which cannot be evicted")
    run = Run(backend, sorted(layers))
    caches: dict[int, Cache] = {}
    forward = Forward(backend, partial(_slot, caches, backend.phase == "evict"), run, dense, provider, observe)
    with ExitStack() as undo:
        for config in _configs(model, modules):
            undo.callback(setattr, config, "_attn_implementation_internal", config._attn_implementation)
            config._attn_implementation_internal = ATTACHED
        for module in modules:
            undo.callback(module.__dict__.pop, _KEY, None)
            module.__dict__[_KEY] = forward
            undo.callback(module.register_forward_pre_hook(partial(_before, caches), with_kwargs=True).remove)
            undo.callback(module.register_forward_hook(partial(_after, caches), always_call=True).remove)
        yield run


def attention_modules(model: Any) -> list[nn.Module]:
    """Find the causal attention modules of a transformers model whose attention goes through `AttentionInterface`.

    Raises ValueError if there are none, or if a backend is attached to the model already.
    """
    if not isinstance(model, PreTrainedModel):
        raise ValueError(f"cannot hook {type(model).__name__}: it is not a transformers model")
    name = type(model).__name__
    if getattr(model.config, "is_encoder_decoder", False):
        raise ValueError(f"cannot hook {name}: it has an encoder; sparse backends are for decoders")
    if not model._can_set_attn_implementation():
        raise ValueError(f"cannot hook {name}: its attention does not go through transformers' AttentionInterface")
    if getattr(model.config.get_text_config(), "attn_logit_softcapping", None) is not None:
        raise ValueError(f"cannot hook {name}: its attention caps the scores (attn_logit_softcapping)")
    found = [module for module in model.modules() if _is_attention(module)]
    if not found:
        raise ValueError(f"cannot hook {name}: it has no causal attention layers with a layer_idx")
    if any(_KEY in module.__dict__ for module in found):
        raise ValueError(f"a backend is attached to this {name} already: leave its `with` block first")
    return found


def _is_attention(module: nn.Module) -> bool:
    causal = getattr(module, "is_causal", None) is True
    return causal and isinstance(getattr(module, "layer_idx", None), int) and hasattr(module, "config")


def _dense(asked: Iterable[int], count: int) -> frozenset[int]:
    found = set()
    for layer in asked:
        if not -count <= layer < count:
            raise ValueError(f"dense_layers holds {layer}, which is out of range: {-count} to {count - 1}")
        found.add(layer % count)
    return frozenset(found)


def _configs(model: PreTrainedModel, modules: list[nn.Module]) -> list[Any]:
    """The configs that decide how the given attention modules are run and which masks they get, each once."""
    inside = {id(module) for module in modules}
    owners = [
        part
        for part in model.modules()
        if isinstance(part, PreTrainedModel) and inside & {id(m) for m in part.modules()}
    ]
    return list({id(part.config): part.config for part in [*modules, *owners]}.values())


def _before(caches: dict[int, Cache], module: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
    # The attention function is not given the cache; the module is.
    for value in (*kwargs.values(), *args):
        if isinstance(value, Cache):
            caches[id(module)] = value
            layer = int(module.layer_idx)  # type: ignore[arg-type] # see attention_modules
            held = value.layers[layer] if layer < len(value.layers) else None
            if hasattr(held, "nl_slot"):
                held.nl_slot.compare(getattr(held, "keys", None))  # type: ignore[union-attr]


def _after(caches: dict[int, Cache], module: nn.Module, args: Any, output: Any) -> None:
    cache = caches.pop(id(module), None)
    layer = int(module.layer_idx)  # type: ignore[arg-type] # see attention_modules
    if cache is not None and layer < len(cache.layers):
        free(cache, layer)


def _slot(caches: dict[int, Cache], evicts: bool, module: nn.Module) -> Slot:
    """What is remembered with a cache's layer; nothing, if there is no cache."""
    cache = caches.get(id(module))
    layer = int(module.layer_idx)  # type: ignore[arg-type] # see attention_modules
    if cache is None or layer >= len(cache.layers):
        return Slot()
    held: Any = cache.layers[layer]
    if evicts and getattr(cache, "offloading", False):
        raise ValueError("cannot evict from a cache that is offloaded to the CPU: use a DynamicCache on the GPU")
    if evicts and type(held) not in (DynamicLayer, EvictedLayer):
        raise ValueError(f"cannot evict from a cache layer of type {type(held).__name__}: use a DynamicCache")
    if not hasattr(held, "nl_slot"):
        held.nl_slot = Slot()
    return held.nl_slot


def _call_attached(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
    forward = module.__dict__.get(_KEY)
    if forward is None:
        raise ValueError(
            "a backend is attached to another model that shares this one's config: give each model its own copy"
        )
    return forward(module, *args, **kwargs)


AttentionInterface.register(ATTACHED, _call_attached)
AttentionMaskInterface.register(ATTACHED, padding_mask)
