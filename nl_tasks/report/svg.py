"""Small plots as SVG text: axes, lines, bands and points that take their colours from the page, bright or dark.

A series has one of eight colours and one of eight shapes, both by its number, so that it can be told in black and
white too. Points carry a title (shown on hover) and lead to their result file.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

SERIES = 8
_SHAPES = (
    "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0",  # circle
    "M-3.6,-3.6h7.2v7.2h-7.2z",  # square
    "M0,-4.8L4.6,3.4H-4.6z",  # triangle
    "M0,-5L5,0L0,5L-5,0z",  # diamond
    "M0,4.8L4.6,-3.4H-4.6z",  # triangle on its tip
    "M-4.6,-1.5h3.1v-3.1h3v3.1h3.1v3h-3.1v3.1h-3v-3.1h-3.1z",  # plus
    "M-5,-2.5L0,-5L5,-2.5V2.5L0,5L-5,2.5z",  # hexagon
    "M-4.5,-4.5L4.5,4.5V-4.5L-4.5,4.5z",  # bow tie
)


@dataclass
class Plot:
    """A plot that is drawn step by step; `html` is the finished figure.

    Attributes:
        title: Above the plot, and its name for screen readers.
        x: Smallest and largest value; with `log_x` on a logarithmic scale.
        y: Smallest and largest value.
        x_label: Below the axis.
        y_label: Beside the axis.
        x_ticks: Values and their names.
        y_ticks: Likewise.
    """

    title: str
    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str
    y_label: str
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    log_x: bool = False
    log_y: bool = False
    width: int = 340
    height: int = 240
    _parts: list[str] = field(default_factory=list)
    _marks: int = 0

    LEFT, RIGHT, TOP, BOTTOM = 46, 10, 26, 38

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point, in pixels; what lies outside is put on the border."""
        across = _share(x, *self.x, self.log_x) * (self.width - self.LEFT - self.RIGHT)
        up = _share(y, *self.y, self.log_y) * (self.height - self.TOP - self.BOTTOM)
        return round(self.LEFT + across, 1), round(self.height - self.BOTTOM - up, 1)

    def line(self, points: Sequence[tuple[float, float]], series: int | None, *, dashed: bool = False) -> None:
        """A line through `points`; `series` None is for reference lines."""
        places = " ".join(f"{px},{py}" for px, py in (self.at(*point) for point in points))
        name = "ref" if series is None else f"s{series % SERIES}"
        self._parts.append(f'<polyline class="line {name}{" dashed" if dashed else ""}" points="{places}"/>')

    def band(self, xs: Sequence[float], lows: Sequence[float], highs: Sequence[float], series: int | None) -> None:
        """The region between `lows` and `highs`."""
        there = [*zip(xs, highs), *reversed(list(zip(xs, lows)))]
        places = " ".join(f"{px},{py}" for px, py in (self.at(*point) for point in there))
        self._parts.append(f'<polygon class="band {_name(series)}" points="{places}"/>')

    def bar(self, x: float, low: float, high: float, series: int | None) -> None:
        """An error bar."""
        (px, bottom), (_, top) = self.at(x, low), self.at(x, high)
        self._parts.append(f'<path class="bar {_name(series)}" d="M{px},{bottom}V{top}"/>')

    def point(
        self,
        x: float,
        y: float,
        series: int | None,
        title: str,
        href: str = "",
        *,
        ring: bool = False,
        hollow: bool = False,
    ) -> None:
        """A mark with a title that leads to `href`; with a `ring` around it, or `hollow`."""
        px, py = self.at(x, y)
        shape = _SHAPES[(series or 0) % SERIES]
        circle = '<circle class="ring" r="8.5"/>' if ring else ""
        kind = f"mark {_name(series)}{' hollow' if hollow else ''}"
        inside = f'<title>{escape(title)}</title>{circle}<path class="{kind}" d="{shape}"/>'
        mark = f'<g transform="translate({px},{py})">{inside}</g>'
        self._parts.append(f'<a href="{escape(href)}">{mark}</a>' if href else mark)
        self._marks += 1

    def note(self, x: float, y: float, text: str, anchor: str = "start") -> None:
        """Words at a point."""
        px, py = self.at(x, y)
        self._parts.append(f'<text class="note" x="{px}" y="{py - 4}" text-anchor="{anchor}">{escape(text)}</text>')

    @property
    def empty(self) -> bool:
        """Whether nothing was marked."""
        return not self._marks

    def html(self) -> str:
        """The figure as an `svg` element."""
        return svg(self.title, self.width, self.height, "".join([*self._frame(), *self._parts]))

    def _frame(self) -> list[str]:
        bottom, right = self.height - self.BOTTOM, self.width - self.RIGHT
        parts = [f'<text class="title" x="{self.LEFT}" y="14">{escape(self.title)}</text>']
        for value, name in self.y_ticks:
            _, py = self.at(self.x[0], value)
            parts.append(f'<path class="grid" d="M{self.LEFT},{py}H{right}"/>')
            parts.append(
                f'<text class="tick" x="{self.LEFT - 5}" y="{py + 3.5}" text-anchor="end">{escape(name)}</text>'
            )
        for value, name in self.x_ticks:
            px, _ = self.at(value, self.y[0])
            parts.append(f'<path class="grid" d="M{px},{bottom}v4"/>')
            parts.append(f'<text class="tick" x="{px}" y="{bottom + 15}" text-anchor="middle">{escape(name)}</text>')
        middle = (self.LEFT + right) / 2
        parts.append(f'<path class="axis" d="M{self.LEFT},{self.TOP}V{bottom}H{right}"/>')
        parts.append(
            f'<text class="label" x="{middle}" y="{self.height - 6}" text-anchor="middle">{escape(self.x_label)}</text>'
        )
        up = (self.TOP + bottom) / 2
        parts.append(
            f'<text class="label" x="12" y="{up}" text-anchor="middle" transform="rotate(-90 12 {up})">'
            f"{escape(self.y_label)}</text>"
        )
        return parts


def svg(title: str, width: int, height: int, inside: str) -> str:
    """An `svg` element with a name."""
    return (
        f'<svg class="plot" role="img" aria-label="{escape(title)}" viewBox="0 0 {width} {height}" '
        f'style="--w:{width}px">{inside}</svg>'
    )


def legend_mark(series: int | None) -> str:
    """A series' mark alone, for a legend."""
    return (
        '<svg class="key" viewBox="-12 -8 24 16" aria-hidden="true">'
        f'<path class="line {_name(series)}" d="M-12,0H12"/>'
        f'<path class="mark {_name(series)}" d="{_SHAPES[(series or 0) % SERIES]}"/></svg>'
    )


def log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Ticks of a logarithmic axis: powers of ten, or 1, 2 and 5 of each where these are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        values = [f * 10.0**p for p in powers for f in factors if low <= f * 10.0**p <= high]
        if len(values) >= 3:
            break
    return [
        (value, f"{value:.0e}".replace("e+0", "e").replace("e+", "e") if value >= 1e4 else f"{value:g}")
        for value in values
    ]


def linear_ticks(low: float, high: float, form: str = "g") -> list[tuple[float, str]]:
    """About five round ticks from `low` to `high`."""
    rough = (high - low) / 5
    step = 10.0 ** math.floor(math.log10(rough))
    step *= next(factor for factor in (1, 2, 2.5, 5, 10) if factor * step >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    values = [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]
    return [(value, format(value, form)) for value in values]


def _name(series: int | None) -> str:
    return "ref" if series is None else f"s{series % SERIES}"


def _share(value: float, low: float, high: float, log: bool) -> float:
    if log:
        value, low, high = math.log(max(value, 1e-300)), math.log(low), math.log(high)
    return min(max((value - low) / (high - low), 0.0), 1.0) if high > low else 0.5
