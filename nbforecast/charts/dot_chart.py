"""A chart with a row for each of several things: dots on one scale, and how sure they are."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, nan

from nbforecast.charts.geometry import Frame
from nbforecast.charts.labels import clean, shorten, text_width
from nbforecast.charts.primitives import EDGE, document, head, write
from nbforecast.charts.theme import Theme
from nbforecast.charts.ticks import value_axis

_TALL = 26.0  # pixels a row


@dataclass(frozen=True, slots=True)
class Row:
    """A dot at `value`, a line from `low` to `high`, a ring at `before`, as far as they are finite; words beside."""

    label: str
    value: float
    words: str = ""
    low: float = nan
    high: float = nan
    before: float = nan
    strong: bool = False


@dataclass(frozen=True)
class Rows:
    """Rows on one scale. zero: the value that others are compared with, and what it means. under: what is counted."""

    title: str
    rows: tuple[Row, ...]
    alt: str
    unit: str = ""
    zero: tuple[float, str] = (0.0, "")
    width: int = 860


def draw_rows(chart: Rows, theme: Theme = "auto") -> str:
    """The chart as one SVG document, as high as it has rows."""
    header, top = head(chart.title, chart.unit, chart.width)
    top += 16 if chart.zero[1] else 0
    height = round(top + _TALL * len(chart.rows) + 34)
    seen = [v for r in chart.rows for v in (r.value, r.low, r.high, r.before) if isfinite(v)]
    low, high = min([chart.zero[0], *seen]), max([chart.zero[0], *seen])
    air = (high - low) * 0.06 or 1.0
    labels = min(max((text_width(r.label, 12, bold=r.strong) for r in chart.rows), default=0), chart.width * 0.4)
    words = max((text_width(r.words, 12) for r in chart.rows), default=0)
    left, right = EDGE + labels + 14, chart.width - EDGE - (words + 12 if words else 0)
    frame = Frame(left, top, right, height - 30.0, 0, 1, low - air, high + air)
    x = _across(frame)
    axis = value_axis(frame.low, frame.high, max((right - left) / 90, 2))
    zero = round(x(chart.zero[0]) * 10)
    grid = "".join(f"M{round(x(v) * 10)} {round(top * 10)}V{round(frame.bottom * 10)}" for v in axis.at)
    out = [header, f'<g transform="scale(.1)"><path class="g" d="{grid}"/>']
    out.append(f'<path class="x" d="M{zero} {round(top * 10) - 40}V{round(frame.bottom * 10)}"/></g>')
    half = text_width(chart.zero[1], bold=True) / 2
    at = min(max(x(chart.zero[0]), EDGE + half), chart.width - EDGE - half)
    out.append(write(at, top - 9, clean(chart.zero[1]), "o", "middle"))
    ticks = zip(axis.at, axis.labels, strict=True)
    out += [write(x(v), frame.bottom + 18, label, anchor="middle") for v, label in ticks]
    for n, row in enumerate(chart.rows):
        y = top + _TALL * (n + 0.5)
        kind = "k w" if row.strong else "k"
        out.append(write(EDGE, y + 4, shorten(row.label, labels, 12, bold=row.strong), kind))
        out.append(write(right + 12, y + 4, clean(row.words), "k"))
        out.append(_marks(row, x, round(y * 10)))
    return document("".join(out), chart.title, chart.alt, theme, (chart.width, height))


def _across(frame: Frame) -> Callable[[float], float]:
    """From a value to pixels."""

    def x(value: float) -> float:
        return frame.left + (value - frame.low) / (frame.high - frame.low) * (frame.right - frame.left)

    return x


def _marks(row: Row, x: Callable[[float], float], y: int) -> str:
    out = ['<g transform="scale(.1)">']
    if isfinite(row.low) and isfinite(row.high):
        out.append(f'<path class="m" d="M{round(x(row.low) * 10)} {y}H{round(x(row.high) * 10)}"/>')
    if isfinite(row.before):
        if isfinite(row.value):
            out.append(f'<path class="c" d="M{round(x(row.before) * 10)} {y}H{round(x(row.value) * 10)}"/>')
        out.append(f'<circle class="d" cx="{round(x(row.before) * 10)}" cy="{y}" r="36"/>')
    if isfinite(row.value):
        out.append(f'<circle class="q" cx="{round(x(row.value) * 10)}" cy="{y}" r="46"/>')
    return "".join([*out, "</g>"])
