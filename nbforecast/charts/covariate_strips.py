"""Thin strips of covariates under a fan chart, aligned with its times: spans of categories, small lines of numbers."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from nbforecast.charts.geometry import Frame, history_path
from nbforecast.charts.primitives import text_element
from nbforecast.charts.text_layout import shorten, text_width
from nbforecast.text import distinct_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbforecast.charts.fan_data import FanData, Strip

_HEAD, _GAP, _SPANS, _LINE = 15, 7, 12, 20  # pixels: the name, the distance of two strips, and their heights
_SWATCH = 12
COLOURS = 6  # of categories; further ones begin anew


def strips_height(data: FanData) -> int:
    """Return how many pixels the strips of a chart take, with the space above them."""
    return sum(_HEAD + _GAP + strip_height(strip) for strip in data.strips)


def strip_height(strip: Strip) -> int:
    """Return how many pixels the spans or the line of a strip take."""
    return _SPANS if strip.labels else _LINE


def runs(strip: Strip) -> Iterator[tuple[int, int, int]]:
    """Yield the first position, the one after the last, and the category of each span."""
    codes = np.where(np.isfinite(strip.values), strip.values, -1).astype(np.int64)
    edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    for first, end in pairwise(edges):
        if codes[first] >= 0:
            yield first, end, int(codes[first])


def range_text(strip: Strip) -> str:
    """Write the smallest and the largest number of a strip: `−2.1 to 35.0`."""
    return "" if strip.labels or not np.isfinite(strip.low) else " to ".join(distinct_numbers((strip.low, strip.high)))


def name_text(strip: Strip) -> str:
    """Write the name of a strip, and whether it is known up to the origin only."""
    return strip.name if strip.is_ahead else f"{strip.name}, known up to the origin"


def draw_strips(data: FanData, frame: Frame, top: float) -> str:
    """Draw the strips of a fan chart as SVG.

    Args:
        data: The forecast and its strips.
        frame: The plot, whose times count.
        top: The pixel from the top of the chart where the strips begin.
    """
    places = np.concatenate(data.positions)
    edges = _edges(frame.x(places))
    out = []
    for strip in data.strips:
        upper = top + _HEAD
        lower = upper + strip_height(strip)
        own = Frame(frame.left, upper + 2, frame.right, lower - 2, frame.start, frame.stop, *_limits(strip))
        out.append(_head(strip, own, upper - 4))
        marks = [f'<path class="g" d="M{round(frame.left * 10)} {round(lower * 10)}H{round(frame.right * 10)}"/>']
        if strip.labels:
            marks += [
                f'<rect class="s{code % COLOURS}" x="{edges[first]}" y="{round(upper * 10)}" '
                f'width="{max(edges[end] - edges[first], 10)}" height="{_SPANS * 10}"/>'
                for first, end, code in runs(strip)
            ]
        else:
            line, points = history_path(frame.x(places), strip.values, own)
            marks += [f'<path class="h n" d="{line}"/>'] * bool(line) + [f'<path class="i" d="{points}"/>'] * bool(
                points
            )
        origin = round(float(frame.x(data.positions[0][-1:])[0]))
        marks.append(f'<path class="x" d="M{origin} {round(upper * 10)}V{round(lower * 10)}"/>')
        out.append(f'<g transform="scale(.1)">{"".join(marks)}</g>')
        top = lower + _GAP
    return "".join(out)


def _edges(x: np.ndarray) -> list[int]:
    """Where cells begin and end: half way between neighbours, in tenths of a pixel."""
    if len(x) < 2:
        return [round(float(x[0])) - 50, round(float(x[0])) + 50]
    middle = (x[1:] + x[:-1]) / 2
    return np.rint(np.concatenate([x[:1], middle, x[-1:]])).astype(np.int64).tolist()


def _limits(strip: Strip) -> tuple[float, float]:
    low, high = (strip.low, strip.high) if np.isfinite(strip.low) else (0.0, 1.0)
    return (low, high) if high > low else (low - 1.0, high + 1.0)


def _head(strip: Strip, frame: Frame, y: float) -> str:
    """The name, and at the right the range of numbers or the colours of several categories."""
    name = text_element(frame.left, y, shorten(name_text(strip), frame.right - frame.left))
    if len(strip.labels) < 2:
        return name + text_element(frame.right, y, range_text(strip), anchor="end")
    room = frame.right - frame.left - text_width(name_text(strip)) - 24
    widths = [text_width(label) + _SWATCH + 10 for label in strip.labels]
    while widths and sum(widths) - 10 > room:
        widths.pop()
    x, out = frame.right - sum(widths) + 10, name
    for rank, (label, width) in enumerate(zip(strip.labels, widths, strict=False)):
        out += f'<rect class="s{rank % COLOURS}" x="{x:.5g}" y="{y - 8:.5g}" width="8" height="8"/>'
        out += text_element(x + _SWATCH, y, label)
        x += width
    return out
