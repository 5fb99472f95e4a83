"""The report as one HTML page that needs nothing else, and as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from nl_tasks.report.svg import legend_mark
from nl_tasks.report.table import Table


@dataclass(frozen=True)
class Figures:
    """Plots that are shown together.

    Attributes:
        title: Above them; empty for none.
        plots: `svg` elements.
        legend: Names of the series and their numbers; None is for full attention.
        open: Whether they are unfolded at first.
        rings: Whether rings mark guarantees.
    """

    title: str
    plots: Sequence[str]
    legend: tuple[tuple[str, int | None], ...] = ()
    open: bool = True
    rings: bool = False


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
        name: Its anchor.
        title: Its heading.
        text: What it shows and how to read it.
        figures: Its plots.
        tables: Its tables; empty ones are not shown.
        remarks: Sentences on what could not be said.
    """

    name: str
    title: str
    text: str
    figures: tuple[Figures, ...] = ()
    tables: tuple[Table, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.figures or self.remarks or any(table.rows for table in self.tables))


def page(
    sections: Sequence[Section],
    told: Mapping[str, str],
    caveats: Sequence[str],
    settings: Sequence[tuple[str, str]],
) -> str:
    """The HTML page. `told` fills the texts in; `settings` are names and values."""
    environment = Environment(
        loader=PackageLoader("nl_tasks.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html.jinja").render(
        sections=[section for section in sections if not section.empty],
        told=told,
        caveats=caveats,
        settings=settings,
        mark=legend_mark,
        ring='<svg class="key" viewBox="-12 -10 24 20" aria-hidden="true"><circle class="ring" r="8.5"/></svg>',
    )


def markdown(
    sections: Sequence[Section],
    told: Mapping[str, str],
    caveats: Sequence[str],
    settings: Sequence[tuple[str, str]],
) -> str:
    """The same without plots."""
    lines = ["# How sparse may attention be?", ""]
    lines += [f"- {caveat}" for caveat in caveats] + [""]
    for section in sections:
        if section.remarks or any(table.rows for table in section.tables):
            lines += [f"## {section.title}", "", section.text.format_map(told), ""]
            lines += [f"- {remark}" for remark in section.remarks] + ([""] if section.remarks else [])
            for table in section.tables:
                if table.rows:
                    lines += [table.markdown(), *([table.note, ""] if table.note else [])]
    lines += ["## What was run", "", *(f"- {name}: {value}" for name, value in settings), ""]
    return "\n".join(lines)
