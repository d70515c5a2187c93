"""What all charts have in common: the SVG document, the header, axes, and labels that do not overlap."""

from collections.abc import Sequence
from html import escape
from itertools import pairwise

import numpy as np

from nbforecast.charts.geometry import Frame
from nbforecast.charts.text_layout import clean, shorten
from nbforecast.charts.theme import Theme, style_sheet
from nbforecast.charts.ticks import TimeTick, ValueAxis

EDGE = 16.0  # pixels: margin of a whole chart


def document(
    body: str,
    title: str,
    description: str,
    theme: Theme,
    size: tuple[int, int],
    bands: int = 3,
    levels: int = 0,
    categories: int = 0,
) -> str:
    """Wrap the elements of a chart in an SVG document.

    Args:
        body: The elements, as SVG.
        title: Title of the document.
        description: The chart in a sentence, for readers who do not see it.
        theme: Colours; `auto` follows the reader's colour scheme.
        size: Width and height in pixels.
        bands: How many colours of bands the style sheet has.
        levels: How many tints of a density it has.
        categories: How many colours of covariates' categories it has.
    """
    width, height = size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" class="nbf-{theme}"><title>{escape(clean(title) or "Forecast")}</title>'
        f"<desc>{escape(clean(description))}</desc><style>{style_sheet(theme, bands, levels, categories)}</style>"
        f'<rect class="bg" width="{width}" height="{height}" rx="6"/>{body}</svg>'
    )


def text_element(x: float, y: float, text: str, kind: str = "", anchor: str = "") -> str:
    """Write a line of text at a point in pixels; nothing where it is empty.

    Args:
        x: Horizontal position of the anchor.
        y: Baseline.
        text: The text, which is escaped.
        kind: Classes of the style sheet.
        anchor: `start`, `middle` or `end` of the text is at `x`.
    """
    if not text:
        return ""
    attributes = (f' class="{kind}"' if kind else "") + (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text x="{x:.5g}" y="{y:.5g}"{attributes}>{escape(text)}</text>'


def header(title: str, subtitle: str, width: int) -> tuple[str, float]:
    """Write a title and a second line.

    Returns:
        The SVG, and the pixel from the top where the plot may begin.
    """
    inner = width - 2 * EDGE
    first = text_element(EDGE, 26, shorten(title, inner, 15, bold=True), "t")
    second = text_element(EDGE, 45, shorten(subtitle, inner, 12), "s")
    return first + second, 66.0 if clean(subtitle) else 48.0


def axes(frame: Frame, axis: ValueAxis, ticks: Sequence[TimeTick], sides: tuple[float, float]) -> str:
    """Draw the grid of values with labels, and the axis below with its ticks.

    Args:
        frame: The plot.
        axis: Ticks of the values.
        ticks: Ticks below.
        sides: Pixels at which the grid lines begin and end.
    """
    levels = [round(float(v)) for v in frame.y(np.array(axis.values))]
    left, right, bottom = round(sides[0] * 10), round(sides[1] * 10), round(frame.bottom * 10)
    grid = "".join(f"M{left} {y}H{right}" for y in levels)
    marks = "".join(f"M{round((frame.left + t.x) * 10)} {bottom}v45" for t in ticks)
    out = [f'<g transform="scale(.1)"><path class="g" d="{grid}"/>']
    out.append(f'<path class="r" d="M{left} {bottom}H{right}{marks}"/></g><g text-anchor="end">')
    out += [text_element(sides[0] - 8, y / 10 + 4, label) for y, label in zip(levels, axis.labels, strict=True)]
    out.append('</g><g text-anchor="middle">')
    for tick in ticks:
        out.append(text_element(frame.left + tick.label_x, frame.bottom + 18, tick.label))
        out.append(text_element(frame.left + tick.context_x, frame.bottom + 32, tick.context, "k"))
    return "".join([*out, "</g>"])


def spread_apart(positions: Sequence[float], distance: float) -> list[float]:
    """Move positions as little as possible, so that all are at least `distance` from each other."""
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    out = list(positions)
    for before, after in pairwise(order):
        out[after] = max(out[after], out[before] + distance)
    shift = float(np.mean(np.subtract(out, positions))) if out else 0.0
    return [position - shift for position in out]
