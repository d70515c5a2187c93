"""The distribution of one number with matplotlib."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.charts.theme import LIGHT
from nbforecast.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_TICKS = 16  # of whole numbers, each of which has one


def draw_distribution_on_axes(
    title: str,
    values: np.ndarray,
    interval: np.ndarray,
    marks: Mapping[str, float],
    ax: "Axes | None" = None,
    *,
    counts: bool = False,
) -> "Axes":
    """Draw a histogram of equally likely values, the 80 % interval darker, and lines at the median and the outcome.

    Args:
        title: What the number is.
        values: Shape (n,), equally likely values; infinite ones are counted in the label of the axis.
        interval: Shape (2,), the ends of the 80 % interval.
        marks: The median and the outcome by their labels; NaN where one is not known.
        ax: Existing axes; None makes a new figure.
        counts: Whether the values are whole numbers.

    Returns:
        The axes.

    Raises:
        MissingExtra: If matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise MissingExtra("drawing on axes needs matplotlib: pip install matplotlib") from error
    if ax is None:
        _, ax = pyplot.subplots(figsize=(6.4, 2.8), layout="constrained")
    finite = values[np.isfinite(values)]
    edges = _edges(finite, counts=counts)
    shares = np.histogram(finite, edges)[0] / max(len(values), 1)
    is_inside = (edges[1:] > interval[0]) & (edges[:-1] < interval[1])
    colors: list[Any] = [LIGHT.band(2 if inside else 0, 3) for inside in is_inside]
    ax.bar(edges[:-1], shares, np.diff(edges) * 0.94, align="edge", color=colors)
    looks: list[tuple[str, Any]] = [(LIGHT.median, "-"), (LIGHT.ink, "--")]
    for (name, value), (color, style) in zip(marks.items(), looks, strict=True):
        if np.isfinite(value):
            ax.axvline(value, color=color, ls=style, lw=1.6, label=name)
    ax.legend(frameon=False, fontsize="small", labelcolor=LIGHT.soft)
    ax.set_title(title.replace("$", r"\$"), loc="left", fontsize="medium", color=LIGHT.ink, fontweight="bold")
    never = len(values) - len(finite)
    ax.set_xlabel(f"never: {never / len(values):.0%}" if never else "")
    ax.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g} %")
    if counts and len(edges) <= _MOST_TICKS:
        ax.set_xticks((edges[:-1] + edges[1:]) / 2)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(8, integer=counts))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(LIGHT.rule)
    ax.grid(axis="y", color=LIGHT.grid, lw=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(colors=LIGHT.soft, length=0, pad=5)
    return ax


def _edges(values: np.ndarray, *, counts: bool) -> np.ndarray:
    """The edges of some twenty bars: around whole numbers where the values are such."""
    if not len(values):
        return np.array([0.0, 1.0])
    low, high = float(values.min()), float(values.max())
    if counts:
        every = max(1, int((high - low) // 24) + 1)
        return np.arange(low - 0.5, high + every, every)
    return np.linspace(low, high, 21)
