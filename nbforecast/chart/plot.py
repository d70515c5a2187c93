"""The same chart with matplotlib (SPEC Q3), for those who go on drawing on it or save a PNG or PDF."""

from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.chart.data import Density, FanData
from nbforecast.chart.density import LEVELS, runs
from nbforecast.chart.svg import Style
from nbforecast.chart.text import clean, shorten
from nbforecast.chart.theme import LIGHT
from nbforecast.chart.ticks import DAY, find_zone, value_axis
from nbforecast.chart.words import ahead_text, index_text, origin_text
from nbforecast.errors import MissingExtra, OptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _axes() -> "Axes":
    """Axes on a figure of their own: not pyplot's, which would keep every figure alive and show it twice."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("drawing on axes needs matplotlib: pip install matplotlib") from error
    return Figure(figsize=(8.6, 3.6), dpi=144, layout="constrained", facecolor=LIGHT.bg).add_subplot()


def _time_axis(ax: "Axes", data: FanData) -> None:
    from matplotlib import dates

    made: Any = dates  # its classes have no types
    if data.calendar:
        zone = find_zone(data.zone)
        locator = made.AutoDateLocator(tz=zone, minticks=4, maxticks=9)
        formatter = made.ConciseDateFormatter(
            locator, tz=zone,
            formats=["%Y", "%b", "%d %b", "%H:%M", "%H:%M", "%H:%M:%S"],
            zero_formats=["", "%b\n%Y", "%d %b", "%H:%M\n%d %b", "%H:%M", "%H:%M"],
            offset_formats=["", "%Y", "%Y", "%d %b %Y", "%d %b %Y", "%d %b %Y"],
        )  # fmt: skip
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(formatter)
        ax.xaxis.get_offset_text().set(color=LIGHT.soft, fontsize=8)


def draw(data: FanData, ax: "Axes | None" = None, style: Style = "bands") -> "Axes":
    """Draw the forecast on `ax`, or on a new figure (`.figure` of the axes returned)."""
    if style not in ("bands", "density"):
        raise OptionError(f"style is bands or density, not {style!r}")
    ax = _axes() if ax is None else ax
    c, count = LIGHT, len(data.bands)
    seen = np.flatnonzero(np.isfinite(data.values))
    opens = seen[-1:] if len(seen) and len(data.values) - 1 - seen[-1] <= 3 else seen[:0]
    ahead = np.concatenate([data.time[opens], data.future])
    root = data.values[opens]
    known = bool(np.isfinite(data.median).any())
    if style == "density" and data.density is not None:
        _columns(ax, data, data.density)
    else:
        for rank, band in enumerate(data.bands):
            low, high = np.concatenate([root, band.low]), np.concatenate([root, band.high])
            ax.fill_between(ahead, low, high, color=c.band(rank, count), lw=0, label=f"{band.coverage} %", zorder=2)
    ax.plot(data.time, data.values, color=c.ink, lw=1.3, zorder=3)
    alone = ~np.isfinite(np.concatenate([[np.nan], data.values[:-1]])) & ~np.isfinite(
        np.append(data.values[1:], np.nan)
    )
    ax.plot(data.time[alone], data.values[alone], ".", color=c.ink, ms=3.5, zorder=3)
    if known:
        ax.plot(ahead, np.concatenate([root, data.median]), color=c.median, lw=1.8, zorder=4, label="median")
    if np.isfinite(data.actual).any():
        ax.plot(
            data.future, data.actual, color=c.ink, lw=0.8, alpha=0.8, zorder=5, marker="o", ms=3.4, mew=0.9,
            mfc=c.bg, label="observed", markevery=max(1, len(data.future) // 60),
        )  # fmt: skip
    ax.axvline(data.time[-1], color=c.accent, lw=1, zorder=2.5)
    ax.plot(data.time[opens], root, "o", color=c.accent, ms=5, mec=c.bg, zorder=6)
    _dress(ax, data, known)
    return ax


def _columns(ax: "Axes", data: FanData, density: Density) -> None:
    from matplotlib import dates

    made: Any = dates
    step = data.step / DAY if data.calendar else data.step
    every = max(1, len(data.future) // 96)
    for rank, (row, low, high) in enumerate(runs(density)):
        shown = (len(data.future) - 1 - row) % every == 0
        at = data.future[row[shown]]
        if data.calendar:
            at = made.date2num(at)
        tint = LIGHT.level(rank, len(LEVELS))
        wide = step * every * (0.87 if len(data.future) <= 24 else 1.02)
        ax.bar(at, (high - low)[shown], wide, low[shown], color=tint, lw=0, zorder=2)


def _dress(ax: "Axes", data: FanData, known: bool) -> None:
    """Titles, axes and labels, as quiet as in the SVG."""
    from matplotlib.transforms import ScaledTranslation

    c = LIGHT
    ax.set_facecolor(c.bg)
    ax.spines[["left", "right", "top"]].set_visible(False)
    ax.spines["bottom"].set_color(c.rule)
    ax.grid(axis="y", color=c.grid, lw=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(axis="both", colors=c.soft, labelsize=8, length=0, pad=5)
    ax.tick_params(axis="x", length=3, color=c.rule)
    ax.margins(x=0.0)
    ax.locator_params(axis="y", nbins=5)
    ax.yaxis.set_major_formatter(lambda value, _: value_axis(*sorted(ax.get_ylim())).ticks(value))
    _time_axis(ax, data)
    # Matplotlib reads dollar signs as mathematics, and a title comes from data.
    title, unit = (shorten(text, 520).replace("$", r"\$") for text in (data.title, data.target))
    second = " · ".join(part for part in (clean(data.model), ahead_text(data), index_text(data)) if part)
    ax.set_title(title, loc="left", color=c.ink, fontsize=11, fontweight="bold", pad=42)
    _beside(ax, second.replace("$", r"\$"), 0, 28, c.soft, 8.5)
    _beside(ax, unit, 0, 7, c.soft, 8)
    ax.annotate(
        origin_text(data), (data.time[-1], 1), (0, 7), xycoords=("data", "axes fraction"), ha="center",
        textcoords="offset points", color=c.accent, fontsize=8, fontweight="bold", annotation_clip=False,
    )  # fmt: skip
    if data.notes:
        ax.set_xlabel(shorten(" · ".join(data.notes), 820).replace("$", r"\$"), loc="left", color=c.soft, fontsize=7.5)
    if known:
        lifted = ax.transAxes + ScaledTranslation(0, 25 / 72, ax.figure.dpi_scale_trans)
        ax.legend(
            loc="lower right", bbox_to_anchor=(1, 1), bbox_transform=lifted, ncols=6, frameon=False, fontsize=8,
            labelcolor=c.soft, handlelength=1.3, columnspacing=1.2, borderaxespad=0, borderpad=0,
        )  # fmt: skip


def _beside(ax: "Axes", text: str, x: float, up: float, colour: str, size: float) -> None:
    ax.annotate(
        text, (x, 1), (0, up), xycoords="axes fraction", textcoords="offset points", color=colour, fontsize=size
    )  # fmt: skip
