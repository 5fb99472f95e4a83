"""What an evicted cache still holds: the bookkeeping, and a cache layer that gives the memory back."""

from dataclasses import dataclass, field
from typing import Any, cast
from weakref import ref

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from nl_tasks.sparse_backends.budget import listed


@dataclass
class Slot:
    """What is known of the sequences whose keys one layer of a cache holds.

    `prompt` is the number of keys after the last call with several queries, padding included. Once something was
    evicted, `positions` `[B, Hkv, S]` says which token of its row each key belongs to, -1 if it is not to be read
    (evicted, or padding), `lengths` how many tokens each row has, and `prompts` how many of them were its prompt.
    While nothing more is evicted, `packed` says how many keys to be read stand in front `[B, Hkv]`, and how many places
    there were when they were put there; all after those are to be read; `whole` says that so are all of the former.
    `ends` `[B, 1, 1]` is `lengths` on the device, once it was needed. `memory` is what a backend remembers. `announced`
    says that the next call comes from a model with the backend attached.
    """

    prompt: int | None = None
    positions: Tensor | None = None
    lengths: list[int] = field(default_factory=list)
    prompts: list[int] = field(default_factory=list)
    packed: tuple[Tensor, int] | None = None
    whole: bool = False
    ends: Tensor | None = None
    memory: dict[Any, dict[str, Any]] = field(default_factory=dict)
    announced: bool = False
    _left: "tuple[ref[Tensor], int] | None" = None
    _compared: bool = False

    def __getstate__(self) -> dict[str, Any]:
        """A copy, or what is written to a file, has keys of its own: nothing is remembered of them."""
        return {**self.__dict__, "memory": {}, "_left": None}

    def compare(self, keys: Tensor | None) -> None:
        """Announce a call, and forget `memory` unless `keys`, which the cache holds, are what the last one left."""
        if keys is None or self._left is None or self._left[0]() is not keys or self._left[1] != _version(keys):
            self.memory.clear()
        self._left, self._compared, self.announced = None, True, True

    def leave(self, keys: Tensor) -> None:
        """End a call: `keys` are what the cache holds now. Where nobody compares, nothing is remembered."""
        if self._compared:
            self._left, self._compared = (ref(keys), _version(keys)), False  # whoever owns the cache may drop them
        else:
            self.memory.clear()

    def append(self) -> Tensor:
        """Add one generated token to every row and return which keys are to be read, `[B, Hkv, S + 1]` bool."""
        if self.positions is None:
            raise RuntimeError("nothing was evicted yet")
        if self.ends is None:
            ends = torch.tensor(self.lengths, dtype=self.positions.dtype, device=self.positions.device)
            self.ends = ends.view(-1, 1, 1)
        self.positions = torch.cat([self.positions, self.ends.expand(-1, self.positions.shape[1], 1)], -1)
        self.ends = self.ends + 1
        self.lengths = [length + 1 for length in self.lengths]
        return self.positions >= 0

    def listed(self, held: Tensor) -> tuple[Tensor, Tensor]:
        """The places of the keys `held`, as `append` gave them, and how many; see `budget.listed`."""
        if self.packed is None:
            return listed(held)
        front, width = self.packed[0][..., None], self.packed[1]
        place = torch.arange(held.shape[-1], dtype=torch.int32, device=held.device)
        counts = front + (held.shape[-1] - width)
        places = torch.where(place < front, place, place + (width - front))
        return torch.where(place < counts, places, 0), counts[..., 0]


def _version(x: Tensor) -> int:
    """How often x was changed in place; 0 in inference mode, which does not count."""
    return 0 if x.is_inference() else x._version


class EvictedLayer(DynamicLayer):
    """A cache layer after eviction: fewer keys than tokens seen, while positions count on from what was seen.

    KV heads and rows that kept less than others are padded; `slot.positions` says where.
    """

    def __init__(self, layer: DynamicLayer, slot: Slot) -> None:
        super().__init__()
        self.seen = layer.get_seq_length()
        self.dtype, self.device = layer.dtype, layer.device
        self.keys, self.values, self.is_initialized = layer.keys, layer.values, True
        self.nl_slot = slot

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append keys and values `[B, Hkv, n, D]`.

        Raises ValueError if a model without the backend reads on where heads or rows kept different numbers of tokens:
        it would take what they are padded with for tokens.
        """
        slot = self.nl_slot
        if slot.positions is not None and not slot.whole and not slot.announced:
            raise ValueError(
                "heads of this cache kept different numbers of tokens: go on with it while the backend is attached"
            )
        slot.announced = False
        self.seen += key_states.shape[-2]
        return super().update(key_states, value_states, *args, **kwargs)

    def get_seq_length(self) -> int:
        """Tokens seen, evicted ones included."""
        return self.seen

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Keys that a mask is for, and the position of the first: as if the oldest had been evicted."""
        held = self.keys.shape[-2] if self.keys is not None else 0
        return held + query_length, self.seen - held

    def compact(self) -> None:
        """Drop the keys that no head of no row reads any more."""
        slot, positions = self.nl_slot, self.nl_slot.positions
        if positions is None or self.keys is None or self.values is None or slot.packed is not None:
            return
        index, counts = listed(positions >= 0)
        index = index.long()
        if index.shape[-1] == positions.shape[-1]:
            return
        slot.packed, slot.whole = (counts, index.shape[-1]), bool((counts == index.shape[-1]).all())
        real = torch.arange(index.shape[-1], device=index.device) < counts[..., None]
        slot.positions = torch.where(real, positions.gather(-1, index), -1)
        wide = index[..., None].expand(-1, -1, -1, self.keys.shape[-1])
        self.keys, self.values = self.keys.gather(2, wide), self.values.gather(2, wide)

    def reset(self) -> None:
        """Forget everything."""
        super().reset()
        self.seen, self.nl_slot = 0, Slot()

    def crop(self, tokens_to_remove: int) -> None:
        """Refuse: what was evicted for the sake of the cropped tokens cannot come back."""
        raise ValueError("an evicted cache cannot be cropped: generate without an assistant model")

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Reorder the batch for beam search."""
        self.batch_select_indices(beam_idx)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat each row."""
        rows = torch.arange(len(self.nl_slot.lengths)).repeat_interleave(repeats)
        self.batch_select_indices(rows)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep the rows `indices`."""
        slot = self.nl_slot
        super().batch_select_indices(indices.to(self.keys.device) if self.keys is not None else indices)
        if slot.positions is not None:
            rows = indices.to(slot.positions.device)
            slot.positions = slot.positions[rows]
            slot.packed = None if slot.packed is None else (slot.packed[0][rows], slot.packed[1])
            slot.ends = None
            slot.lengths = [slot.lengths[i] for i in indices.tolist()]
            slot.prompts = [slot.prompts[i] for i in indices.tolist()]


def free(cache: Cache, layer: int) -> None:
    """Give back the memory of what was evicted from a layer of `cache`."""
    held = cache.layers[layer]
    slot = getattr(held, "nl_slot", None)
    if slot is None or slot.positions is None:
        return
    if not isinstance(held, EvictedLayer):
        cache.layers[layer] = held = EvictedLayer(cast(DynamicLayer, held), slot)
    held.compact()


def kept_positions(kept: list[tuple[slice, slice | Tensor, Tensor]], shape: tuple[int, int, int]) -> Tensor:
    """Assemble `positions` `[B, Hkv, S]` of a batch from parts: its rows, their keys, and which of them stay."""
    first = kept[0][2]
    positions = torch.full(shape, -1, dtype=torch.int32, device=first.device)
    for rows, keys, stays in kept:
        order = torch.arange(stays.shape[-1], dtype=torch.int32, device=first.device)
        positions[rows, :, keys] = torch.where(stays, order, -1)
    return positions
