"""The static chart of one forecast as SVG: written directly, since it must cost next to nothing."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from nbforecast.charts.density import LEVELS, runs
from nbforecast.charts.description import ahead_text, describe, index_text, origin_text
from nbforecast.charts.fan_data import Density, FanData
from nbforecast.charts.geometry import Curves, Frame, fan_points, history_path, value_range
from nbforecast.charts.labels import clean, shorten, text_width, wrap
from nbforecast.charts.primitives import EDGE, axes, document, write
from nbforecast.charts.theme import Theme
from nbforecast.charts.ticks import TimeTick, ValueAxis, find_zone, time_ticks, value_axis
from nbforecast.errors import OptionError

Style = Literal["bands", "density"]
_RINGS = 4.5  # pixels a step, from which observations have a ring each


@dataclass(frozen=True, slots=True)
class _Plan:
    """Everything that has a place: decided first, drawn after."""

    width: int
    height: int
    frame: Frame
    axis: ValueAxis
    ticks: tuple[TimeTick, ...]
    notes: list[str]
    key: str
    key_y: float
    ends: list[tuple[float, str, str]]
    pitch: float


def render(
    data: FanData, *, theme: Theme = "auto", style: Style = "bands", width: int = 860, height: int = 340
) -> str:  # fmt: skip
    """The chart as one SVG document.

    `auto` follows the reader's colour scheme. `density` draws a density's profile per step, or bands where the
    densities are not calculated yet.
    """
    if theme not in ("light", "dark", "auto"):
        raise OptionError(f"theme is light, dark or auto, not {theme!r}")
    if style not in ("bands", "density"):
        raise OptionError(f"style is bands or density, not {style!r}")
    if width < 240 or height < 180:
        raise OptionError(f"a chart needs 240 by 180 pixels at least, not {width} by {height}")
    style = "bands" if data.density is None else style
    plan = _plan(data, style, int(width), int(height))
    body = _header(data, plan) + _axes(plan) + _marks(data, plan, style) + _labels(data, plan)
    size, levels = (plan.width, plan.height), len(LEVELS) if style == "density" else 0
    return document(body, data.title, describe(data), theme, size, len(data.bands), levels)


def _subtitle(data: FanData) -> str:
    return " · ".join(part for part in (clean(data.model), ahead_text(data), index_text(data)) if part)


def _plan(data: FanData, style: Style, width: int, height: int) -> _Plan:
    past, ahead = data.clock
    start, stop = int(past[0]), int(ahead[-1])
    step = max(stop - int(past[-1]), 1) / len(ahead)
    if style == "density":
        stop += round(step / 2)
    inner = width - 2 * EDGE
    pitch = (inner - 90) * step / max(stop - start, 1)
    key, key_width = _key(data, style, pitch)
    beside = text_width(_subtitle(data), 12) + 28 + key_width <= inner
    key_x, key_y = (width - EDGE - key_width, 47.0) if beside else (EDGE, 68.0)
    notes = wrap(" · ".join(note.rstrip(".") for note in map(clean, data.notes) if note), inner, 11, 2)
    top, bottom = key_y + 37, height - 44.0 - (15 * len(notes) + 4 if notes else 0)
    low, high = value_range(data, data.density if style == "density" else None)
    axis = value_axis(low, high, max((bottom - top) / 46, 2))
    left = EDGE + max((text_width(label) for label in axis.labels), default=0) + 8
    ends = _ends(data, style, axis, low, high, bottom - top)
    room = max((text_width(text, 13 if kind == "e" else 11, bold=kind == "e") for _, text, kind in ends), default=0)
    right = max(width - EDGE - (room + 9 if room else 0), left + 40)
    ticks = time_ticks(
        start, stop, right - left, calendar=data.calendar, zone=find_zone(data.zone),
        overhang=min(left, width - right) - 4,
    )  # fmt: skip
    if not any(tick.under for tick in ticks):
        bottom += 14
    frame = Frame(left, top, right, bottom, start, stop, low, high)
    key = f'<g transform="translate({key_x:.5g} {key_y:g})">{key}</g>'
    return _Plan(width, height, frame, axis, ticks, notes, key, key_y, ends, pitch)


def _key(data: FanData, style: Style, pitch: float) -> tuple[str, float]:
    """The legend around (0, 0), and how wide it is: the very colours, and the coverage written on them."""
    out, x = [], 0.0
    if np.isfinite(data.median).any():
        out.append(f'<g transform="scale(.1)"><path class="m" d="M10-40h160"/></g>{write(23, 0, "median")}')
        x = 23 + text_width("median") + 14
        if style == "density":
            out += [
                f'<rect class="l{n}" x="{x + 4 * n:.5g}" y="-12" width="4.2" height="16"/>' for n in range(len(LEVELS))
            ]
            x += 4 * len(LEVELS)
            out.append(write(x + 6, 0, "density"))
            x += 6 + text_width("density") + 14
        else:
            for rank, band in enumerate(data.bands):
                out.append(f'<rect class="b{rank}" x="{x:.5g}" y="-12" width="26" height="16"/>')
                out.append(write(x + 13, 0, str(band.coverage), "k", "middle"))
                x += 26
            if data.bands:
                out.append(write(x + 5, 0, "%"))
                x += 5 + text_width("%") + 14
    if np.isfinite(data.actual).any():
        ring = '<circle class="d" cx="80" cy="-40" r="25"/>' if pitch >= _RINGS else ""
        out.append(f'<g transform="translate({x:.5g})scale(.1)"><path class="a" d="M0-40h160"/>{ring}</g>')
        out.append(write(x + 22, 0, "observed"))
        x += 22 + text_width("observed") + 14
    return "".join(out), max(x - 14, 0)


def _ends(
    data: FanData, style: Style, axis: ValueAxis, low: float, high: float, tall: float
) -> list[tuple[float, str, str]]:
    """Labels at the end of the fan, (value, text, class): the median, then what edges have room, outermost first."""
    last = np.flatnonzero(np.isfinite(data.median))[-1:]
    bands = data.bands if style == "bands" else ()
    edges = [float(side[at]) for at in last for band in bands for side in (band.low, band.high)]
    out: list[tuple[float, str, str]] = []
    for value in [*(float(data.median[at]) for at in last), *edges]:
        near = min((abs(value - other) for other, *_ in out), default=np.inf) / (high - low) * tall
        if low <= value <= high and near >= 14:
            out.append((value, axis.exact(value), "" if out else "e"))
    return out


def _header(data: FanData, plan: _Plan) -> str:
    inner = plan.width - 2 * EDGE
    beside = plan.key_y < 50
    # The legend beside it is only there if the whole subtitle fits, so either way this is all the room it needs.
    room = inner if not beside else inner - 20
    return (
        write(EDGE, 27, shorten(data.title, inner, 15, bold=True), "t")
        + write(EDGE, 47, shorten(_subtitle(data), room, 12), "s")
        + plan.key
    )


def _axes(plan: _Plan) -> str:
    drawn = axes(plan.frame, plan.axis, plan.ticks, (plan.frame.left, plan.frame.right))
    lines = reversed(list(enumerate(reversed(plan.notes))))
    return drawn + "".join(write(EDGE, plan.height - 12 - 15 * up, line) for up, line in lines)


def _marks(data: FanData, plan: _Plan, style: Style) -> str:
    """Bands or densities, history, what was observed later, the median and the origin, from back to front."""
    f = plan.frame
    past, ahead = data.clock
    out = ['<g transform="scale(.1)">']
    fan = fan_points(data, f)
    curves = Curves(*fan) if fan is not None else None
    if curves is not None and style == "bands":
        areas = [curves.area(2 * rank + 2, 2 * rank + 1) for rank in range(len(data.bands))]
        out += [f'<path class="b{rank}" d="{area}"/>' for rank, area in enumerate(areas)]
    if style == "density" and data.density is not None:
        out += [f'<path class="l{n}" d="{path}"/>' for n, path in enumerate(_columns(data.density, f, ahead)) if path]
    origin = round(float(f.x(past[-1:])[0]))
    out.append(f'<path class="x" d="M{origin} {round(f.top * 10) - 60}V{round(f.bottom * 10)}"/>')
    thin = " n" if plan.pitch < 2.5 else ""
    line, lone = history_path(f.x(past), data.values, f)
    out.append(f'<path class="h{thin}" d="{line}"/>' + (f'<path class="i" d="{lone}"/>' if lone else ""))
    if curves is not None:
        x, y = curves.points[0, -1]
        out.append(f'<path class="m{thin}" d="{curves.line(0)}"/><circle class="q" cx="{x}" cy="{y}" r="36"/>')
    out.append(_actuals(f.x(ahead), data.actual, f, plan.pitch))
    seen = np.flatnonzero(np.isfinite(data.values))
    if len(seen):
        x, y = np.rint([f.x(past[seen[-1:]])[0], f.y(data.values[seen[-1:]])[0]]).astype(int)
        out.append(f'<circle class="p" cx="{x}" cy="{y}" r="40"/>')
    return "".join(out) + "</g>"


def _columns(density: Density, frame: Frame, ahead: np.ndarray) -> list[str]:
    """A column a step, or each few where there are many: a path for each level of density."""
    x = frame.x(ahead)
    pitch = max(float(frame.x(ahead[-1:] + np.diff(ahead[-2:]).sum())[0] - x[0]) / len(x), 1.0) if len(x) > 1 else 120.0
    every = max(1, int(np.ceil(25 / pitch)))
    wide = round(min(pitch * every * 0.87, 260) if pitch > 60 else pitch * every + 1)
    left = np.rint(x - wide / 2).astype(np.int64)
    out = []
    for step, low, high in runs(density):
        shown = (len(x) - 1 - step) % every == 0
        ends = np.rint(frame.y(np.column_stack([low, high])[shown])).astype(np.int64).tolist()
        columns = zip(left[step[shown]].tolist(), ends, strict=True)
        out.append("".join(f"M{at} {bottom}h{wide}V{top}h-{wide}z" for at, (bottom, top) in columns))
    return out


def _actuals(x: np.ndarray, values: np.ndarray, frame: Frame, pitch: float) -> str:
    """What was observed after the origin: a faint line, with a ring a step where there is room for rings."""
    path, lone = history_path(x, values, frame)
    if not path + lone:
        return ""
    out = f'<path class="a" d="{path}"/>'
    known = np.flatnonzero(np.isfinite(values))
    radius = round(min(pitch * 3.3, 25)) if pitch >= _RINGS else 8 if lone else 0
    if radius:
        spots = np.rint(np.column_stack([x[known], frame.y(values[known])])).astype(np.int64).tolist()
        out += "".join(f'<circle class="d" cx="{a}" cy="{b}" r="{radius}"/>' for a, b in spots)
    return out


def _labels(data: FanData, plan: _Plan) -> str:
    """The unit above the axis, the origin's time above its line, and the values at the fan's end."""
    f = plan.frame
    y = f.top - 13
    text = origin_text(data)
    wide = text_width(text, 11, bold=True)
    at = float(f.x(data.clock[0][-1:])[0]) / 10
    unit = shorten(data.target, max(min(plan.width - 2 * EDGE - wide - 16, 0.5 * plan.width), 30))
    low = EDGE + (text_width(unit) + 12 if unit else 0) + wide / 2
    at = max(min(at, plan.width - EDGE - wide / 2), low)
    out = write(EDGE, y, unit) + write(at, y, text, "o", "middle")
    levels = f.y(np.array([value for value, *_ in plan.ends])) / 10
    ends = zip(levels.tolist(), plan.ends, strict=True)
    return out + "".join(write(f.right + 9, y + (4.5 if kind else 4), label, kind) for y, (_, label, kind) in ends)
