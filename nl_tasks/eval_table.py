"""Results side by side: every method against dense attention on the same samples."""

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.table import Table

from nl_tasks.generators.lengths import format_length
from nl_tasks.result import Result, SampleResult

DENSE = "dense"
_HEADINGS = (
    "score",
    "95% interval",
    "- dense",
    "as dense",
    "unparsed",
    "density",
    "asked",
    "+ selecting",
    "evidence seen",
)
_TIMES = ("prefill s", "decode ms")
LEGEND = (
    "as dense: share of samples answered as with full attention; density: score entries computed, as a share of full "
    "attention in the method's own phase (of the prompt, for decode and eviction); + selecting: what choosing them "
    "costs besides; evidence seen: share of the evidence tokens that the question (prefill) or the answer (decode) "
    "could see; decode ms: milliseconds a token; samples answered "
    "in a batch share its seconds"
)


def print_results(results: Iterable[Result]) -> None:
    """Print a table for each model, task and length, wider than the screen if need be, and what its columns mean."""
    console = Console(highlight=False)
    for table in result_tables(results):
        needed = console.measure(table, options=console.options.update(width=1000)).maximum
        Console(highlight=False, width=max(needed, console.width)).print(table, "")
    console.print(LEGEND)


def result_tables(results: Iterable[Result]) -> Iterator[Table]:
    """A table for each model, task and length; what nothing is known of is empty."""
    groups: dict[tuple[object, ...], list[Result]] = {}
    for result in results:
        groups.setdefault(result.cell.question, []).append(result)
    for group in groups.values():
        yield _table(group)


def decode_ms(result: Result) -> float | None:
    """Milliseconds a token of decoding, over all samples; None if none said a second token."""
    steps = sum(max(0, sample.generated_tokens - 1) for sample in result.samples)
    return 1000 * sum(sample.decode_s for sample in result.samples) / steps if steps else None


def same_answers(result: Result, other: Result) -> float:
    """Share of the samples that both have to which both gave the same answer, or the same text if none was read."""
    theirs = {sample.id: sample for sample in other.samples}
    pairs = [(sample, theirs[sample.id]) for sample in result.samples if sample.id in theirs]
    same = [_said(mine) == _said(their) for mine, their in pairs]
    return sum(same) / len(same) if same else 0.0


def _said(sample: SampleResult) -> str:
    return sample.answer if sample.parsed else sample.prediction


def _table(group: list[Result]) -> Table:
    cell = group[0].cell
    title = f"{cell.task} at {format_length(cell.length)}, {cell.model}, n = {cell.n}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("backend", no_wrap=True)
    for heading in (*_HEADINGS, *_TIMES):
        table.add_column(heading, justify="right", no_wrap=True)
    dense = next((result for result in group if result.cell.backend == DENSE), None)
    for result in group:
        table.add_row(*_row(result, dense))
    return table


def _row(result: Result, dense: Result | None) -> Iterator[str]:
    summary = result.summary
    yield _method(result)
    yield f"{summary.mean:.3f}"
    yield f"{summary.low:.3f} - {summary.high:.3f}"
    yield "" if dense is None or dense is result else f"{summary.mean - dense.summary.mean:+.3f}"
    yield "" if dense is None or dense is result else f"{same_answers(result, dense):.0%}"
    yield f"{summary.unparsed:.0%}"
    yield _number(result.mean("density_of_prompt"), ".3f")
    yield _number(result.asked_density, ".3f")
    yield _number(result.mean("estimation"), ".3f")
    yield _number(result.mean("evidence_recall"), ".3f")
    yield _number(result.mean("prefill_s"), ".3g")
    yield _number(decode_ms(result), ".3g")


def _method(result: Result) -> str:
    layers = ",".join(map(str, result.cell.dense_layers))
    return result.cell.backend + (f" (dense layers {layers})" if layers else "")


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
