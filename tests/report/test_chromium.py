"""The report in a browser, at desktop and phone width, bright and dark; skipped where no Chromium is installed."""

import json
import re
import shutil
import subprocess

import pytest

pytest.importorskip("statsmodels")

from nl_tasks.report.build import build_report

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed (Debian: apt-get install chromium)")

# Written into a copy of the page: errors are caught from the start, sizes measured when all is drawn.
CATCH = "<script>window.caught=[];addEventListener('error',e=>caught.push(e.message))</script>"
PROBE = """<script>addEventListener('load', () => {
  const all = (what) => [...document.querySelectorAll(what)];
  const folded = all('section > details:not([open])').length;
  all('details').forEach((part) => (part.open = true));
  const box = (plot) => plot.getBoundingClientRect();
  const inside = (plot) => {
    const frame = box(plot);
    return [...plot.querySelectorAll('text')].every((word) => {
      const b = word.getBoundingClientRect();
      const across = b.left >= frame.left - 1 && b.right <= frame.right + 1;
      return across && b.top >= frame.top - 1 && b.bottom <= frame.bottom + 1;
    });
  };
  const numbers = () => [...document.querySelector('#cells tbody').rows].map((r) => Number(r.children[9].dataset.key));
  const before = numbers();
  document.querySelectorAll('#cells th button')[9].click();
  const up = numbers();
  document.querySelectorAll('#cells th button')[9].click();
  const told = {
    caught, folded, before, up, down: numbers(), width: innerWidth,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    plots: all('svg.plot').map((p) => ({
      marks: p.querySelectorAll('.mark, .square').length, width: box(p).width, height: box(p).height,
      words: inside(p), name: p.getAttribute('aria-label'), font: Math.min(...[...p.querySelectorAll('text')].map(
        (word) => parseFloat(getComputedStyle(word).fontSize) * box(p).width / p.viewBox.baseVal.width)),
    })),
    ink: getComputedStyle(document.body).color, paper: getComputedStyle(document.body).backgroundColor,
  };
  parent.postMessage(JSON.stringify(told), '*');
});</script>"""
# The page is looked at in a frame, because no window of Chromium is as narrow as a phone.
FRAME = """<!DOCTYPE html><pre id="told"></pre><script>
addEventListener('message', (said) => { document.querySelector('#told').textContent = said.data; });
</script><iframe src="probed.html" style="border:0;width:%dpx;height:900px"></iframe>"""


@pytest.fixture(scope="module")
def page(simulate, tmp_path_factory):
    """A page with the probe in it."""
    folder = tmp_path_factory.mktemp("browser")
    simulate(folder / "results", models=["small"], lengths=[2048, 4096], n=60, sparsities=[0.5, 0.9])
    text = build_report(folder / "results", folder / "report.html").paths[0].read_text()
    probed = folder / "probed.html"
    probed.write_text(text.replace("<head>", f"<head>{CATCH}").replace("</body>", f"{PROBE}</body>"))
    return probed


def look(page, width, *flags):
    """What the probe found at a width, and what the browser complained about."""
    frame = page.with_name(f"frame-{width}.html")
    frame.write_text(FRAME % width)
    words = [
        *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--dump-dom"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr"),
        *(
            "--window-size=1400,1000",
            "--virtual-time-budget=20000",
            f"--user-data-dir={page.parent / f'chromium-{width}'}",
        ),
        *(*flags, frame.as_uri()),
    ]
    run = subprocess.run(words, capture_output=True, text=True, timeout=300)
    found = re.search(r'<pre id="told">(.+?)</pre>', run.stdout, re.DOTALL)
    assert found, run.stderr
    complaints = [line for line in run.stderr.splitlines() if ":CONSOLE" in line]
    return json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")), complaints


@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_everything_is_drawn_and_nothing_overflows(page, width):
    told, complaints = look(page, width)
    assert (told["caught"], complaints) == ([], [])
    assert told["width"] == width
    assert told["overflow"] == 0
    assert told["folded"] > 0 and len(told["plots"]) > 20
    for plot in told["plots"]:
        assert plot["marks"] > 0 and plot["width"] > 200 and plot["height"] > 60, plot
        assert plot["words"], f"words outside of {plot['name']}"
        assert plot["font"] >= 9.5, plot


def test_tables_are_sorted_by_their_headings(page):
    told, _ = look(page, 1280)
    assert told["before"] == told["up"] == sorted(told["up"])
    assert told["down"] == sorted(told["up"], reverse=True) != told["up"]


def test_the_page_is_dark_where_people_want_it(page):
    bright, _ = look(page, 1280)
    dark, _ = look(page, 1281, "--blink-settings=preferredColorScheme=0")
    assert (lightness(bright["paper"]), lightness(bright["ink"])) == (255, pytest.approx(28, abs=3))
    assert lightness(dark["paper"]) < 40 and lightness(dark["ink"]) > 200


def lightness(colour):
    return sum(map(int, re.findall(r"\d+", colour)[:3])) // 3
