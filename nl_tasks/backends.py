"""`nl-tasks backends`: the sparse-attention methods, their place in the taxonomy, parameters and citations."""

import inspect
from dataclasses import asdict, dataclass, fields
from typing import Any

from nl_tasks.catalogue import kind_name
from nl_tasks.sparse_backends import Backend, backend_types, parameter_types


@dataclass(frozen=True)
class ParameterDescription:
    """A parameter; `is_budget` if `sparsity` takes its place."""

    name: str
    kind: str
    default: Any
    is_budget: bool


@dataclass(frozen=True)
class BackendDescription:
    """A backend: the first paragraph of its docstring, its taxonomy, its citation and its parameters."""

    name: str
    summary: str
    phase: str
    unit: str
    estimator: str
    allocation: str
    cache: str
    citation: str
    parameters: tuple[ParameterDescription, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def describe_backends() -> list[BackendDescription]:
    """All backends known here, those of installed packages included: prefill, decode, eviction, then by name."""
    order = ("prefill", "decode", "evict")
    described = map(_describe, backend_types().values())
    return sorted(described, key=lambda backend: (order.index(backend.phase), backend.name))


def _describe(cls: type[Backend]) -> BackendDescription:
    doc = inspect.getdoc(cls) or ""
    kinds = parameter_types(cls)
    return BackendDescription(
        name=cls.name,
        summary=" ".join(doc.split("\n\n")[0].split()),
        phase=cls.phase,
        unit=cls.unit,
        estimator=cls.estimator,
        allocation=cls.allocation,
        cache=cls.cache,
        citation=cls.citation,
        parameters=tuple(
            ParameterDescription(
                name=field.name,
                kind=kind_name(kinds[field.name]),
                default=field.metadata.get("budget", field.default),
                is_budget="budget" in field.metadata,
            )
            for field in fields(cls)
        ),
    )
