"""Backends by name in transformers: `from_pretrained(..., attn_implementation="nl_quest")`."""

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface

from nl_tasks.sparse_backends.evict import Slot
from nl_tasks.sparse_backends.forward import Forward
from nl_tasks.sparse_backends.masks import padding_mask
from nl_tasks.sparse_backends.run import Run

if TYPE_CHECKING:
    from nl_tasks.sparse_backends.base import Backend


def use_by_name(backend: "Backend", name: str) -> None:
    """Make `backend` known to transformers as the attention implementation `name`, masks for padding included.

    Unlike `attach` it sees no cache: each module remembers the one sequence or batch that it read last, and an
    eviction method hides what it evicts without freeing it. Nothing is recorded, so that nobody could tell if full
    attention ran in its place: the method always runs, also where that is slower.
    """
    slots: WeakKeyDictionary[nn.Module, Slot] = WeakKeyDictionary()

    def slot_of(module: nn.Module) -> Slot:
        return slots.setdefault(module, Slot())

    AttentionInterface.register(name, Forward(backend, slot_of, Run(backend, recording=False), provider="sparse"))
    AttentionMaskInterface.register(name, padding_mask)
