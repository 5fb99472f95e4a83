"""The columns of a sample as a card's YAML names them, from the sample itself."""

from dataclasses import dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from nl_tasks.generators.sample import Sample

_DTYPES = {str: "string", int: "int64", float: "float64"}


@dataclass(frozen=True)
class Column:
    """One column: its values are of `dtype`, or lists of it, or lists of records with these `fields`."""

    name: str
    dtype: str = ""
    many: bool = False
    fields: tuple["Column", ...] = ()


@cache
def columns(record: type[Any] = Sample) -> tuple[Column, ...]:
    """The columns of `record`, in its order. Raises KeyError for a type that no card can name."""
    return tuple(_column(name, kind) for name, kind in get_type_hints(record).items())


def _column(name: str, kind: Any) -> Column:
    if get_origin(kind) is not list:
        return Column(name, _DTYPES[kind])
    (member,) = get_args(kind)
    if member in _DTYPES:
        return Column(name, _DTYPES[member], many=True)
    return Column(name, many=True, fields=columns(member))
