"""The attention function that transformers calls in place of its own, for one backend."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from nl_tasks.kernels.attention import attention
from nl_tasks.kernels.devices import on_device_of
from nl_tasks.kernels.plan import FullPlan, Plan, TokenPlan
from nl_tasks.sparse_backends.evict import Slot, kept_positions
from nl_tasks.sparse_backends.full import full_attention
from nl_tasks.sparse_backends.inference import ForInference
from nl_tasks.sparse_backends.padding import Part, Parts
from nl_tasks.sparse_backends.run import Run
from nl_tasks.sparse_backends.windows import every_layer_slides

if TYPE_CHECKING:
    from nl_tasks.sparse_backends.base import Backend

_UNSUPPORTED = ("softcap", "s_aux", "position_bias")  # change the scores in ways that selection and kernels do not know


class Forward:
    """Attention of every layer of a model by the plans of `backend`.

    Padded batches are computed part by part, each without its padding. A call with one query over more keys is a
    generated token; any other is (a chunk of) a prompt. `slot_of(module)` finds what is remembered of the sequences
    that the call continues.
    """

    def __init__(
        self,
        backend: "Backend",
        slot_of: Callable[[nn.Module], Slot],
        run: Run,
        dense_layers: frozenset[int] = frozenset(),
        provider: str = "auto",
        observe: Callable[..., None] | None = None,
    ) -> None:
        self.backend, self.slot_of, self.run = backend, slot_of, run
        self.dense_layers, self.provider, self.observe = dense_layers, provider, observe
        self.parts = Parts()

    def __call__(
        self,
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        dropout: float = 0.0,
        scaling: float | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, None]:
        """Return the output `[B, T, Hq, D]` for `query` `[B, Hq, T, D]` over `key`, `value` `[B, Hkv, S, D]`."""
        if not getattr(module, "is_causal", True):  # an encoder beside the language model
            return sdpa_attention_forward(
                module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
            )
        self._refuse(attention_mask, key, value, dropout, kwargs)
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        window = kwargs.get("sliding_window", getattr(module, "sliding_window", None))
        layer = int(module.layer_idx)  # type: ignore[arg-type] # set by every attention module of transformers
        sizes = query.shape[0], query.shape[2], key.shape[2]
        with on_device_of(query), torch.no_grad():  # layers may lie on any of several
            if window is not None or layer in self.dense_layers:
                if window is not None and every_layer_slides(module):
                    raise ValueError(f"{self.backend.name}: every layer stays dense (a sliding window)")
                parts = self.parts.of(attention_mask, *sizes)
                out = self._over(
                    parts, query, key, value, lambda part, q, k, v: full_attention(q, k, v, scale=scale, window=window)
                )
            else:
                call = _Call(self, layer, scale, self.slot_of(module), attention_mask, sizes)
                out = call.evicted(query, key, value) if call.continues_evicted() else call.intact(query, key, value)
                if self.backend.remembers:
                    call.slot.leave(key)
            out = out.transpose(1, 2).contiguous()
        if torch.is_grad_enabled() and any(x.requires_grad for x in (query, key, value)):
            out = ForInference.apply(out, self.backend.name, query, key, value)
        return out, None

    def _over(
        self, parts: list[Part], q: Tensor, k: Tensor, v: Tensor, each: Callable[[Part, Tensor, Tensor, Tensor], Tensor]
    ) -> Tensor:
        """Apply `each` to the parts and put the outputs in their places; padding gets zeros."""
        if len(parts) == 1 and parts[0].queries == slice(None) and parts[0].keys == slice(None):
            return each(parts[0], q, k, v)
        out = torch.zeros_like(q)
        for part in parts:
            inner = q[part.rows, :, part.queries], k[part.rows, :, part.keys], v[part.rows, :, part.keys]
            out[part.rows, :, part.queries] = each(part, *inner)
        return out

    def _refuse(self, mask: Tensor | None, key: Tensor, value: Tensor, dropout: float, kwargs: dict[str, Any]) -> None:
        name = self.backend.name
        if mask is not None and mask.dim() != 2:
            raise ValueError(f"{name}: attention_mask has {mask.dim()} dimensions; give one of tokens, [B, S]")
        if dropout:
            raise ValueError(f"{name}: dropout={dropout} is out of range: 0; call model.eval()")
        for unsupported in _UNSUPPORTED:
            if kwargs.get(unsupported) is not None:
                raise ValueError(f"{name}: this model's attention uses {unsupported}, which sparse backends do not")
        if key.shape != value.shape:
            raise ValueError(f"{name}: keys and values differ in shape: {tuple(key.shape)}, {tuple(value.shape)}")


class _Call:
    """One call of one layer that the backend may make sparse."""

    def __init__(
        self, forward: Forward, layer: int, scale: float, slot: Slot, mask: Tensor | None, sizes: tuple[int, int, int]
    ) -> None:
        self.forward, self.layer, self.scale, self.slot, self.mask = forward, layer, scale, slot, mask
        self.backend, self.run = forward.backend, forward.run
        self.batch, self.queries, self.keys = sizes
        self.generates = self.queries == 1 and self.keys > 1
        if self.queries == self.keys:
            slot.positions = None  # a new sequence
        if not self.generates:
            slot.prompt = self.keys
        self.run.expect_batch(self.batch)

    def continues_evicted(self) -> bool:
        """Whether something of these sequences was evicted."""
        held = self.slot.positions
        if held is None:
            return False
        if self.queries > 1:
            raise ValueError(
                f"{self.backend.name} evicts after the first call, which must hold the whole prompt: {self.queries} "
                "more tokens came at once (no prefill_chunk_size, assistant model or second turn on the same cache)"
            )
        if held.shape[0] != self.batch or held.shape[2] + 1 != self.keys:
            raise ValueError(
                f"{self.backend.name} by name follows one batch at a time, and this call is of another one: "
                "use backend.attach(model)"
            )
        return True

    def intact(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention while the cache holds everything; then, for eviction methods, what is to go."""
        parts = self.forward.parts.of(self.mask, self.batch, self.queries, self.keys)
        stays: list[Tensor | None] = []
        prompts: list[int] = []

        def each(part: Part, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            prompt = k.shape[2] if self.slot.prompt is None else part.count_below(self.slot.prompt, self.keys)
            prompts.extend([prompt] * q.shape[0])
            plan = self.plan(part, q, k, prompt)
            if self.backend.phase == "evict":
                stays.append(self.stays(part, q, k, prompt))
            return self.attend(q, k, v, plan)

        out = self.forward._over(parts, q, k, v, each)
        if any(kept is not None for kept in stays):
            self.evict(parts, stays, prompts, k)
        return out

    def plan(self, part: Part, q: Tensor, k: Tensor, prompt: int) -> Plan:
        """The plan of a part, recorded if this is the phase in which the backend acts."""
        acts = {"prefill": not self.generates, "decode": self.generates, "evict": self.generates}[self.backend.phase]
        if not acts:
            self.backend.check(1, prompt) if self.backend.phase != "prefill" else None
        short = acts and self.faster_dense(q, k)
        if not acts or self.backend.phase == "evict" or short:
            plan: Plan = FullPlan(q.shape[2], k.shape[2], q.shape[0], q.shape[1], q.device)
            if short:
                self.run.ran_densely(q.shape[2])
        else:
            more = {"memory": self.memory(part)} if self.backend.remembers else {}
            plan = self.backend.plan(q, k, scale=self.scale, layer=self.layer, prompt=prompt, **more)
            if self.forward.observe is not None:
                self.forward.observe(layer=self.layer, q=q, k=k, plan=plan, scale=self.scale)
        if acts:
            self.run.record(self.layer, part.first, plan, q.shape[1], prompt, estimated=not short)
        return plan

    def faster_dense(self, q: Tensor, k: Tensor) -> bool:
        """Whether dense attention of this prompt is faster, and the caller asked for what is fastest."""
        whole = q.is_cuda and self.backend.phase == "prefill" and q.shape[2] == k.shape[2]
        cost = self.backend.cost() if self.forward.provider == "auto" and whole else None
        if cost is None:
            return False
        # One row's: what is said of it must not depend on the others of its batch.
        tokens, work = q.shape[2], q.shape[1] * q.shape[3] / (32 * 128)
        return not cost.pays(tokens, self.backend.expected_density(tokens, tokens), work)

    def memory(self, part: Part) -> dict[str, Any] | None:
        """What the backend remembers of a part's keys; None where they are not a stretch of the cache."""
        if not isinstance(part.keys, slice):
            return None
        return self.slot.memory.setdefault((self.backend, part.first, part.keys.start), {})

    def attend(self, q: Tensor, k: Tensor, v: Tensor, plan: Plan) -> Tensor:
        """Attention along `plan`; all of it through torch's own kernel, whose result does not depend on ours."""
        if isinstance(plan, FullPlan) and self.forward.provider in ("auto", "sparse", "torch"):
            return full_attention(q, k, v, scale=self.scale)
        return attention(q, k, v, plan, scale=self.scale, provider=self.forward.provider)[0]

    def stays(self, part: Part, q: Tensor, k: Tensor, prompt: int) -> Tensor | None:
        """Which keys of a part stay after this call, `[b, Hkv, S]` bool; None if all."""
        if not self.generates:
            plan = self.backend.plan(q, k, scale=self.scale, layer=self.layer, prompt=prompt)
            if self.forward.observe is not None:
                self.forward.observe(layer=self.layer, q=q, k=k, plan=plan, scale=self.scale)
            kept = plan.mask(0, 1)[:, :, 0]
            self.run.record_kept(self.layer, part.first, kept, q.shape[1])
            return None if bool(kept.all()) else kept
        if not self.backend.evicts_again:
            return None
        everything = torch.ones(k.shape[:3], dtype=torch.bool, device=k.device)
        return self.steps(q, k, everything, [prompt] * len(k))

    def steps(self, q: Tensor, k: Tensor, held: Tensor, prompts: list[int]) -> Tensor | None:
        """What stays of `held` `[b, Hkv, S]` after a generated token; None if all."""
        if not self.backend.evicts_again:
            return None
        after = [
            self.backend.evict_step(q[row], k[row], held[row], scale=self.scale, prompt=prompts[row])
            for row in range(len(k))
        ]
        if all(kept is None for kept in after):
            return None
        return torch.stack([held[row] if kept is None else kept for row, kept in enumerate(after)])

    def evict(self, parts: list[Part], stays: list[Tensor | None], prompts: list[int], k: Tensor) -> None:
        """Note in the slot what stays. Rows without a real token hold nothing."""
        slot, kept = self.slot, []
        slot.lengths, slot.prompts = [0] * self.batch, [0] * self.batch
        for part, stay in zip(parts, stays):
            of_part = k[part.rows, :, part.keys, 0]
            kept.append((part.rows, part.keys, torch.ones_like(of_part, dtype=torch.bool) if stay is None else stay))
            for row in range(part.first, part.first + of_part.shape[0]):
                slot.lengths[row], slot.prompts[row] = of_part.shape[2], prompts[0]
                prompts = prompts[1:]
        slot.positions = kept_positions(kept, (self.batch, k.shape[1], self.keys))
        slot.packed, slot.whole, slot.ends = None, False, None

    def evicted(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention of a generated token over what is left and itself; then what is to go."""
        held = self.slot.append()
        if self.slot.whole:
            plan: Plan = FullPlan(1, self.keys, self.batch, q.shape[1], q.device)
        else:
            plan = TokenPlan(1, self.keys, *self.slot.listed(held))
        self.run.record(self.layer, 0, plan, q.shape[1], self.slot.prompts, seen=self.slot.lengths)
        out = self.attend(q, k, v, plan)
        after = self.steps(q, k, held, self.slot.prompts)
        if after is not None and self.slot.positions is not None:
            self.slot.positions = self.slot.positions.masked_fill(~after, -1)
            self.slot.packed, self.slot.whole = None, False
            self.run.record_positions(self.layer, self.slot.positions, q.shape[1])
        return out
