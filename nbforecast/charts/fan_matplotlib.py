"""The fan chart with matplotlib, for users who draw on it or save it as PDF."""

from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.charts.covariate_strips import name_text, range_text, runs, strip_height, strips_height
from nbforecast.charts.density import LEVELS, level_intervals
from nbforecast.charts.description import origin_text
from nbforecast.charts.fan_data import Density, FanData, Strip

# Labels and their positions are those of the SVG, so that both charts look alike.
from nbforecast.charts.fan_svg import drawn_paths, drawn_style, lay_out, subtitle
from nbforecast.charts.geometry import value_range
from nbforecast.charts.text_layout import shorten, text_width, wrap
from nbforecast.charts.theme import LIGHT
from nbforecast.charts.ticks import TimeTick, ValueAxis, find_zone, slot_ticks, time_ticks, value_axis
from nbforecast.errors import MissingExtra
from nbforecast.options import Style, check_style
from nbforecast.time_units import DAY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 860, 340  # of a new figure, in pixels of the SVG, a hundred per inch
_PT = 0.72  # points per pixel
_MARGIN = 0.012  # of the time axis, on either side: half a dot


def draw_fan_on_axes(data: FanData, ax: "Axes | None" = None, style: Style = "bands") -> "Axes":
    """Draw a fan chart on matplotlib axes.

    Args:
        data: The forecast and its surroundings.
        ax: Existing axes, which get curves over time, a title and labels; or None for a new figure of pyplot, which
            also has a legend, the second line and notes, and over which a calendar's closed times take no room.
        style: `bands`, `density` or `paths`.

    Returns:
        The axes; `.figure` is their figure.

    Raises:
        OptionError: If the style is unknown.
        MissingExtra: If matplotlib is not installed.
    """
    check_style(style)
    if ax is not None:
        _draw_curves(data, ax, style)
        _label_existing_axes(ax, data)
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise _missing_matplotlib() from error
    return _draw_on_figure(pyplot.figure(figsize=(_WIDTH / 100, _HEIGHT / 100), layout="constrained"), data, style)


def fan_figure(data: FanData, style: Style = "bands") -> "Figure":
    """Draw a fan chart on a figure outside of pyplot, which neither shows nor retains it: for saving.

    Args:
        data: The forecast and its surroundings.
        style: `bands`, `density` or `paths`.
    """
    check_style(style)
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise _missing_matplotlib() from error
    figure = Figure(figsize=(_WIDTH / 100, _HEIGHT / 100), dpi=144, layout="constrained")
    _draw_on_figure(figure, data, style)
    return figure


def _missing_matplotlib() -> MissingExtra:
    return MissingExtra("drawing on axes needs matplotlib: pip install matplotlib")


def _escape(text: str) -> str:
    """Escape dollar signs of texts from data, which matplotlib reads as mathematics."""
    return text.replace("$", r"\$")


def _draw_on_figure(figure: "Figure", data: FanData, style: Style) -> "Axes":
    figure.set_facecolor(LIGHT.bg)
    extra = strips_height(data)
    if extra:
        figure.set_size_inches(_WIDTH / 100, (_HEIGHT + extra) / 100)
    heights = [_HEIGHT - 130.0, *(strip_height(strip) for strip in data.strips)]
    rows = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    ax = figure.add_subplot(rows[0])
    _draw_curves(data.by_slot(), ax, style)
    _label_new_axes(ax, data, style)
    for number, strip in enumerate(data.strips, 1):
        _draw_strip(figure.add_subplot(rows[number]), ax, data.by_slot(), strip)
    return ax


def _draw_strip(ax: "Axes", main: "Axes", data: FanData, strip: Strip) -> None:
    """Draw a covariate on axes of its own, within the times of the main ones."""
    from matplotlib import dates

    c, untyped_dates = LIGHT, dates
    times = np.concatenate([data.time, data.future])
    x = np.asarray(untyped_dates.date2num(times) if data.calendar else times, np.float64)
    if strip.labels:
        edges = np.concatenate([x[:1], (x[1:] + x[:-1]) / 2, x[-1:]])
        for first, end, code in runs(strip):
            ax.axvspan(edges[first], edges[end], color=c.category(code), lw=0)
        ax.set_ylim(0, 1)
    else:
        ax.plot(x, strip.values, color=c.ink, lw=0.9)
        if strip.high > strip.low:
            ax.set_ylim(strip.low, strip.high)
    ax.axvline(x[len(data.time) - 1], color=c.accent, lw=1)
    ax.set_xlim(main.get_xlim())
    ax.set_facecolor(c.bg)
    ax.set(xticks=[], yticks=[])
    ax.spines[["left", "right", "top"]].set_visible(False)
    ax.spines["bottom"].set_color(c.grid)
    _above(ax, name_text(strip), 3, 11 * _PT)
    if len(strip.labels) > 1:
        from matplotlib.patches import Patch

        marks = [Patch(color=c.category(rank), label=_escape(label)) for rank, label in enumerate(strip.labels[:6])]
        ax.legend(
            handles=marks, loc="lower right", bbox_to_anchor=(1, 0.95), ncols=6, frameon=False, fontsize=11 * _PT,
            labelcolor=c.soft, handlelength=0.8, handleheight=0.8, columnspacing=1, borderaxespad=0, borderpad=0,
        )  # fmt: skip
        return
    ax.annotate(
        _escape(range_text(strip)), (1, 1), (0, 3), xycoords="axes fraction", textcoords="offset points", ha="right",
        color=c.soft, fontsize=11 * _PT, annotation_clip=False,
    )  # fmt: skip


def _draw_curves(data: FanData, ax: "Axes", style: Style) -> None:
    """Draw history, forecast and observations, and set up both axes."""
    from matplotlib.transforms import Bbox, TransformedBbox

    c, count = LIGHT, len(data.bands)
    style = drawn_style(data, style)
    density = data.density if style == "density" else None
    shared = [*ax.get_shared_x_axes().get_siblings(ax), *ax.get_shared_y_axes().get_siblings(ax)]
    has_own_limits = not any(other.has_data() for other in shared)
    observed = np.flatnonzero(np.isfinite(data.values))
    last_observed = observed[-1:]
    root_row = last_observed[len(data.values) - 1 - last_observed <= 3]
    ahead = np.concatenate([data.time[root_row], data.future])
    root = data.values[root_row]
    ax.plot(data.time, data.values, color=c.ink, lw=1.2, zorder=3)
    if density is not None:
        _draw_density(ax, data, density)
    elif style == "paths":
        paths = drawn_paths(data)
        start = np.full((len(paths), 1), data.values[-1])
        times = np.concatenate([data.time[-1:], data.future])
        lines = ax.plot(times, np.concatenate([start, paths], 1).T, color=c.median, lw=0.7, alpha=0.3, zorder=2)
        lines[0].set_label("paths")
    else:
        for rank, band in enumerate(data.bands):
            low, high = np.concatenate([root, band.low]), np.concatenate([root, band.high])
            ax.fill_between(ahead, low, high, color=c.band(rank, count), lw=0, label=f"{band.coverage} %", zorder=2)
    before = np.isfinite(np.concatenate([[np.nan], data.values[:-1]]))
    is_single = ~before & ~np.isfinite(np.append(data.values[1:], np.nan))
    dots = ax.plot(data.time[is_single], data.values[is_single], ".", color=c.ink, ms=3.5, zorder=3)
    calculated = np.flatnonzero(np.isfinite(data.median))
    if len(calculated):
        ax.plot(ahead, np.concatenate([root, data.median]), color=c.median, lw=1.7, zorder=4, label="median")
        last = calculated[-1:]
        dots += ax.plot(data.future[last], data.median[last], "o", color=c.median, ms=5.5, mec=c.bg, zorder=6)
    if np.isfinite(data.actual).any():
        dots += ax.plot(
            data.future, data.actual, color=c.ink, lw=0.8, alpha=0.8, zorder=5, marker="o", ms=3.4, mew=0.9,
            mfc=c.bg, label="observed", markevery=max(1, len(data.future) // 60),
        )  # fmt: skip
    ax.axvline(data.time[-1], color=c.accent, lw=1, zorder=2.5)
    dots += ax.plot(data.time[last_observed], data.values[last_observed], "o", color=c.accent, ms=6, mec=c.bg, zorder=6)
    dots += _draw_odd(data, ax)
    # Dots at the border are drawn whole; those outside of the axes after zooming are clipped.
    clip_box = TransformedBbox(Bbox([[-0.02, -0.04], [1.02, 1.04]]), ax.transAxes)
    for dot in dots:
        dot.set_clip_path(None)
        dot.set_clip_box(clip_box)
    ax.margins(x=_MARGIN, y=0.06)
    if has_own_limits:
        # As in the SVG, until something else is drawn: with `auto=None` limits remain automatic.
        ax.set_ylim(*value_range(data, density, paths=style == "paths"), auto=None)
    _style_axes(ax)


def _draw_odd(data: FanData, ax: "Axes") -> list[Any]:
    """Mark the odd observations; missing ones at the foot."""
    c = LIGHT
    drawn: list[Any] = []
    for point in data.odd:
        value, transform = data.values[point.step], ax.transData
        if not np.isfinite(value):
            value, transform = 0.03, ax.get_xaxis_transform()
        face = c.odd if point.kind else c.bg
        drawn += ax.plot(
            data.time[[point.step]], [value], point.marker, color=c.odd, mfc=face, ms=6, mew=1, zorder=7,
            transform=transform, label="_surprise" if drawn else "surprise",
        )  # fmt: skip
    return drawn


def _draw_density(ax: "Axes", data: FanData, density: Density) -> None:
    """Draw cells per step, each level over the lower ones; their edges hide the seams between them."""
    from matplotlib import dates
    from matplotlib.collections import PolyCollection

    untyped_dates: Any = dates  # its functions have no types
    x = untyped_dates.date2num(data.future) if data.calendar else data.future.astype(np.float64)
    step = data.step / DAY if data.calendar else float(data.step)
    every = max(1, len(x) // 96)
    steps = np.arange((len(x) - 1) % every, len(x), every)
    middle = (x[steps][1:] + x[steps][:-1]) / 2
    edges = np.concatenate([[x[steps[0]] - step * every / 2], middle, [x[steps[-1]] + step * every / 2]])
    for rank, (row, low, high) in enumerate(level_intervals(density)):
        is_drawn = (row - steps[0]) % every == 0
        cell = (row[is_drawn] - steps[0]) // every
        left, right, bottom, top = edges[cell], edges[cell + 1], low[is_drawn], high[is_drawn]
        corners: Any = np.stack([left, bottom, right, bottom, right, top, left, top], axis=-1).reshape(-1, 4, 2)
        tint = LIGHT.level(rank, len(LEVELS))
        ax.add_collection(PolyCollection(corners, facecolors=tint, edgecolors="face", linewidths=0.4, zorder=2))


def _style_axes(ax: "Axes") -> None:
    """Draw grid and rules as faintly as the SVG does."""
    c = LIGHT
    ax.set_facecolor(c.bg)
    ax.spines[["left", "right", "top"]].set_visible(False)
    ax.spines["bottom"].set_color(c.rule)
    ax.grid(axis="y", color=c.grid, lw=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(axis="both", colors=c.soft, labelsize=11 * _PT, length=0, pad=5)
    ax.tick_params(axis="x", length=3, color=c.rule)


def _set_ticks(ax: "Axes", data: FanData, *, lines: int, counts_slots: bool = False) -> None:
    """Have ticks follow the limits as in the SVG, with dates on one line or on two."""
    from matplotlib import dates, ticker

    untyped_dates: Any = dates
    untyped_ticker: Any = ticker
    has_dates = data.calendar and not counts_slots
    origin = float(untyped_dates.date2num(np.datetime64(0, "us"))) if has_dates else 0.0
    unit = DAY if has_dates else 1
    slots = np.concatenate(data.clock)

    def pixels() -> tuple[float, float]:
        box = ax.get_window_extent()
        return box.width / ax.figure.dpi * 100, box.height / ax.figure.dpi * 100

    def times() -> tuple[TimeTick, ...]:
        low, high = sorted(ax.get_xlim())
        if counts_slots:
            return slot_ticks(slots, low, high, pixels()[0], overhang=pixels()[0])
        start, stop = round(np.ceil((low - origin) * unit)), round(np.floor((high - origin) * unit))
        width = pixels()[0]
        # Matplotlib centres labels on their ticks, hence no bound that would move them.
        return time_ticks(start, stop, width, calendar=data.calendar, zone=find_zone(data.zone), overhang=width)

    def values() -> ValueAxis:
        low, high = sorted(ax.get_ylim())
        return value_axis(low, high, max(pixels()[1] / 46, 2))

    class TimeLocator(untyped_ticker.Locator):  # type: ignore[misc]
        def __call__(self) -> list[float]:
            return [tick.time / unit + origin for tick in times()]

    class TimeFormatter(untyped_ticker.Formatter):  # type: ignore[misc]
        def __call__(self, value: float, pos: int | None = None) -> str:
            if counts_slots:
                slot = slots[min(max(round(value), 0), len(slots) - 1)]
                return str(slot.astype("datetime64[us]").astype("datetime64[m]")).replace("T", " ")
            return str(untyped_dates.num2date(value).strftime("%Y-%m-%d %H:%M")) if has_dates else f"{value:g}"

        def format_ticks(self, values: Any) -> list[str]:
            ticks = times()
            rows = lines if any(tick.context for tick in ticks) else 1
            labels = {tick.time: _tick_text(tick, rows) for tick in ticks}
            return [labels.get(round((float(value) - origin) * unit), "") for value in values]

    class ValueLocator(untyped_ticker.Locator):  # type: ignore[misc]
        def __call__(self) -> tuple[float, ...]:
            return values().values

    ax.xaxis.set_major_locator(TimeLocator())
    ax.xaxis.set_major_formatter(TimeFormatter())
    ax.yaxis.set_major_locator(ValueLocator())
    ax.yaxis.set_major_formatter(lambda value, _: values().tick_format(value))


def _tick_text(tick: TimeTick, lines: int) -> str:
    if lines > 1:
        return f"{tick.label}\n{tick.context or ' '}"  # two lines each, so that the first ones are level
    # On one line, a new day or year replaces the label of its first tick.
    if not tick.context or tick.label not in ("00:00", "Jan"):
        return tick.label
    day, _, year = tick.context.rpartition(" ")
    return day if day and len(year) == 4 else tick.context


def _label_existing_axes(ax: "Axes", data: FanData) -> None:
    """Write only what axes have room for: other axes may be near."""
    _set_ticks(ax, data, lines=1)
    # Near the axes, since plt.subplots puts little space between two of them by default.
    ax.tick_params(axis="x", length=2, pad=2)
    width, height = (side / ax.figure.dpi * 100 for side in ax.get_window_extent().size)
    full = f"{data.title} · {origin_text(data)}"
    title = shorten(full if text_width(full, 12, bold=True) <= width else data.title, width, 12, bold=True)
    ax.set_title(_escape(title), loc="left", color=LIGHT.ink, fontsize=12 * _PT, fontweight="bold", pad=3)
    if ax.yaxis.get_tick_params().get("labelleft", True):  # false where axes to the left share their labels
        ax.set_ylabel(_escape(shorten(data.target, height)), color=LIGHT.soft, fontsize=11 * _PT)


def _label_new_axes(ax: "Axes", data: FanData, style: Style) -> None:
    """Write title, legend, labels and notes around the only axes of a figure."""
    from matplotlib.transforms import ScaledTranslation

    c = LIGHT
    _set_ticks(ax, data, lines=2, counts_slots=data.slot is not None)
    style = drawn_style(data, style)
    layout = lay_out(data, style, _WIDTH, _HEIGHT)
    inner, beside = _WIDTH - 32, layout.legend_y < 50
    row = 0.0 if beside else 15.0  # points for a legend on a line of its own
    title, second = shorten(data.title, inner, 15, bold=True), shorten(subtitle(data), inner - 20, 12)
    ax.set_title(_escape(title), loc="left", color=c.ink, fontsize=15 * _PT, fontweight="bold", pad=42 + row)
    _above(ax, second, 28 + row, 12 * _PT)
    origin = origin_text(data)
    width = text_width(origin, 11, bold=True)
    unit = shorten(data.target, max(min(inner - width - 16, 0.5 * _WIDTH), 30))
    _above(ax, unit, 7, 11 * _PT)
    x = float(layout.frame.x(data.positions[0][-1:])[0]) / 10
    least = layout.frame.left + (text_width(unit) + 12 if unit else 0) + width / 2
    shift = max(min(x, _WIDTH - 16 - width / 2), least) - x
    ax.annotate(
        origin, (data.by_slot().time[-1], 1), (shift * _PT, 7), xycoords=("data", "axes fraction"), ha="center",
        textcoords="offset points", color=c.accent, fontsize=11 * _PT, fontweight="bold", annotation_clip=False,
    )  # fmt: skip
    for value, label, kind in layout.end_labels:
        ax.annotate(
            label, (1, value), (5, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center",
            color=c.median if kind else c.soft, fontsize=(13 if kind else 11) * _PT,
            fontweight="bold" if kind else "normal", annotation_clip=True,
        )  # fmt: skip
    if layout.notes:
        lines = wrap(" ".join(layout.notes), layout.frame.right - layout.frame.left, 11, 2)
        ax.set_xlabel(_escape("\n".join(lines)), loc="left", color=c.soft, fontsize=10.5 * _PT, linespacing=1.4)
    _legend(ax, style, ax.transAxes + ScaledTranslation(0, 25 / 72, ax.figure.dpi_scale_trans), beside=beside)


def _legend(ax: "Axes", style: Style, transform: Any, *, beside: bool) -> None:
    from matplotlib.legend_handler import HandlerTuple
    from matplotlib.patches import Patch

    marks, labels = ax.get_legend_handles_labels()
    if style == "density" and "median" in labels:
        tints: Any = tuple(Patch(color=LIGHT.level(rank, len(LEVELS)), lw=0) for rank in range(len(LEVELS)))
        position = labels.index("median") + 1
        marks.insert(position, tints)
        labels.insert(position, "density")
    if marks:
        ax.legend(
            marks, labels, loc="lower right" if beside else "lower left", bbox_to_anchor=(1 if beside else 0, 1),
            bbox_transform=transform, ncols=8, frameon=False, fontsize=11 * _PT, labelcolor=LIGHT.soft,
            handlelength=1.6, handletextpad=0.5, columnspacing=1.2, borderaxespad=0, borderpad=0,
            handler_map={tuple: HandlerTuple(ndivide=None, pad=0)},
        )  # fmt: skip


def _above(ax: "Axes", text: str, up: float, size: float) -> None:
    ax.annotate(
        _escape(text), (0, 1), (0, up), xycoords="axes fraction", textcoords="offset points", color=LIGHT.soft,
        fontsize=size, annotation_clip=False,
    )  # fmt: skip
