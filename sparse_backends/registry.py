"""Backends by name: ours and those that installed packages offer, made from text such as `quest:sparsity=0.9`."""

import difflib
import types
import typing
from collections.abc import Iterable
from dataclasses import fields
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from nl_tasks.sparse_backends.base import Backend
from nl_tasks.sparse_backends.names import use_by_name

_BACKENDS: dict[str, type[Backend]] = {}
B = TypeVar("B", bound=type[Backend])


def register(cls: B) -> B:
    """Class decorator: make a backend known as `name`, and to transformers as `attn_implementation="nl_<name>"`.

    Raises ValueError if another class has the name.
    """
    if _BACKENDS.get(cls.name, cls) is not cls:
        raise ValueError(f"a backend named {cls.name!r} is registered already")
    _BACKENDS[cls.name] = cls
    use_by_name(cls(), f"nl_{cls.name}")
    return cls


def backend_types() -> dict[str, type[Backend]]:
    """Return all backends by name: ours, then those of installed packages (entry points `nl_tasks.backends`)."""
    for entry in entry_points(group="nl_tasks.backends"):
        if entry.name not in _BACKENDS:
            register(_loaded(entry))
    return dict(_BACKENDS)


def _loaded(entry: EntryPoint) -> type[Backend]:
    try:
        return entry.load()
    except Exception as error:  # whatever goes wrong in somebody else's package
        package = entry.dist.name if entry.dist else "a package"
        raise ValueError(
            f"{package} offers the backend {entry.name!r} ({entry.value}), which cannot be loaded "
            f"({type(error).__name__}: {error}): mend or uninstall it"
        ) from error


def get_backend(backend_name: str, /, **parameters: Any) -> Backend:
    """Make a backend by name; text values are read as the parameter's type (`sparsity="0.9"`).

    Raises ValueError for an unknown backend or parameter (the nearest names are offered) or a value out of range.
    """
    known = backend_types()
    if backend_name not in known:
        raise ValueError(f"unknown backend {backend_name!r}{_nearest(backend_name, known)}")
    cls = known[backend_name]
    kinds = parameter_types(cls)
    for parameter in parameters:
        if parameter not in kinds:
            raise ValueError(f"{backend_name} has no parameter {parameter!r}{_nearest(parameter, kinds)}")
    return cls(**{name: _read(backend_name, name, value, kinds[name]) for name, value in parameters.items()})


def parse_backend(text: str) -> Backend:
    """Make a backend from `name` or `name:parameter=value,parameter=value`. Raises ValueError as `get_backend` does."""
    name, _, rest = text.strip().partition(":")
    parameters = {}
    for part in filter(None, (part.strip() for part in rest.split(","))):
        parameter, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"backend {text!r}: write {part!r} as parameter=value")
        if parameter.strip() in parameters:
            raise ValueError(f"backend {text!r}: {parameter.strip()!r} is given twice")
        parameters[parameter.strip()] = value.strip()
    return get_backend(name.strip(), **parameters)


def parameter_types(cls: type[Backend]) -> dict[str, Any]:
    """Map parameter names to annotated types, in the order in which the backend declares them, `sparsity` first."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls)}


def _read(backend: str, name: str, value: Any, kind: Any) -> Any:
    if not isinstance(value, str):
        return value
    if typing.get_origin(kind) is typing.Literal:
        if value not in typing.get_args(kind):
            raise ValueError(f"{backend}: {name}={value!r} is out of range: one of {', '.join(typing.get_args(kind))}")
        return value
    if isinstance(kind, types.UnionType):
        kind = next(part for part in typing.get_args(kind) if part is not types.NoneType)
    try:
        return {"true": True, "false": False}[value.lower()] if kind is bool else kind(value)
    except (ValueError, KeyError):
        raise ValueError(f"{backend}: {name}={value!r} is not of type {kind.__name__}") from None


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f": did you mean {' or '.join(close)}?" if close else f": known are {', '.join(known)}"
