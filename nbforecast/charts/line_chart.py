"""Static charts of many results: lines, bars and dots above one axis, in the style of the fan chart."""

from dataclasses import dataclass
from html import escape
from typing import Literal

import numpy as np

from nbforecast.charts.geometry import Frame, history_path
from nbforecast.charts.labels import clean, text_width
from nbforecast.charts.primitives import EDGE, axes, document, head, spread, write
from nbforecast.charts.theme import Theme
from nbforecast.charts.ticks import find_zone, time_ticks, value_axis

Kind = Literal["model", "other", "history"]
_PATHS = {"model": "m", "other": "c", "history": "h n"}
_DOTS = {"model": ("q", 36), "accent": ("p", 40), "ring": ("d", 25)}


@dataclass(frozen=True, eq=False, slots=True)
class Line:
    """A line through `values` (n,) at `at` (n,), open where they are NaN, with a label at its end."""

    at: np.ndarray
    values: np.ndarray
    label: str = ""
    kind: Kind = "model"


@dataclass(frozen=True, eq=False, slots=True)
class Bars:
    """Bars as high as `values` (n,), between `edges` (n + 1,)."""

    edges: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, eq=False, slots=True)
class Dots:
    """Dots at `values` (n,), each with a label above it."""

    at: np.ndarray
    values: np.ndarray
    labels: tuple[str, ...] = ()
    kind: Literal["model", "accent", "ring"] = "accent"


@dataclass(frozen=True, slots=True)
class Level:
    """A value to compare with, across the whole chart."""

    value: float
    label: str = ""


@dataclass(frozen=True, eq=False)
class Graph:
    """What is drawn over one axis: datetime64[us] or integers, alike in all marks.

    unit: of the values. under: what the axis below counts, where it is not time. floor: a value that the axis of values
    reaches down to. alt: the chart in a sentence, for those who do not see it. zone: as in `FanData`.
    """

    title: str
    marks: tuple[Line | Bars | Dots | Level, ...]
    alt: str
    unit: str = ""
    under: str = ""
    floor: float | None = None
    zone: str | None = None
    width: int = 860
    height: int = 260


def draw_graph(graph: Graph, theme: Theme = "auto") -> str:
    """The graph as one SVG document; `auto` follows the reader's colour scheme."""
    clocks = [_clock(at) for mark in graph.marks for at in _positions(mark)]
    start, stop = int(min(c.min() for c in clocks)), int(max(c.max() for c in clocks))
    calendar = any(at.dtype.kind == "M" for mark in graph.marks for at in _positions(mark))
    low, high = _range(graph)
    ends = [m for m in graph.marks if isinstance(m, (Line, Level)) and m.label]
    room = max((text_width(m.label, 12, bold=True) for m in ends), default=0)
    header, top = head(graph.title, graph.unit, graph.width)
    bottom = graph.height - (48.0 if calendar or graph.under else 32.0)
    axis = value_axis(low, high, max((bottom - top) / 42, 2))
    left = EDGE + max((text_width(label) for label in axis.labels), default=0) + 8
    right = graph.width - EDGE - (room + 10 if room else 0)
    bars = any(isinstance(m, Bars) for m in graph.marks)
    air = 0 if bars or calendar else 8
    frame = Frame(left + air, top, right - air, bottom, start, stop, low, high)
    ticks = time_ticks(
        start, stop, frame.right - frame.left, calendar=calendar, zone=find_zone(graph.zone),
        overhang=min(left, graph.width - right) - 4,
    )  # fmt: skip
    below = "" if calendar else write((frame.left + frame.right) / 2, bottom + 34, clean(graph.under), anchor="middle")
    body = header + axes(frame, axis, ticks, (left, right)) + _marks(graph, frame, (left, right))
    body += below + _ends(ends, frame, right)
    return document(body, graph.title, graph.alt, theme, (graph.width, graph.height))


def _positions(mark: Line | Bars | Dots | Level) -> list[np.ndarray]:
    if isinstance(mark, Level):
        return []
    return [mark.edges if isinstance(mark, Bars) else mark.at] if len(mark.values) else []


def _clock(at: np.ndarray) -> np.ndarray:
    return at.astype("datetime64[us]").astype(np.int64) if at.dtype.kind == "M" else at.astype(np.int64)


def _range(graph: Graph) -> tuple[float, float]:
    """What values the graph spans, with some air, down to its floor and never empty."""
    values = [np.array([m.value]) if isinstance(m, Level) else m.values for m in graph.marks]
    everything = np.concatenate([v[np.isfinite(v)] for v in values])
    low, high = (float(everything.min()), float(everything.max())) if len(everything) else (0.0, 1.0)
    if graph.floor is not None:
        low = min(low, graph.floor)
    air = (high - low) * 0.07 or abs(high) * 0.1 or 1.0
    return (low if graph.floor is not None and low >= graph.floor else low - air), high + air


def _marks(graph: Graph, frame: Frame, sides: tuple[float, float]) -> str:
    out = ['<g transform="scale(.1)">']
    words = []
    base = round(float(frame.y(np.array([max(frame.low, 0.0)]))[0]))
    for mark in graph.marks:
        if isinstance(mark, Bars):
            x = np.rint(frame.x(_clock(mark.edges))).astype(int).tolist()
            tops = np.rint(frame.y(mark.values)).astype(int).tolist()
            boxes = zip(x[:-1], x[1:], tops, strict=True)
            out.append(f'<path class="b1" d="{"".join(f"M{a + 8} {base}V{y}H{b - 8}V{base}z" for a, b, y in boxes)}"/>')
        elif isinstance(mark, Level):
            y = round(float(frame.y(np.array([mark.value]))[0]))
            out.append(f'<path class="c y" d="M{round(sides[0] * 10)} {y}H{round(sides[1] * 10)}"/>')
        elif isinstance(mark, Line):
            line, lone = history_path(frame.x(_clock(mark.at)), mark.values, frame)
            out.append(f'<path class="{_PATHS[mark.kind]}" d="{line}"/>')
            out.append(f'<path class="i" d="{lone}"/>' if lone else "")
        else:
            kind, radius = _DOTS[mark.kind]
            spots = np.rint(np.column_stack([frame.x(_clock(mark.at)), frame.y(mark.values)])).astype(int).tolist()
            out += [f'<circle class="{kind}" cx="{x}" cy="{y}" r="{radius}"/>' for x, y in spots]
            labelled = zip(spots, mark.labels, strict=False)
            words += [write(x / 10, y / 10 - 8, clean(label), "o", "middle") for (x, y), label in labelled]
    return "".join([*out, "</g>", *words])


def _ends(ends: list[Line | Level], frame: Frame, right: float) -> str:
    """The labels of lines at their ends, kept apart."""
    lasts = [m.value if isinstance(m, Level) else m.values[np.isfinite(m.values)][-1:].sum() for m in ends]
    levels = spread([float(frame.y(np.array([value]))[0]) / 10 for value in lasts], 15.0)
    kinds = ["e" if isinstance(m, Line) and m.kind == "model" else "" for m in ends]
    return "".join(write(right + 8, y + 4, clean(m.label), k) for m, y, k in zip(ends, levels, kinds, strict=True))


def alternative(graph: Graph) -> str:
    """The alternative text, escaped for HTML."""
    return escape(clean(graph.alt))
