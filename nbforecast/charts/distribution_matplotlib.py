"""The distribution of one number with matplotlib."""

from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.charts.theme import LIGHT
from nbforecast.errors import MissingExtra
from nbforecast.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_distribution_on_axes(
    title: str, values: np.ndarray, interval: np.ndarray, median: float, actual: float, ax: "Axes | None" = None
) -> "Axes":
    """Draw a histogram of equally likely values, with the 80 % interval, the median and the outcome.

    Args:
        title: What the number is.
        values: Shape (n,), equally likely values; infinite ones are counted in the label of the axis.
        interval: Shape (2,), the ends of the 80 % interval.
        median: The median.
        actual: The outcome; NaN where it is not known.
        ax: Existing axes; None makes a new figure.

    Returns:
        The axes.

    Raises:
        MissingExtra: If matplotlib is not installed.
    """
    if ax is None:
        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise MissingExtra("drawing on axes needs matplotlib: pip install matplotlib") from error
        _, ax = pyplot.subplots(figsize=(6.4, 2.8), layout="constrained")
    finite = values[np.isfinite(values)]
    edges = _edges(finite)
    shares = np.histogram(finite, edges)[0] / max(len(values), 1)
    is_inside = (edges[1:] > interval[0]) & (edges[:-1] < interval[1])
    colors: list[Any] = [LIGHT.band(2 if inside else 0, 3) for inside in is_inside]
    ax.bar(edges[:-1], shares, np.diff(edges) * 0.94, align="edge", color=colors)
    marks = [("median", median, LIGHT.median, "-"), ("observed", actual, LIGHT.ink, "--")]
    for name, value, color, style in marks:
        if np.isfinite(value):
            ax.axvline(value, color=color, ls=style, lw=1.6, label=f"{name} {number(value)}")
    ax.legend(frameon=False, fontsize="small")
    ax.set_title(title.replace("$", r"\$"), loc="left", fontsize="medium")
    never = len(values) - len(finite)
    ax.set_xlabel(f"never: {never / len(values):.0%}" if never else "")
    ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _edges(values: np.ndarray) -> np.ndarray:
    """The edges of some twenty bars: around each whole number where there are few of them."""
    if not len(values):
        return np.array([0.0, 1.0])
    low, high = float(values.min()), float(values.max())
    if high - low <= 24 and (values == np.rint(values)).all():
        return np.arange(low - 0.5, high + 1)
    return np.linspace(low, high, 21)
