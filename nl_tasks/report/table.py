"""Tables that are written as HTML (sortable), Markdown and CSV from the same values."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Value:
    """One entry of a table.

    Attributes:
        text: As people read it.
        raw: What it is sorted by and what a CSV file holds; the text if None.
        hrefs: Names and addresses of the result files that it comes from.
        kind: `bad` or `good`, to be marked; or nothing.
    """

    text: str
    raw: float | str | None = None
    hrefs: tuple[tuple[str, str], ...] = ()
    kind: str = ""

    @property
    def key(self) -> float | str:
        """For sorting and CSV."""
        return self.text if self.raw is None else self.raw

    @property
    def is_number(self) -> bool:
        """Whether it is set flush right."""
        return isinstance(self.raw, (int, float))


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        name: Of its CSV file.
        columns: Headings.
        rows: Each as long as `columns`.
        note: A sentence on how to read it.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    note: str = ""

    def markdown(self) -> str:
        """The table in Markdown, result files as links."""
        lines = [_line(self.columns), _line(["---"] * len(self.columns))]
        lines += [_line([_markdown(value) for value in row]) for row in self.rows]
        return "\n".join(lines) + "\n"

    def csv(self) -> str:
        """The table as CSV, numbers in full."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        for row in self.rows:
            writer.writerow([" ".join(name for name, _ in value.hrefs) or value.key for value in row])
        return text.getvalue()


def number(value: float | None, form: str = ".3f", kind: str = "") -> Value:
    """A number, or an empty entry."""
    return Value("", kind=kind) if value is None else Value(format(value, form), value, kind=kind)


def files(hrefs: Sequence[tuple[str, str]]) -> Value:
    """The result files that a row comes from."""
    return Value(", ".join(name for name, _ in hrefs), hrefs=tuple(hrefs))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown(value: Value) -> str:
    if value.hrefs:
        return " ".join(f"[{number}]({address})" for number, (_, address) in enumerate(value.hrefs, 1))
    return _escape(value.text)


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
