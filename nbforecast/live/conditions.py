"""What a monitor waits for: a forecast beyond a limit, or an observation that was improbable."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float64, Int64

from nbforecast.data.span import horizon_part, parse_span
from nbforecast.errors import OptionError, OriginUnavailable
from nbforecast.safe_text import brief_repr
from nbforecast.surprises.detector import SurpriseDetector
from nbforecast.text import brief_number, option, percent

if TYPE_CHECKING:
    import datetime as dt

    from nbforecast.data import Dataset
    from nbforecast.run import Run

Kind = Literal["above", "below", "surprise"]


@dataclass(frozen=True)
class Condition:
    """A condition that holds at an origin or does not.

    Attributes:
        kind: "above" and "below": the forecast has a value beyond the limit at some step, with at least a probability.
            "surprise": the observation was at most so probable.
        limit: The limit in the data's unit; the rate of a surprise.
        within: The part of the horizon: a number of steps or a span; None is all of it.
        probability: The probability from which on the condition holds; 0 for a surprise.
    """

    kind: Kind
    limit: float
    within: int | str | dt.timedelta | None = None
    probability: float = 0.0

    @classmethod
    def from_options(
        cls, above: float | None, below: float | None, surprise: float | None, within: Any, probability: float | None
    ) -> Condition:
        """The condition that options describe.

        Raises:
            OptionError: They describe none, several, or an impossible one.
        """
        given = [(name, x) for name, x in (("above", above), ("below", below), ("surprise", surprise)) if x is not None]
        if len(given) != 1:
            names = f"{option('above')}, {option('below')} or {option('surprise')}"
            raise OptionError(f"A condition takes one of {names}; for several, state several conditions.")
        kind, limit = given[0]
        if isinstance(limit, bool) or not isinstance(limit, (int, float, np.number)) or not isfinite(limit):
            raise OptionError(f"{option(kind)} takes a number, not {brief_repr(limit)}.")
        if kind == "surprise":
            if within is not None or probability is not None:
                raise OptionError(f"{option('within')} and {option('probability')} are not for {option('surprise')}.")
            if not 0 < limit < 1:
                raise OptionError(f"{option('surprise')} takes a rate between 0 and 1, such as 0.001, not {limit!r}.")
            return cls("surprise", float(limit))
        probability = 0.5 if probability is None else probability
        if isinstance(probability, bool) or not isinstance(probability, (int, float)) or not 0 < probability <= 1:
            raise OptionError(
                f"{option('probability')} takes a share above 0 and up to 1, not {brief_repr(probability)}."
            )
        if within is not None:
            parse_span(within, "within")
        return cls(kind, float(limit), within, float(probability))  # type: ignore[arg-type]

    def __str__(self) -> str:
        if self.kind == "surprise":
            return f"surprise at a rate of {brief_number(self.limit)}"
        span = "" if self.within is None else f" within {self.within}{' steps' if isinstance(self.within, int) else ''}"
        least = percent(self.probability, 0)
        return f"{self.kind} {brief_number(self.limit)}{span} with a probability of {least} or more"

    def check(self, data: Dataset, horizon: int) -> None:
        """Raise `OptionError` if the condition reaches beyond the horizon of a forecast."""
        if self.kind != "surprise":
            horizon_part(self.within, horizon, data.frequency)

    def measure(self, run: Run, rows: Int64[np.ndarray, " R"]) -> Float64[np.ndarray, " R"]:
        """Measure how probable it is what the condition is about, at some origins.

        Args:
            run: The run.
            rows: (R,) ascending rows of its data.

        Returns:
            (R,) The probability that the limit is passed; of a surprise the p-value of the observation. NaN where it is
            not known.
        """
        if self.kind == "surprise":
            return newest_p_values(run, rows)
        run.joint_forecasts(rows[run.reasons[rows] == 0])  # those that are missing are inferred together
        return np.array([self._probability(run, row) for row in rows.tolist()])

    def holds(self, measure: float) -> bool | None:
        """Whether the condition holds by what `measure` has returned; None where that is not known."""
        if not isfinite(measure):
            return None
        return measure <= self.limit if self.kind == "surprise" else measure >= self.probability

    def _probability(self, run: Run, row: int) -> float:
        try:
            forecast = run.forecast_at(row)
        except OriginUnavailable:
            return nan
        if self.kind == "above":
            return forecast.any_above(self.limit, self.within)
        return forecast.any_below(self.limit, self.within)


def newest_p_values(run: Run, rows: Int64[np.ndarray, " R"]) -> Float64[np.ndarray, " R"]:
    """The p-values of observations near the end of their series, as a look back would have them (A1).

    Args:
        run: The run. Where forecasts of the past are missing that a p-value depends on, it is waited for.
        rows: (R,) the rows of the observations.
    """
    data, part = run.data, run.entry_slice
    values, detector = np.full(len(rows), np.nan), SurpriseDetector(part)
    series = np.searchsorted(data.offsets, rows, side="right") - 1
    for number in np.unique(series).tolist():
        own, end = np.flatnonzero(series == number), int(data.offsets[number + 1])
        count = end - int(rows[own].min())
        pending = part.pending_rows()
        if ((pending >= data.offsets[number]) & (pending < end - 1)).any():
            run.wait()
        newest = detector.newest_p(count, number)
        values[own] = newest[rows[own] - (end - count)]
    return values
