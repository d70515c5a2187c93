"""The distribution of a number that belongs to a whole path: a sum, an extreme, the time of an event (J2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from nbforecast import charts
from nbforecast.checks import check_coverages, check_limit, check_probabilities
from nbforecast.errors import OptionError
from nbforecast.scoring.origin_scores import draw_levels, quantiles
from nbforecast.scoring.pit import cumulative_probability
from nbforecast.text import distinct_numbers, number, percent, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

_DRAWN = 200  # equally likely values that a histogram counts


class PathDistribution:
    """The forecast of one number, such as the total of the next 28 days. `Forecast.total` and its kind return it.

    Attributes:
        name: What the number is, in words.
        values: float64 (K,), ascending, in the unit of the data: value k is the quantile at `levels[k]`.
        levels: The K probability levels of the values.
        actual: What the number was; NaN where it is not known.
        is_count: Whether the number is a number of steps.
        is_calibrated: Whether past errors of the same number have moved the quantiles.
        limits: The least and the largest number that the bounds of the forecast allow; infinite without bounds.
        notes: What the distribution rests on, in words.

    Example:
        >>> total = nbf.quickdraw(df, -24, model="naive").forecast.total()
        >>> total.interval(80).shape, round(total.probability(above=100_000), 2) <= 1
        ((2,), True)
    """

    def __init__(
        self,
        name: str,
        values: Float64[np.ndarray, " K"],
        levels: tuple[float, ...],
        actual: float = float("nan"),
        *,
        is_count: bool = False,
        is_calibrated: bool = False,
        limits: tuple[float, float] = (-np.inf, np.inf),
        notes: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.values = values
        self.levels = levels
        self.actual = actual
        self.is_count = is_count
        self.is_calibrated = is_calibrated
        self.limits = limits
        self.notes = notes

    @property
    def median(self) -> float:
        """The median."""
        return float(self.quantile(0.5))

    def quantile(self, q: float | Sequence[float]) -> Any:
        """Quantiles.

        Args:
            q: One probability, or several, each between 0 and 1.

        Returns:
            A number for one probability, float64 (K,) for several. Of a number of steps, the least whose probability is
            at least `q`.

        Raises:
            OptionError: A probability is not between 0 and 1.

        Example:
            >>> total.quantile([0.1, 0.5, 0.9])
        """
        is_one = np.ndim(q) == 0
        probabilities = tuple(map(float, [q] if is_one else q))  # type: ignore[arg-type]
        check_probabilities(probabilities, "quantile()")
        if self.is_count:
            places = np.minimum(np.ceil(np.array(probabilities) * len(self.values)).astype(int), len(self.values)) - 1
            result = self.values[places]
        else:
            result = np.clip(quantiles(self.values, self.levels, probabilities), *self.limits)
        return float(result[0]) if is_one else result

    def interval(self, coverage: float) -> Float64[np.ndarray, " 2"]:
        """The central prediction interval.

        Args:
            coverage: Coverage in per cent, above 1 and below 100: 80 for the 80 % interval.

        Returns:
            float64 (2,), lower and upper end.

        Raises:
            OptionError: The coverage is not between 1 and 100.

        Example:
            >>> low, high = total.interval(80)
        """
        check_coverages([coverage], "interval()")
        tail = (100 - coverage) / 200
        return np.asarray(self.quantile((tail, 1 - tail)))

    def probability(
        self, *, above: float | None = None, below: float | None = None, up_to: float | None = None
    ) -> float:
        """The probability that the number lies above a limit, below one, or between two.

        Args:
            above: The number is larger than this.
            below: The number is smaller than this.
            up_to: The number is no larger than this, in place of `below`.

        Returns:
            A probability from 0 to 1.

        Raises:
            OptionError: No limit is named, or both `below` and `up_to`, or one that is no number.

        Example:
            >>> total.probability(above=100_000, below=120_000)
        """
        if (above is None and below is None and up_to is None) or (below is not None and up_to is not None):
            raise OptionError("probability() takes above=, below= or up_to=, or above= with one of the other two.")
        for limit in (above, below, up_to):
            if limit is not None:
                check_limit(limit, "probability()")
        upper = 1.0 if below is None and up_to is None else 0.0
        if below is not None:
            upper = self._cumulative(below)[0]
        if up_to is not None:
            upper = self._cumulative(up_to)[1]
        return max(0.0, upper - (0.0 if above is None else self._cumulative(above)[1]))

    def plot(self, ax: Any = None) -> Any:
        """Draw the distribution with matplotlib: the probability of each value, the median and the 80 % interval.

        Args:
            ax: Axes to draw on; None makes a figure.

        Returns:
            The matplotlib axes.

        Example:
            >>> axes = total.plot()
        """
        values = self.values if self.is_count else self.quantile(draw_levels(None, _DRAWN))
        title = self.name[:1].upper() + self.name[1:]
        shown = _count if self.is_count else number
        marks = {
            f"{name} {'' if np.isnan(value) else shown(value)}": value
            for name, value in (("median", self.median), ("observed", self.actual))
        }
        return charts.draw_distribution_on_axes(title, values, self.interval(80), marks, ax, counts=self.is_count)

    def _cumulative(self, limit: float) -> tuple[float, float]:
        """The probability of less than a limit, and of no more than it."""
        if self.is_count:
            return float((self.values < limit).mean()), float((self.values <= limit).mean())
        below_limits, up_to_limits = limit <= self.limits[0], limit >= self.limits[1]
        probability = cumulative_probability(
            self.values[None].astype(np.float32), self.levels, np.array([float(limit)])
        )
        low, high = float(probability.below[0]), float(probability.up_to[0])
        return 0.0 if below_limits else low, 1.0 if up_to_limits else high

    def __repr__(self) -> str:
        low, high = self.interval(80)
        if self.is_count:
            never = self.probability(above=np.finfo(float).max)
            text = f"median {_count(self.median)}, 80 % interval {_count(low)} to {_count(high)}"
            text += f", never with probability {percent(never, 0)}" if never else ""
        else:
            shown = distinct_numbers([self.median, float(low), float(high)])
            text = f"median {shown[0]}, 80 % interval {shown[1]} to {shown[2]}"
        observed = ""
        if not np.isnan(self.actual):
            observed = f", observed {_count(self.actual) if self.is_count else number(self.actual)}"
        notes = "".join(f"\n  {note}" for note in self.notes)
        return f"{self.name}: {text}{observed}{notes}"


def _count(steps: float) -> str:
    return "never" if np.isinf(steps) else plural(int(steps), "step")
