"""One sample on a terminal: evidence marked, the rest of a long context left out."""

import os
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.text import Text

from nl_tasks.dataset import data_files
from nl_tasks.generators.sample import Sample
from nl_tasks.row_format import read_rows

AROUND_EVIDENCE = 240
AT_THE_ENDS = 700
_STYLE = "bold black on yellow"


def find_sample(path: str | os.PathLike[str], *, config: str | None = None, index: int = 0) -> Sample:
    """The sample in row `index` (from 0) of a data file, or of a folder's config (the first, unless named).

    Raises ValueError if there is no such row.
    """
    files = data_files(Path(path), config)
    first = files[0][0]
    rows = (row for name, file in files if name == first for row in read_rows(file))
    row = next(islice(rows, index, None), None) if index >= 0 else None
    if row is None:
        count = sum(1 for name, file in files if name == first for _ in read_rows(file, ["id"]))
        raise ValueError(f"{path} has no row {index} in {first}: its {count} rows are counted from 0")
    return Sample.from_row(row)


def show_sample(sample: Sample, console: Console, *, full: bool = False) -> None:
    """Print a sample: what it is, then its prompt with the evidence marked (`full`: nothing left out)."""
    evidence = ", ".join(f"{span.role} at {depth:.2f}" for span, depth in zip(sample.evidence, sample.depths))
    for name, value in {
        "sample": f"{sample.id} (version {sample.version})",
        "tokens": f"{sample.num_tokens} ({sample.tokenizer})",
        "knobs": sample.params,
        "question": sample.question,
        "gold": " | ".join(sample.answers),
        "metric": sample.metric,
        "evidence": evidence or "none marked",
    }.items():
        console.print(Text.assemble((f"{name:10}", "dim"), value))
    console.print(Text("─" * 80, style="dim"))
    console.print(marked_prompt(sample, full=full))


def marked_prompt(sample: Sample, *, full: bool = False) -> Text:
    """The prompt with each span of evidence between `[[` and `]]`, in colour, and its role after it.

    Unless `full`, only the beginning, the end and the surroundings of evidence are there.
    """
    text = Text()
    position = 0
    for start, end in _kept(sample, full):
        if start > position:
            text.append(f"\n[... {start - position:,} characters ...]\n", style="dim italic")
        position = start
        for span in sorted(sample.evidence, key=lambda span: (span.start, span.end)):
            if span.start < position or span.end > end:  # outside this stretch, or within evidence marked before
                continue
            text.append(sample.prompt[position : span.start])
            text.append(f"[[{sample.prompt[span.start : span.end]}]]", style=_STYLE)
            text.append(f"({span.role})", style="yellow")
            position = span.end
        text.append(sample.prompt[position:end])
        position = end
    return text


def _kept(sample: Sample, full: bool) -> list[tuple[int, int]]:
    """The stretches of the prompt to print, in order and apart."""
    size = len(sample.prompt)
    if full:
        return [(0, size)]
    wanted = [(0, AT_THE_ENDS), (size - AT_THE_ENDS, size)]
    wanted += [(span.start - AROUND_EVIDENCE, span.end + AROUND_EVIDENCE) for span in sample.evidence]
    kept: list[tuple[int, int]] = []
    for start, end in sorted((max(0, start), min(size, end)) for start, end in wanted):
        if kept and start <= kept[-1][1]:
            kept[-1] = (kept[-1][0], max(kept[-1][1], end))
        else:
            kept.append((start, end))
    return kept
