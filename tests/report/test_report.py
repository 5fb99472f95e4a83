"""The report as files: what is in it, what leads where, and what it says when it cannot."""

import csv
import html.parser
import re
from urllib.parse import unquote

import pytest

pytest.importorskip("statsmodels")

from nl_tasks.report.build import build_report

ONE = {"models": ["small"], "lengths": [2048, 4096], "n": 60, "sparsities": [0.5, 0.9]}


class Page(html.parser.HTMLParser):
    """Collects the elements of a page and checks that they are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.found, self._open = [], []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "br"):
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def all(self, tag, **wanted):
        return [a for t, a in self.found if t == tag and all(a.get(k) == v for k, v in wanted.items())]


@pytest.fixture(scope="module")
def made(simulate, tmp_path_factory):
    """A report and the folder it lies in; its results are in a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("made")
    simulate(folder / "some results", **{**ONE, "n": 200}, slowdown=0.4)
    return folder, build_report(folder / "some results", folder / "report.html")


def test_the_page_needs_nothing_from_elsewhere(made):
    _, report = made
    text = report.paths[0].read_text()
    page = Page(text)
    assert not page.all("script", src=None)[0].get("src") and len(page.all("script")) == 1
    assert "http" not in re.sub(r"<(dd|td|p)[^>]*>[^<]*", "", text)
    assert [a["href"] for a in page.all("link")] == ["data:,"]
    assert not page.all("img")


def test_every_address_is_a_result_file_or_a_part_of_the_page(made):
    folder, report = made
    page = Page(report.paths[0].read_text())
    addresses = {a["href"] for a in page.all("a")}
    inside = {address[1:] for address in addresses if address.startswith("#")}
    assert inside == {a["id"] for a in page.all("section") if "id" in a}
    files = {unquote(address) for address in addresses if not address.startswith("#")}
    assert all((folder / name).is_file() for name in files)
    assert files == {p.relative_to(folder).as_posix() for p in (folder / "some results").rglob("*.json")}


def test_every_plot_has_marks_and_every_mark_a_title(made):
    _, report = made
    plots = re.findall(r'<svg class="plot.*?</svg>', report.paths[0].read_text(), re.DOTALL)
    assert len(plots) > 20
    for plot in plots:
        marks = len(re.findall(r'<path class="mark|<rect class="(?:loss|gain)', plot))
        assert marks > 0 and plot.count("<title>") == marks


def test_rings_are_where_the_guarantee_ends(made):
    folder, report = made
    with (folder / "report.guarantee.csv").open() as file:
        certified = [row for row in csv.DictReader(file) if float(row["guaranteed sparsity"] or 0) > 0]
    titles = re.findall(r"<title>([^<]*)</title><circle", report.paths[0].read_text())
    assert len(titles) == len(certified) > 0
    assert all("the highest guaranteed sparsity" in title for title in titles)


def test_tables_are_the_same_in_every_format(made):
    _, report = made
    text, words = report.paths[0].read_text(), report.paths[1].read_text()
    for path in report.paths[2:]:
        with path.open() as file:
            header, *lines = list(csv.reader(file))
        assert lines and "| " + " | ".join(header) + " |" in words
        assert all(f"<button>{column}</button>" in text for column in header)
    assert {path.suffixes[0] for path in report.paths[2:]} == {
        ".answer", ".dense", ".guarantee", ".cost", ".isocost", ".scaling_law", ".hold_out", ".cells",
        ".lost_answers",
    }  # fmt: skip


def test_a_method_that_is_slower_says_so_in_its_row(made):
    folder, report = made
    with (folder / "report.cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 3 * 4 * 2
    slow = [row for row in rows if float(row["measured x"]) < 1]
    assert slow and report.paths[0].read_text().count("loses to dense") >= len(slow)
    differences = [float(row["difference"]) for row in rows]
    assert differences == sorted(differences)


def test_numbers_of_the_page_are_those_of_the_files(made, simulate):
    from nl_tasks.report.readings import read_readings

    folder, _ = made
    by_name = {r.path.rpartition("/")[2].removesuffix(".json"): r for r in read_readings(folder / "some results").kept}
    with (folder / "report.cells.csv").open() as file:
        for row in csv.DictReader(file):
            sparse, dense = (by_name[name] for name in row["results"].split())
            assert float(row["accuracy"]) == sparse.scores.mean()
            assert float(row["difference"]) == pytest.approx(sparse.scores.mean() - dense.scores.mean())
            assert float(row["evidence seen"]) == pytest.approx(sparse.result.mean("evidence_recall"))


def test_lost_answers_are_those_of_the_files(made):
    from nl_tasks.report.readings import read_readings

    folder, _ = made
    readings = read_readings(folder / "some results")
    with (folder / "report.lost_answers.csv").open() as file:
        rows = {row["phase"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"prefill", "decode", "evict"}
    for phase, row in rows.items():
        before, lost = 0, 0
        for reading in readings.sparse:
            if reading.result.phase == phase:
                right = readings.dense_of(reading).scores == 1
                before, lost = before + right.sum(), lost + (right & (reading.scores < 1)).sum()
        assert int(row["right with full attention"]) == before
        assert float(row["lost"]) == pytest.approx(lost / before) and 0 < lost < before
        assert float(row["odds for 0.1 of recall more"]) < 1  # a sparser cell sees less and loses more


def test_the_command_prints_the_answer(simulate, cli, tmp_path):
    simulate(tmp_path / "results", models=["small"], lengths=[2048], tasks=["ruler_vt"], n=20, sparsities=[0.9])
    status, out, err = cli("report", tmp_path / "results", "--out", tmp_path / "sub" / "it.html")
    assert (status, err) == (0, "")
    assert "safe on every task" in out and "20 are too few" in out.replace("Cells of 20 samples", "20")
    assert (tmp_path / "sub" / "it.html").is_file() and (tmp_path / "sub" / "it.cells.csv").is_file()
    assert cli("report", tmp_path / "results", "--out", tmp_path / "it.html", "-q") == (0, "", "")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--margin", "0"], "margin=0.0 is out of range"),
        (["--alpha", "1"], "alpha=1.0 is out of range"),
        (["--batch", "0"], "batch=0 is out of range"),
        (["--out", "report.pdf"], "a name that ends in .html"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_wrong_use_is_one_line(simulate, cli, tmp_path, options, line):
    simulate(tmp_path, models=["small"], lengths=[2048], tasks=["ruler_vt"], n=5, sparsities=[0.9])
    status, out, err = cli("report", tmp_path, *options)
    assert (status, out, len(err.strip().splitlines())) == (2, "", 1) and line in err
    status, _, err = cli("report", tmp_path / "none")
    assert status == 2 and "holds no result files" in err


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"methods": ["quest", "snapkv"]}, "There are no dense results"),
        ({"methods": ["dense"]}, None),
        ({"known_shapes": False}, "The dimensions of small are unknown"),
        ({"ability": -60}, "there is nothing to lose"),
        ({"ability": -60}, "prefill: Full attention has no answer right, so there is none to lose."),
        ({"methods": ["quest", "snapkv"]}, "evict: No cell has full attention on the same samples beside it."),
        ({"ability": 60}, "decode: None of the "),
        ({"lengths": [2048]}, "length has one value throughout"),
    ],
    ids=[
        "no-dense",
        "only-dense",
        "unknown-model",
        "all-wrong",
        "none-to-lose",
        "none-beside",
        "all-right",
        "one-length",
    ],
)
def test_what_cannot_be_said_is_a_sentence(simulate, tmp_path, change, sentence):
    simulate(tmp_path / "results", **{**ONE, "n": 8, "lengths": [2048, 4096], **change})
    report = build_report(tmp_path / "results", tmp_path / "report.html")
    Page(text := report.paths[0].read_text())
    if sentence:
        assert sentence in text and sentence in report.paths[1].read_text()


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_names_are_escaped(simulate, tmp_path):
    from dataclasses import replace

    from nl_tasks.result import write_result

    for result in simulate(tmp_path / "x", models=["small"], lengths=[2048], tasks=["ruler_vt"], n=5, sparsities=[0.9]):
        cell = replace(result.cell, model='<script>alert("x")</script>')
        write_result(tmp_path / "results", replace(result, cell=cell))
    report = build_report(tmp_path / "results", tmp_path / "report.html")
    assert len(Page(report.paths[0].read_text()).all("script")) == 1
    table = [line for line in report.paths[1].read_text().splitlines() if line.startswith("|")]
    assert any("&lt;script>" in line for line in table) and not any("<script>" in line for line in table)
