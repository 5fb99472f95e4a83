"""Put a report together and write it: HTML, Markdown, and a CSV file for each table."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from nl_tasks.analysis.cost_model import CORRECTED
from nl_tasks.analysis.libraries import library
from nl_tasks.analysis.lost_answers import lost_answers
from nl_tasks.atomic_file import write_atomic
from nl_tasks.generators.lengths import format_length
from nl_tasks.report.answers import IsoCost, MethodGuarantee, Row, critical_lengths, guarantees, iso_costs, rows
from nl_tasks.report.heat_map import heat_map
from nl_tasks.report.laws import laws
from nl_tasks.report.page import Figures, Section, markdown, page
from nl_tasks.report.plot_isocost import isocost_plot
from nl_tasks.report.plots import Style, depth_plots, frontier_plots, recall_plots, speed_plots
from nl_tasks.report.readings import Reading, Readings, read_readings
from nl_tasks.report.svg import Plot
from nl_tasks.report.table import Table
from nl_tasks.report.tables_answer import answer_table, cells_table, dense_table, guarantee_table
from nl_tasks.report.tables_cost import cost_table, critical_table, isocost_table
from nl_tasks.report.tables_law import hold_out_table, law_table
from nl_tasks.report.tables_lost import lost_table
from nl_tasks.report.texts import TEXTS, caveats, settings
from nl_tasks.report.values import Link


@dataclass(frozen=True)
class Report:
    """What `build_report` made.

    Attributes:
        paths: The files written, the HTML first.
        answer: The first table, for printing.
        caveats: What a reader must know before believing it.
    """

    paths: tuple[Path, ...]
    answer: Table
    caveats: tuple[str, ...]


def build_report(
    results: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    margin: float = 0.05,
    alpha: float = 0.05,
    batch: int = 64,
) -> Report:
    """Write a report on the result files below `results` to `out` (HTML), with Markdown and CSV files beside it.

    `margin` (absolute) and `alpha` are those of the guarantee, `batch` is that of the isoCost's decoding. Raises
    ValueError for a folder without results, files that are none, or numbers out of range; OSError if it cannot write.
    """
    library("scipy.stats")  # say that it is missing before any work is done
    if batch < 1:
        raise ValueError(f"batch={batch} is out of range: at least 1")
    readings, path = read_readings(results), Path(out)
    link = _linker(Path(results), path.parent)
    style = Style({method: i for i, method in enumerate(readings.methods)}, lambda reading: link(reading)[1])
    found = guarantees(readings, margin=margin, alpha=alpha)
    sections = _sections(readings, found, style, link, batch=batch)
    told = {"margin": f"{margin:g}", "confidence": f"{1 - alpha:.3g}", "alpha": f"{alpha:g}", "batch": str(batch)}
    warnings = caveats(readings, found)
    paths = [path, path.with_suffix(".md")]
    write_atomic(path, page(sections, told, warnings, settings(readings)))
    write_atomic(paths[1], markdown(sections, told, warnings, settings(readings)))
    for section in sections:
        for table in section.tables:
            if table.rows:
                paths.append(path.with_suffix(f".{table.name}.csv"))
                write_atomic(paths[-1], table.csv())
    return Report(tuple(paths), sections[0].tables[0], tuple(warnings))


def _sections(
    readings: Readings, found: Sequence[MethodGuarantee], style: Style, link: Link, *, batch: int
) -> list[Section]:
    every, iso, law = rows(readings, counting=CORRECTED), iso_costs(readings, batch=batch), laws(readings)
    lost = lost_answers(reading.result for reading in readings.kept)
    frontier = partial(frontier_plots, readings, found, style)
    parts: dict[str, tuple[list[Table], list[Figures]]] = {
        "answer": ([answer_table(found, every, link), dense_table(readings, link)], []),
        "heat": ([], _maps(readings, every, style)),
        "frontier": ([guarantee_table(found, readings, link)], _grid(readings, style, frontier, rings=True)),
        "recall": ([], _grid(readings, style, partial(recall_plots, readings, style))),
        "lost": ([lost_table(lost)], []),
        "depth": ([], _grid(readings, style, partial(depth_plots, readings, style))),
        "speed": ([cost_table(every, link)], _speeds(every, style)),
        "isocost": (
            [isocost_table(iso, link), critical_table(critical_lengths(iso, readings))],
            _iso_plots(iso, readings, style),
        ),
        "law": ([law_table(law), hold_out_table(law)], []),
        "cells": ([cells_table(every, link)], []),
    }
    remarks = {
        "law": [f"{one.phase}: {remark}" for one in law for remark in one.remarks],
        "lost": [f"{one.phase}: {one.remark}" for one in lost if one.remark],
    }
    return [
        Section(
            name, *TEXTS[name], tuple(f for f in figures if any(f.plots)), tuple(tables), tuple(remarks.get(name, ()))
        )
        for name, (tables, figures) in parts.items()
    ]


def _speeds(every: Sequence[Row], style: Style) -> list[Figures]:
    there = {row.reading.method for row in every}
    legend = tuple((method, number) for method, number in style.series.items() if method in there)
    return [Figures("", [plot.html() for plot in speed_plots(every, style)], legend)]


def _iso_plots(found: Sequence[IsoCost], readings: Readings, style: Style) -> list[Figures]:
    legend: tuple[tuple[str, int | None], ...] = (*style.series.items(), ("full attention", None))
    if len(readings.models) > 1:
        legend = tuple((model, number) for number, model in enumerate(readings.models))
    return [Figures("", [isocost_plot(one, readings, style).html() for one in reversed(found)], legend)]


def _grid(readings: Readings, style: Style, draw: Callable[..., list[Plot]], *, rings: bool = False) -> list[Figures]:
    """The plots of every model, length and phase; those of the longest length first and open."""
    figures = []
    for model, length in _places(readings):
        for phase, kind in (("prefill", "prefill"), ("decode", "decode and eviction")):
            plots = [plot.html() for plot in draw(model=model, length=length, phase=phase)]
            there = {reading.method for reading in readings.sparse if reading.phase == phase}
            legend = [*((m, number) for m, number in style.series.items() if m in there), ("full attention", None)]
            title, longest = f"{model}, {format_length(length)}, {kind}", length == max(readings.lengths)
            figures.append(Figures(title, plots, tuple(legend), open=longest, rings=rings))
    return figures


def _maps(readings: Readings, every: Sequence[Row], style: Style) -> list[Figures]:
    return [
        Figures(
            f"{model}, {format_length(length)}",
            [heat_map(readings, every, style, model=model, length=length)],
            open=length == max(readings.lengths),
        )
        for model, length in _places(readings)
    ]


def _places(readings: Readings) -> Iterable[tuple[str, int]]:
    return [(model, length) for length in reversed(readings.lengths) for model in readings.models]


def _linker(results: Path, beside: Path) -> Link:
    def link(reading: Reading) -> tuple[str, str]:
        place = os.path.relpath(results / reading.path, beside)
        return reading.path.rpartition("/")[2].removesuffix(".json"), quote(Path(place).as_posix())

    return link
