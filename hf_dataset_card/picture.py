"""The picture of a card: where in the context the evidence of each task stands, sample by sample.

    svg = draw_evidence({"story_multihop": [[0.31, 0.35], [0.8, 0.86]]})

One strip a task, one line a sample, one dot a span of evidence; the same numbers give the same bytes.
"""

from collections.abc import Iterator, Mapping, Sequence

PICTURE = "evidence.svg"
"""The file beside the card."""

SAMPLES = 40
"""Samples of a task that are drawn."""

_DOTS = 1200  # in a strip; tasks with more evidence show fewer samples
_LEFT, _WIDTH, _RIGHT = 170, 600, 20
_TOP, _GAP, _FOOT = 46, 16, 34
_ROW = 4
_COLOURS = ("#1b6ca8", "#b0413e", "#3d7a3a", "#8a5a00", "#6a4c93")
_FONT = 'font-family="system-ui, sans-serif"'


def draw_evidence(depths: Mapping[str, Sequence[Sequence[float]]]) -> str:
    """The picture as SVG: per task (the key) the evidence depths, 0 to 1, of one sample after another."""
    strips = {task: _drawn(samples) for task, samples in depths.items()}
    heights = [max(20, _ROW * len(samples)) for samples in strips.values()]
    width = _LEFT + _WIDTH + _RIGHT
    height = _TOP + sum(heights) + _GAP * len(heights) + _FOOT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" aria-label="Depth of the evidence in the context, by task and sample">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="24" {_FONT} font-size="14" fill="#222222">'
        "Where the evidence stands: a line a sample, a dot a span that the answer needs</text>",
    ]
    top = _TOP
    for number, ((task, samples), tall) in enumerate(zip(strips.items(), heights)):
        lines += _strip(task, samples, top, tall, _COLOURS[number % len(_COLOURS)])
        top += tall + _GAP
    lines += _axis(top - _GAP)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _drawn(samples: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    """The first samples, as many as the strip has room for their dots."""
    drawn: list[Sequence[float]] = []
    for sample in samples[:SAMPLES]:
        if drawn and sum(map(len, drawn)) + len(sample) > _DOTS:
            break
        drawn.append(sample)
    return drawn


def _strip(task: str, samples: Sequence[Sequence[float]], top: int, tall: int, colour: str) -> Iterator[str]:
    yield f'<rect x="{_LEFT}" y="{top}" width="{_WIDTH}" height="{tall}" fill="#f4f4f2"/>'
    yield (
        f'<text x="{_LEFT - 12}" y="{top + tall // 2 + 4}" {_FONT} font-size="13" fill="#222222" '
        f'text-anchor="end">{_escaped(task)}</text>'
    )
    dots = "".join(
        f"M{_place(depth)} {top + (2 * number + 1) * tall // (2 * len(samples))}h0"
        for number, sample in enumerate(samples)
        for depth in sample
    )
    yield f'<path d="{dots}" fill="none" stroke="{colour}" stroke-width="3" stroke-linecap="round"/>'


def _axis(bottom: int) -> Iterator[str]:
    for percent in (0, 25, 50, 75, 100):
        place = _place(percent / 100)
        yield f'<path d="M{place} {bottom}v5" stroke="#666666"/>'
        yield (
            f'<text x="{place}" y="{bottom + 20}" {_FONT} font-size="12" fill="#444444" '
            f'text-anchor="middle">{percent}%</text>'
        )


def _place(depth: float) -> int:
    return _LEFT + round(min(max(depth, 0.0), 1.0) * _WIDTH)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
