"""What a backend is: a frozen dataclass whose fields are one method's parameters, and a plan made from q and k.

backend = parse_backend("quest:sparsity=0.9")
with backend.attach(model) as run:
    model.generate(**inputs)
print(run.density())
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from functools import wraps
from typing import Any, ClassVar, Literal

from torch import Tensor

from nl_tasks.kernels.devices import on_device_of
from nl_tasks.kernels.plan import Plan, causal_entries
from nl_tasks.sparse_backends.budget import too_sparse
from nl_tasks.sparse_backends.hook import attach
from nl_tasks.sparse_backends.pays import Cost
from nl_tasks.sparse_backends.run import Run

Phase = Literal["prefill", "decode", "evict"]
GUESSED = 0.1  # density of a method whose budget does not tell it


@dataclass(frozen=True, kw_only=True)
class Backend(ABC):
    """Base of all selection methods. A subclass names its place in the taxonomy, declares parameters, writes `plan`.

    `phase` says when it acts: in the prefill, on each generated token's read of a full cache, or by evicting from the
    cache after a dense prefill. Parameters declared with `budget(default)` say how much is kept: `sparsity` takes the
    place of all of them and may not be given beside one; with neither, they take their defaults.
    """

    name: ClassVar[str]
    phase: ClassVar[Phase]
    unit: ClassVar[str]
    estimator: ClassVar[str]
    allocation: ClassVar[str]
    cache: ClassVar[str] = "full"
    citation: ClassVar[str]
    remembers: ClassVar[bool] = False
    """Whether `plan` takes `memory`: a dict that stays with the cache while that only grows (None: nothing stays)."""

    sparsity: float | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "plan" in vars(cls):  # kernels are launched on the current GPU: it has to be q's
            cls.plan = _where_q_lies(cls.plan)  # type: ignore[method-assign]

    def __post_init__(self) -> None:
        own = [field for field in fields(self) if "budget" in field.metadata]
        given = [field.name for field in own if getattr(self, field.name) is not None]
        for field in fields(self):
            if callable(getattr(Backend, field.name, None)):
                raise ValueError(
                    f"{self.name}: no parameter may be called {field.name!r}, which is a method of Backend"
                )
        if self.sparsity is None:
            for field in own:
                if getattr(self, field.name) is None:
                    object.__setattr__(self, field.name, field.metadata["budget"])
        elif given:
            raise ValueError(f"{self.name}: give sparsity={self.sparsity} or {', '.join(given)}, not both")
        self.require("sparsity", self.sparsity is None or 0 <= self.sparsity < 1, "0 <= sparsity < 1")

    @abstractmethod
    def plan(self, q: Tensor, k: Tensor, *, scale: float, layer: int = 0, prompt: int | None = None) -> Plan:
        """Say what to compute for queries `q` `[B, Hq, T, D]` over keys `k` `[B, Hkv, S, D]` (after RoPE) of a layer.

        `prompt` is the length of the prompt in tokens, against which a decode budget is counted (None: S).
        Eviction backends get the whole prompt's q and k and return the TokenPlan of what stays. Rows of a batch are
        sequences of their own: what is planned for one, solved budgets too, must not depend on the others.
        """

    def evict_step(self, q: Tensor, k: Tensor, held: Tensor, *, scale: float, prompt: int) -> Tensor | None:
        """Say what stays of the entries `held` `[Hkv, S]` bool after a generated token's attention (None: all).

        `q` `[Hq, 1, D]` and `k` `[Hkv, S, D]` are one sequence's; for eviction backends that evict while decoding.
        """
        return None

    def cost(self) -> Cost | None:
        """What a prefill by this method costs on a GPU; None if that was not measured."""
        return None

    def expected_density(self, queries: int, keys: int) -> float:
        """The share of full causal attention that a prefill will compute, as far as that can be told beforehand.

        It decides how a prompt is read (see `cost`), never what is recorded.
        """
        return GUESSED if self.sparsity is None else 1 - self.sparsity

    @property
    def evicts_again(self) -> bool:
        """Whether the method has an `evict_step`: it may evict after each generated token."""
        return type(self).evict_step is not Backend.evict_step

    def floor(self, queries: int, keys: int) -> int:
        """Score entries of a head that are kept whatever the budget."""
        return 0

    def estimation(self, queries: int, keys: int) -> int:
        """Products of a query and a key vector that a head's selection costs, in units of score entries."""
        return 0

    def target(self, queries: int, keys: int) -> int:
        """Score entries of a head that the asked sparsity allows. Raises ValueError if `floor` exceeds them."""
        self.check(queries, keys)
        return round((1 - (self.sparsity or 0.0)) * causal_entries(queries, keys))

    def check(self, queries: int, keys: int) -> None:
        """Raise ValueError if the asked sparsity cannot be had at this length, naming the nearest that can."""
        asked = (1 - (self.sparsity or 0.0)) * causal_entries(queries, keys)
        if self.sparsity and self.floor(queries, keys) > asked + 1e-6:  # 1 - 0.9 is less than 0.1
            rows = None if queries == keys else queries

            def floor(length: int) -> int:
                return self.floor(length if rows is None else min(rows, length), length)

            raise ValueError(too_sparse(self.name, self.sparsity, floor, rows, keys))

    def keep(self, tokens: int | None, prompt: int | None, keys: int) -> int:
        """Tokens that a query may read: `tokens`, or what the sparsity leaves of the prompt; at most `keys`."""
        if self.sparsity is None:
            return min(tokens or 0, keys)
        return keys if self.sparsity == 0 else min(keys, self.target(1, prompt or keys))

    def require(self, field: str, allowed: bool, expected: str) -> None:
        """Raise ValueError naming field, value and `expected` unless `allowed`; for use in `__post_init__`."""
        if not allowed:
            raise ValueError(f"{self.name}: {field}={getattr(self, field)!r} is out of range: {expected}")

    @property
    def spec(self) -> str:
        """The text that `parse_backend` reads back: the name and every parameter that is not its default."""
        changed = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value not in (field.default, field.metadata.get("budget", field.default)):
                changed.append(f"{field.name}={str(value).lower() if isinstance(value, bool) else value}")
        return ":".join(filter(None, [self.name, ",".join(changed)]))

    def attach(
        self,
        model: Any,
        *,
        dense_layers: Iterable[int] = (),
        provider: str = "auto",
        observe: Callable[..., None] | None = None,
    ) -> AbstractContextManager[Run]:
        """Run `model` (transformers) with this backend inside a `with` block; see `nl_tasks.sparse_backends.hook`."""
        return attach(self, model, dense_layers=dense_layers, provider=provider, observe=observe)


def _where_q_lies(plan: Callable[..., Plan]) -> Callable[..., Plan]:
    @wraps(plan)
    def there(self: Backend, q: Tensor, *args: Any, **options: Any) -> Plan:
        with on_device_of(q):
            return plan(self, q, *args, **options)

    return there
