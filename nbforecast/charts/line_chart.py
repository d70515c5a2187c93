"""A line chart of many results: lines, bars, dots and reference lines over one axis, in the style of the fan chart."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from nbforecast.charts.geometry import Frame, history_path
from nbforecast.charts.primitives import EDGE, axes, document, header, spread_apart, text_element
from nbforecast.charts.text_layout import clean, text_width
from nbforecast.charts.theme import Theme
from nbforecast.charts.ticks import TimeTick, find_zone, slot_ticks, time_ticks, value_axis

Kind = Literal["model", "other", "history"]
_LINE_CLASSES = {"model": "m", "other": "c", "history": "h n"}
_DOT_CLASSES = {"model": ("q", 36), "accent": ("p", 40), "ring": ("d", 25)}  # class, radius in tenths of a pixel


@dataclass(frozen=True, eq=False, slots=True)
class Line:
    """A line with a label at its end.

    Attributes:
        x: Positions, shape (n,), datetime64[us] or integers.
        values: Shape (n,); the line is open where they are NaN.
        label: Name at the end of the line.
        kind: Whether it is the model's, another model's, or history.
    """

    x: np.ndarray
    values: np.ndarray
    label: str = ""
    kind: Kind = "model"


@dataclass(frozen=True, eq=False, slots=True)
class Bars:
    """Bars as high as `values`, shape (n,), between `edges`, shape (n + 1,)."""

    edges: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, eq=False, slots=True)
class Area:
    """The area between two lines.

    Attributes:
        x: Positions, shape (n,), datetime64[us] or integers.
        values: Shape (n,), the upper end; not NaN.
        low: Shape (n,), the lower end; not NaN.
        rank: Shade: 0 is the lightest, 2 the darkest.
    """

    x: np.ndarray
    values: np.ndarray
    low: np.ndarray
    rank: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class Dots:
    """Dots at `values`, shape (n,), over `x`, shape (n,), each with a label above it where there are labels."""

    x: np.ndarray
    values: np.ndarray
    labels: tuple[str, ...] = ()
    kind: Literal["model", "accent", "ring"] = "accent"


@dataclass(frozen=True, slots=True)
class ReferenceLine:
    """A value to compare with, across the whole chart."""

    value: float
    label: str = ""


Mark = Line | Bars | Area | Dots | ReferenceLine


@dataclass(frozen=True, eq=False)
class LineChart:
    """Marks over one axis, whose positions are all datetime64[us] or all integers.

    Attributes:
        title: First line of the chart.
        marks: From back to front.
        alt: The chart in a sentence, for readers who do not see it.
        unit: Second line, the unit of the values.
        x_label: What the axis below counts, where it is not time.
        floor: A value that the axis of values reaches down to.
        zone: Name of the time zone of the labels; the times themselves are in UTC.
        width: Pixels.
        height: Pixels.
        x_ticks: Positions and labels of the ticks below; empty to choose them.
        slots: The times, datetime64[us], of the slots of a calendar that positions count; None where they do not.
    """

    title: str
    marks: tuple[Mark, ...]
    alt: str
    unit: str = ""
    x_label: str = ""
    floor: float | None = None
    zone: str | None = None
    width: int = 860
    height: int = 260
    x_ticks: tuple[tuple[int, str], ...] = ()
    slots: np.ndarray | None = None


def draw_line_chart(chart: LineChart, theme: Theme = "auto") -> str:
    """Draw a line chart as one SVG document.

    Args:
        chart: What is drawn.
        theme: `auto` follows the reader's colour scheme.
    """
    clocks = [_clock(x) for mark in chart.marks for x in _positions(mark)]
    start, stop = int(min(c.min() for c in clocks)), int(max(c.max() for c in clocks))
    calendar = chart.slots is not None or any(x.dtype.kind == "M" for mark in chart.marks for x in _positions(mark))
    low, high = _value_range(chart)
    labelled = [m for m in chart.marks if isinstance(m, (Line, ReferenceLine)) and m.label]
    room = max((text_width(m.label, 12, bold=True) for m in labelled), default=0)
    head, top = header(chart.title, chart.unit, chart.width)
    bottom = chart.height - (48.0 if calendar or chart.x_label else 32.0)
    axis = value_axis(low, high, max((bottom - top) / 42, 2))
    left = EDGE + max((text_width(label) for label in axis.labels), default=0) + 8
    right = chart.width - EDGE - (room + 10 if room else 0)
    bars = any(isinstance(m, Bars) for m in chart.marks)
    margin = 0 if bars or calendar else 8
    frame = Frame(left + margin, top, right - margin, bottom, start, stop, low, high)
    width, overhang = frame.right - frame.left, min(left, chart.width - right) - 4
    if chart.slots is None:
        ticks = time_ticks(start, stop, width, calendar=calendar, zone=find_zone(chart.zone), overhang=overhang)
    else:
        ticks = slot_ticks(_clock(chart.slots), start, stop, width, overhang=overhang)
    if chart.x_ticks:
        places = (frame.x(np.array([position for position, _ in chart.x_ticks])) / 10 - frame.left).tolist()
        ticks = tuple(TimeTick(at, x, label, x, "", x) for x, (at, label) in zip(places, chart.x_ticks, strict=True))
    x_label = "" if calendar else clean(chart.x_label)
    body = head + axes(frame, axis, ticks, (left, right)) + _marks(chart, frame, (left, right))
    body += text_element((frame.left + frame.right) / 2, bottom + 34, x_label, anchor="middle")
    body += _end_labels(labelled, frame, right)
    return document(body, chart.title, chart.alt, theme, (chart.width, chart.height))


def _positions(mark: Mark) -> list[np.ndarray]:
    if isinstance(mark, ReferenceLine):
        return []
    return [mark.edges if isinstance(mark, Bars) else mark.x] if len(mark.values) else []


def _clock(x: np.ndarray) -> np.ndarray:
    return x.astype("datetime64[us]").astype(np.int64) if x.dtype.kind == "M" else x.astype(np.int64)


def _value_range(chart: LineChart) -> tuple[float, float]:
    """The range of the values with a margin, down to the floor and never empty."""
    values = [np.array([m.value]) if isinstance(m, ReferenceLine) else m.values for m in chart.marks]
    values += [m.low for m in chart.marks if isinstance(m, Area)]
    finite = np.concatenate([v[np.isfinite(v)] for v in values])
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if chart.floor is not None:
        low = min(low, chart.floor)
    margin = (high - low) * 0.07 or abs(high) * 0.1 or 1.0
    return (low if chart.floor is not None and low >= chart.floor else low - margin), high + margin


def _marks(chart: LineChart, frame: Frame, sides: tuple[float, float]) -> str:
    out = ['<g transform="scale(.1)">']
    labels = []
    base = round(float(frame.y(np.array([max(frame.low, 0.0)]))[0]))
    for mark in chart.marks:
        if isinstance(mark, Bars):
            x = np.rint(frame.x(_clock(mark.edges))).astype(int).tolist()
            tops = np.rint(frame.y(mark.values)).astype(int).tolist()
            boxes = zip(x[:-1], x[1:], tops, strict=True)
            out.append(f'<path class="b1" d="{"".join(f"M{a + 8} {base}V{y}H{b - 8}V{base}z" for a, b, y in boxes)}"/>')
        elif isinstance(mark, Area):
            x, there, back = (
                np.rint(v).astype(int) for v in (frame.x(_clock(mark.x)), frame.y(mark.values), frame.y(mark.low))
            )
            corners = [*zip(x, there, strict=True), *zip(x[::-1], back[::-1], strict=True)]
            out.append(f'<path class="b{mark.rank}" d="M{"L".join(f"{a} {b}" for a, b in corners)}z"/>')
        elif isinstance(mark, ReferenceLine):
            y = round(float(frame.y(np.array([mark.value]))[0]))
            out.append(f'<path class="c y" d="M{round(sides[0] * 10)} {y}H{round(sides[1] * 10)}"/>')
        elif isinstance(mark, Line):
            line, points = history_path(frame.x(_clock(mark.x)), mark.values, frame)
            out.append(f'<path class="{_LINE_CLASSES[mark.kind]}" d="{line}"/>')
            out.append(f'<path class="i" d="{points}"/>' if points else "")
        else:
            kind, radius = _DOT_CLASSES[mark.kind]
            centres = np.rint(np.column_stack([frame.x(_clock(mark.x)), frame.y(mark.values)])).astype(int).tolist()
            out += [f'<circle class="{kind}" cx="{x}" cy="{y}" r="{radius}"/>' for x, y in centres]
            labelled = zip(centres, mark.labels, strict=False)
            labels += [text_element(x / 10, y / 10 - 8, clean(label), "o", "middle") for (x, y), label in labelled]
    return "".join([*out, "</g>", *labels])


def _end_labels(marks: list[Line | ReferenceLine], frame: Frame, right: float) -> str:
    """The labels of lines at their ends, without overlaps."""
    values = [m.value if isinstance(m, ReferenceLine) else m.values[np.isfinite(m.values)][-1:].sum() for m in marks]
    heights = spread_apart([float(frame.y(np.array([value]))[0]) / 10 for value in values], 15.0)
    kinds = ["e" if isinstance(m, Line) and m.kind == "model" else "" for m in marks]
    rows = zip(marks, heights, kinds, strict=True)
    return "".join(text_element(right + 8, y + 4, clean(mark.label), kind) for mark, y, kind in rows)
