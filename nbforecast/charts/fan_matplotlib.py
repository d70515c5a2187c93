"""The same chart with matplotlib, for those who go on drawing on it or save a PNG or PDF."""

from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.charts.density import LEVELS, runs
from nbforecast.charts.description import origin_text
from nbforecast.charts.fan_data import Density, FanData

# The SVG's layout decides here too what is written and where there is room for it, so that both look alike.
from nbforecast.charts.fan_svg import Style, _plan, _subtitle
from nbforecast.charts.geometry import value_range
from nbforecast.charts.labels import shorten, text_width, wrap
from nbforecast.charts.theme import LIGHT
from nbforecast.charts.ticks import DAY, TimeTick, ValueAxis, find_zone, time_ticks, value_axis
from nbforecast.errors import MissingExtra, OptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 860, 340  # of a figure of its own, in the SVG's pixels, a hundred to the inch
_PT = 0.72  # points a pixel
_MARGIN = 0.012  # of the time axis, on either side: half a dot


def draw(data: FanData, ax: "Axes | None" = None, style: Style = "bands") -> "Axes":
    """Draw the forecast on `ax`, or on a new figure of pyplot's, which notebooks show (`.figure` of the axes returned).

    Axes that are given get a title, the curves and the axes' labels; only a figure of its own has all around it.
    """
    _check(style)
    if ax is not None:
        _paint(data, ax, style)
        _dress_given(ax, data)
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise _missing() from error
    return _fill(pyplot.figure(figsize=(_WIDTH / 100, _HEIGHT / 100), layout="constrained"), data, style)


def figure(data: FanData, style: Style = "bands") -> "Figure":
    """The forecast on a figure that pyplot does not know, hence neither shows nor keeps: for saving."""
    _check(style)
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise _missing() from error
    made = Figure(figsize=(_WIDTH / 100, _HEIGHT / 100), dpi=144, layout="constrained")
    _fill(made, data, style)
    return made


def _check(style: str) -> None:
    if style not in ("bands", "density"):
        raise OptionError(f"style is bands or density, not {style!r}")


def _missing() -> MissingExtra:
    return MissingExtra("drawing on axes needs matplotlib: pip install matplotlib")


def _plain(text: str) -> str:
    """Matplotlib reads dollar signs as mathematics, and these texts come from data."""
    return text.replace("$", r"\$")


def _fill(made: "Figure", data: FanData, style: Style) -> "Axes":
    made.set_facecolor(LIGHT.bg)
    ax = made.add_subplot()
    _paint(data, ax, style)
    _dress_own(ax, data, style)
    return ax


def _paint(data: FanData, ax: "Axes", style: Style) -> None:
    """What is the forecast itself, and both axes."""
    from matplotlib.transforms import Bbox, TransformedBbox

    c, count = LIGHT, len(data.bands)
    dense = data.density if style == "density" else None
    shared = [*ax.get_shared_x_axes().get_siblings(ax), *ax.get_shared_y_axes().get_siblings(ax)]
    alone = not any(other.has_data() for other in shared)
    seen = np.flatnonzero(np.isfinite(data.values))
    opens = seen[-1:] if len(seen) and len(data.values) - 1 - seen[-1] <= 3 else seen[:0]
    ahead = np.concatenate([data.time[opens], data.future])
    root = data.values[opens]
    ax.plot(data.time, data.values, color=c.ink, lw=1.2, zorder=3)
    if dense is not None:
        _columns(ax, data, dense)
    else:
        for rank, band in enumerate(data.bands):
            low, high = np.concatenate([root, band.low]), np.concatenate([root, band.high])
            ax.fill_between(ahead, low, high, color=c.band(rank, count), lw=0, label=f"{band.coverage} %", zorder=2)
    before = np.isfinite(np.concatenate([[np.nan], data.values[:-1]]))
    lone = ~before & ~np.isfinite(np.append(data.values[1:], np.nan))
    dots = ax.plot(data.time[lone], data.values[lone], ".", color=c.ink, ms=3.5, zorder=3)
    known = np.flatnonzero(np.isfinite(data.median))
    if len(known):
        ax.plot(ahead, np.concatenate([root, data.median]), color=c.median, lw=1.7, zorder=4, label="median")
        last = known[-1:]
        dots += ax.plot(data.future[last], data.median[last], "o", color=c.median, ms=5.5, mec=c.bg, zorder=6)
    if np.isfinite(data.actual).any():
        dots += ax.plot(
            data.future, data.actual, color=c.ink, lw=0.8, alpha=0.8, zorder=5, marker="o", ms=3.4, mew=0.9,
            mfc=c.bg, label="observed", markevery=max(1, len(data.future) // 60),
        )  # fmt: skip
    ax.axvline(data.time[-1], color=c.accent, lw=1, zorder=2.5)
    dots += ax.plot(data.time[seen[-1:]], data.values[seen[-1:]], "o", color=c.accent, ms=6, mec=c.bg, zorder=6)
    # Dots at the border stay whole; those that zooming takes out of the axes are gone all the same.
    around = TransformedBbox(Bbox([[-0.02, -0.04], [1.02, 1.04]]), ax.transAxes)
    for dot in dots:
        dot.set_clip_path(None)
        dot.set_clip_box(around)
    ax.margins(x=_MARGIN, y=0.06)
    if alone:
        # As in the SVG, until something else is drawn: `auto=None` leaves automatic limits on.
        ax.set_ylim(*value_range(data, dense), auto=None)
    _axes(ax)


def _columns(ax: "Axes", data: FanData, density: Density) -> None:
    """Cells a step, each level on top of those below; their edges hide the seams between them."""
    from matplotlib import dates
    from matplotlib.collections import PolyCollection

    made: Any = dates  # its functions have no types
    at = made.date2num(data.future) if data.calendar else data.future.astype(np.float64)
    step = data.step / DAY if data.calendar else float(data.step)
    every = max(1, len(at) // 96)
    shown = np.arange((len(at) - 1) % every, len(at), every)
    middle = (at[shown][1:] + at[shown][:-1]) / 2
    edges = np.concatenate([[at[shown[0]] - step * every / 2], middle, [at[shown[-1]] + step * every / 2]])
    for rank, (row, low, high) in enumerate(runs(density)):
        kept = (row - shown[0]) % every == 0
        cell = (row[kept] - shown[0]) // every
        left, right, bottom, top = edges[cell], edges[cell + 1], low[kept], high[kept]
        corners: Any = np.stack([left, bottom, right, bottom, right, top, left, top], axis=-1).reshape(-1, 4, 2)
        tint = LIGHT.level(rank, len(LEVELS))
        ax.add_collection(PolyCollection(corners, facecolors=tint, edgecolors="face", linewidths=0.4, zorder=2))


def _axes(ax: "Axes") -> None:
    """Grid and rules, as quiet as in the SVG."""
    c = LIGHT
    ax.set_facecolor(c.bg)
    ax.spines[["left", "right", "top"]].set_visible(False)
    ax.spines["bottom"].set_color(c.rule)
    ax.grid(axis="y", color=c.grid, lw=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(axis="both", colors=c.soft, labelsize=11 * _PT, length=0, pad=5)
    ax.tick_params(axis="x", length=3, color=c.rule)


def _locate(ax: "Axes", data: FanData, *, lines: int) -> None:
    """Ticks that follow the limits, where `ticks` puts them in the SVG; dates on one line or on two."""
    from matplotlib import dates, ticker

    made: Any = dates
    kinds: Any = ticker
    origin = float(made.date2num(np.datetime64(0, "us"))) if data.calendar else 0.0
    unit = DAY if data.calendar else 1

    def pixels() -> tuple[float, float]:
        box = ax.get_window_extent()
        return box.width / ax.figure.dpi * 100, box.height / ax.figure.dpi * 100

    def times() -> tuple[TimeTick, ...]:
        low, high = sorted(ax.get_xlim())
        start, stop = round(np.ceil((low - origin) * unit)), round(np.floor((high - origin) * unit))
        wide = pixels()[0]
        # Matplotlib centres labels on their ticks, hence no bound that would move them.
        return time_ticks(start, stop, wide, calendar=data.calendar, zone=find_zone(data.zone), overhang=wide)

    def values() -> ValueAxis:
        low, high = sorted(ax.get_ylim())
        return value_axis(low, high, max(pixels()[1] / 46, 2))

    class Times(kinds.Locator):  # type: ignore[misc]
        def __call__(self) -> list[float]:
            return [tick.at / unit + origin for tick in times()]

    class Words(kinds.Formatter):  # type: ignore[misc]
        def __call__(self, value: float, pos: int | None = None) -> str:
            return str(made.num2date(value).strftime("%Y-%m-%d %H:%M")) if data.calendar else f"{value:g}"

        def format_ticks(self, values: Any) -> list[str]:
            ticks = times()
            rows = lines if any(tick.under for tick in ticks) else 1
            known = {tick.at: _words(tick, rows) for tick in ticks}
            return [known.get(round((float(value) - origin) * unit), "") for value in values]

    class Values(kinds.Locator):  # type: ignore[misc]
        def __call__(self) -> tuple[float, ...]:
            return values().at

    ax.xaxis.set_major_locator(Times())
    ax.xaxis.set_major_formatter(Words())
    ax.yaxis.set_major_locator(Values())
    ax.yaxis.set_major_formatter(lambda value, _: values().ticks(value))


def _words(tick: TimeTick, lines: int) -> str:
    if lines > 1:
        return f"{tick.label}\n{tick.under or ' '}"  # of two lines each, so that the first ones are level
    # On one line a new day or year stands in place of its first tick.
    if not tick.under or tick.label not in ("00:00", "Jan"):
        return tick.label
    day, _, year = tick.under.rpartition(" ")
    return day if day and len(year) == 4 else tick.under


def _dress_given(ax: "Axes", data: FanData) -> None:
    """Nothing outside of what axes have room for: other axes may be close by."""
    _locate(ax, data, lines=1)
    # Close to the axes, for the room that plt.subplots leaves between two of them by default.
    ax.tick_params(axis="x", length=2, pad=2)
    wide, tall = (side / ax.figure.dpi * 100 for side in ax.get_window_extent().size)
    full = f"{data.title} · {origin_text(data)}"
    title = shorten(full if text_width(full, 12, bold=True) <= wide else data.title, wide, 12, bold=True)
    ax.set_title(_plain(title), loc="left", color=LIGHT.ink, fontsize=12 * _PT, fontweight="bold", pad=3)
    if ax.yaxis.get_tick_params().get("labelleft", True):  # not so where axes to the left share theirs
        ax.set_ylabel(_plain(shorten(data.target, tall)), color=LIGHT.soft, fontsize=11 * _PT)


def _dress_own(ax: "Axes", data: FanData, style: Style) -> None:
    """Title, legend, labels and notes around axes that have the figure to themselves."""
    from matplotlib.transforms import ScaledTranslation

    c = LIGHT
    _locate(ax, data, lines=2)
    style = "bands" if data.density is None else style
    plan = _plan(data, style, _WIDTH, _HEIGHT)
    inner, beside = _WIDTH - 32, plan.key_y < 50
    row = 0.0 if beside else 15.0  # points that a legend on a line of its own takes
    title, second = shorten(data.title, inner, 15, bold=True), shorten(_subtitle(data), inner - 20, 12)
    ax.set_title(_plain(title), loc="left", color=c.ink, fontsize=15 * _PT, fontweight="bold", pad=42 + row)
    _above(ax, second, 28 + row, 12 * _PT)
    origin = origin_text(data)
    wide = text_width(origin, 11, bold=True)
    unit = shorten(data.target, max(min(inner - wide - 16, 0.5 * _WIDTH), 30))
    _above(ax, unit, 7, 11 * _PT)
    at = float(plan.frame.x(data.clock[0][-1:])[0]) / 10
    least = plan.frame.left + (text_width(unit) + 12 if unit else 0) + wide / 2
    shift = max(min(at, _WIDTH - 16 - wide / 2), least) - at
    ax.annotate(
        origin, (data.time[-1], 1), (shift * _PT, 7), xycoords=("data", "axes fraction"), ha="center",
        textcoords="offset points", color=c.accent, fontsize=11 * _PT, fontweight="bold", annotation_clip=False,
    )  # fmt: skip
    for value, label, kind in plan.ends:
        ax.annotate(
            label, (1, value), (5, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center",
            color=c.median if kind else c.soft, fontsize=(13 if kind else 11) * _PT,
            fontweight="bold" if kind else "normal", annotation_clip=True,
        )  # fmt: skip
    if plan.notes:
        lines = wrap(" ".join(plan.notes), plan.frame.right - plan.frame.left, 11, 2)
        ax.set_xlabel(_plain("\n".join(lines)), loc="left", color=c.soft, fontsize=10.5 * _PT, linespacing=1.4)
    _legend(ax, style, ax.transAxes + ScaledTranslation(0, 25 / 72, ax.figure.dpi_scale_trans), beside=beside)


def _legend(ax: "Axes", style: Style, lifted: Any, *, beside: bool) -> None:
    from matplotlib.legend_handler import HandlerTuple
    from matplotlib.patches import Patch

    marks, labels = ax.get_legend_handles_labels()
    if style == "density" and "median" in labels:
        tints: Any = tuple(Patch(color=LIGHT.level(rank, len(LEVELS)), lw=0) for rank in range(len(LEVELS)))
        at = labels.index("median") + 1
        marks.insert(at, tints)
        labels.insert(at, "density")
    if marks:
        ax.legend(
            marks, labels, loc="lower right" if beside else "lower left", bbox_to_anchor=(1 if beside else 0, 1),
            bbox_transform=lifted, ncols=8, frameon=False, fontsize=11 * _PT, labelcolor=LIGHT.soft, handlelength=1.6,
            handletextpad=0.5, columnspacing=1.2, borderaxespad=0, borderpad=0,
            handler_map={tuple: HandlerTuple(ndivide=None, pad=0)},
        )  # fmt: skip


def _above(ax: "Axes", text: str, up: float, size: float) -> None:
    ax.annotate(
        _plain(text), (0, 1), (0, up), xycoords="axes fraction", textcoords="offset points", color=LIGHT.soft,
        fontsize=size, annotation_clip=False,
    )  # fmt: skip
