"""A dot chart: one row for each of several things, a dot for its value and a line for its uncertainty."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, nan

from nbforecast.charts.geometry import Frame
from nbforecast.charts.primitives import EDGE, document, header, text_element
from nbforecast.charts.text_layout import clean, shorten, text_width
from nbforecast.charts.theme import Theme
from nbforecast.charts.ticks import value_axis

_ROW_HEIGHT = 26.0  # pixels


@dataclass(frozen=True, slots=True)
class DotRow:
    """One row of a dot chart; values that are not finite are not drawn.

    Attributes:
        label: Name of the row, to the left.
        value: Position of the dot.
        text: Words to the right.
        low: Start of the line.
        high: End of the line.
        before: Position of a ring, the value that the dot is compared with.
        strong: Whether the label is bold.
    """

    label: str
    value: float
    text: str = ""
    low: float = nan
    high: float = nan
    before: float = nan
    strong: bool = False


@dataclass(frozen=True)
class DotChart:
    """Rows on one scale.

    Attributes:
        title: First line of the chart.
        rows: From top to bottom.
        alt: The chart in a sentence, for readers who do not see it.
        unit: Second line, the unit of the values.
        reference: The value that others are compared with, and its name.
        width: Pixels.
    """

    title: str
    rows: tuple[DotRow, ...]
    alt: str
    unit: str = ""
    reference: tuple[float, str] = (0.0, "")
    width: int = 860


def draw_dot_chart(chart: DotChart, theme: Theme = "auto") -> str:
    """Draw a dot chart as one SVG document, as high as it has rows.

    Args:
        chart: What is drawn.
        theme: `auto` follows the reader's colour scheme.
    """
    head, top = header(chart.title, chart.unit, chart.width)
    reference, name = chart.reference
    top += 16 if name else 0
    height = round(top + _ROW_HEIGHT * len(chart.rows) + 34)
    values = [v for r in chart.rows for v in (r.value, r.low, r.high, r.before) if isfinite(v)]
    low, high = min([reference, *values]), max([reference, *values])
    margin = (high - low) * 0.06 or 1.0
    labels = min(max((text_width(r.label, 12, bold=r.strong) for r in chart.rows), default=0), chart.width * 0.4)
    words = max((text_width(r.text, 12) for r in chart.rows), default=0)
    left, right = EDGE + labels + 14, chart.width - EDGE - (words + 12 if words else 0)
    frame = Frame(left, top, right, height - 30.0, 0, 1, low - margin, high + margin)
    x = _scale(frame)
    axis = value_axis(frame.low, frame.high, max((right - left) / 90, 2))
    zero = round(x(reference) * 10)
    grid = "".join(f"M{round(x(v) * 10)} {round(top * 10)}V{round(frame.bottom * 10)}" for v in axis.values)
    out = [head, f'<g transform="scale(.1)"><path class="g" d="{grid}"/>']
    out.append(f'<path class="x" d="M{zero} {round(top * 10) - 40}V{round(frame.bottom * 10)}"/></g>')
    half = text_width(name, bold=True) / 2
    name_x = min(max(x(reference), EDGE + half), chart.width - EDGE - half)
    out.append(text_element(name_x, top - 9, clean(name), "o", "middle"))
    ticks = zip(axis.values, axis.labels, strict=True)
    out += [text_element(x(v), frame.bottom + 18, label, anchor="middle") for v, label in ticks]
    for number, row in enumerate(chart.rows):
        y = top + _ROW_HEIGHT * (number + 0.5)
        kind = "k w" if row.strong else "k"
        out.append(text_element(EDGE, y + 4, shorten(row.label, labels, 12, bold=row.strong), kind))
        out.append(text_element(right + 12, y + 4, clean(row.text), "k"))
        out.append(_row_marks(row, x, round(y * 10)))
    return document("".join(out), chart.title, chart.alt, theme, (chart.width, height))


def _scale(frame: Frame) -> Callable[[float], float]:
    """A function from values to pixels."""

    def x(value: float) -> float:
        return frame.left + (value - frame.low) / (frame.high - frame.low) * (frame.right - frame.left)

    return x


def _row_marks(row: DotRow, x: Callable[[float], float], y: int) -> str:
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
