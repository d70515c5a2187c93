"""What charts have in common: a document, a head, axes, and labels that keep apart."""

from collections.abc import Sequence
from html import escape
from itertools import pairwise

import numpy as np

from nbforecast.charts.geometry import Frame
from nbforecast.charts.labels import clean, shorten
from nbforecast.charts.theme import Theme, style
from nbforecast.charts.ticks import TimeTick, ValueAxis

EDGE = 16.0  # margin of a whole picture


def document(
    body: str, title: str, said: str, theme: Theme, size: tuple[int, int], bands: int = 3, levels: int = 0
) -> str:  # fmt: skip
    """A chart as an SVG document with a title, and a description for those who do not see it."""
    width, height = size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" class="nbf-{theme}"><title>{escape(clean(title) or "Forecast")}</title>'
        f"<desc>{escape(clean(said))}</desc><style>{style(theme, bands, levels)}</style>"
        f'<rect class="bg" width="{width}" height="{height}" rx="6"/>{body}</svg>'
    )


def write(x: float, y: float, words: str, kind: str = "", anchor: str = "") -> str:
    if not words:
        return ""
    attributes = (f' class="{kind}"' if kind else "") + (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text x="{x:.5g}" y="{y:.5g}"{attributes}>{escape(words)}</text>'


def head(title: str, under: str, width: int) -> tuple[str, float]:
    """Title and second line, and where the plot may begin."""
    inner = width - 2 * EDGE
    drawn = write(EDGE, 26, shorten(title, inner, 15, bold=True), "t") + write(EDGE, 45, shorten(under, inner, 12), "s")
    return drawn, 66.0 if clean(under) else 48.0


def axes(frame: Frame, axis: ValueAxis, ticks: Sequence[TimeTick], sides: tuple[float, float]) -> str:
    """The grid of values with their labels, and the axis below with its ticks."""
    levels = [round(float(v)) for v in frame.y(np.array(axis.at))]
    left, right, bottom = round(sides[0] * 10), round(sides[1] * 10), round(frame.bottom * 10)
    grid = "".join(f"M{left} {y}H{right}" for y in levels)
    marks = "".join(f"M{round((frame.left + t.x) * 10)} {bottom}v45" for t in ticks)
    out = [f'<g transform="scale(.1)"><path class="g" d="{grid}"/>']
    out.append(f'<path class="r" d="M{left} {bottom}H{right}{marks}"/></g><g text-anchor="end">')
    out += [write(sides[0] - 8, y / 10 + 4, label) for y, label in zip(levels, axis.labels, strict=True)]
    out.append('</g><g text-anchor="middle">')
    for tick in ticks:
        out.append(write(frame.left + tick.label_x, frame.bottom + 18, tick.label))
        out.append(write(frame.left + tick.under_x, frame.bottom + 32, tick.under, "k"))
    return "".join([*out, "</g>"])


def spread(wanted: Sequence[float], apart: float) -> list[float]:
    """Places as near to those wanted as can be, at least `apart` from each other."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    out = list(wanted)
    for before, here in pairwise(order):
        out[here] = max(out[here], out[before] + apart)
    shift = float(np.mean(np.subtract(out, wanted))) if out else 0.0
    return [place - shift for place in out]
