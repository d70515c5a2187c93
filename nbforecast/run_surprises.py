"""The observations of a run that its forecasts made improbable, and times at which these stopped fitting (A1, A2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from nbforecast.charts import OddPoint
from nbforecast.run_results import RunResults
from nbforecast.surprises.detector import SurpriseDetector

if TYPE_CHECKING:
    from nbforecast.data import DataWarning


class RunSurprises(RunResults):
    """A run's results, and how they compare with what was observed."""

    _detector: tuple[tuple[str, int], SurpriseDetector] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """The data and the results so far; what is derived from them is derived anew."""
        return {**super().__getstate__(), "_detector": None}

    def surprises(self, rate: float = 0.01) -> pl.DataFrame:
        """The observations that their forecasts made improbable, with a stated share of false alarms (A1).

        An observation is compared with the forecasts made 1 to H steps before. Its p-value is the share of past
        observations of its series, and itself, that were at least as odd: on average `rate` of ordinary observations
        are named, whatever the model. Equal values count as at least as odd, so ties only lower that share. All is as
        of the time of the observation; what comes later decides `kind` and `known_at`, which begin as null, and
        changes nothing else. Missing data are surprises where gaps begin that seldom. The call waits for the run.

        Args:
            rate: The share of ordinary observations that are named nonetheless. A rate needs 1 / rate - 1 past
                observations with forecasts. Where a series has fewer, none of it is named, and `surprise_warnings`
                says so.

        Returns:
            A DataFrame with a row per surprise, ascending in series and time. unique_id; ds, index and y of the
            observation, or of the first missing one of a gap, where y is null. lead is the longest horizon in steps at
            which it was already odd; expected the median of the forecast of that lead, lo and hi the ends of the band
            beyond which an observation is odd at the rate; all null for a gap. p is the p-value. kind is "spike" (back
            within a season), "level shift", "spread", "rhythm" (the pattern of the season is missing) or "missing";
            known_at is the time at which that was decided, a season after the event began. Surprises at most a horizon
            apart, and a season in all, have the same number of an event.

        Raises:
            OptionError: `rate` is no probability.

        Example:
            >>> run.surprises(0.001).select("ds", "y", "expected", "p", "lead", "kind")

        Source:
            Conformal p-values by Vovk, Gammerman & Shafer (2005), "Algorithmic learning in a random world".
        """
        return self._detect().table(rate)

    def surprise_warnings(self, rate: float = 0.01) -> tuple[DataWarning, ...]:
        """Which series have too short a past to tell surprises at a rate, and where equal errors keep them below it.

        Args:
            rate: The rate that `surprises` is asked for.

        Returns:
            A warning for each cause, with the number of series and a sentence; empty where all series have surprises.

        Raises:
            OptionError: `rate` is no probability.

        Example:
            >>> [warning.flag for warning in run.surprise_warnings(0.001)]
            ['too_short_for_rate']
        """
        return self._detect().warnings(rate)

    def changes(self, rate: float = 0.0001) -> pl.DataFrame:
        """The times at which a series stopped behaving as forecast (A2).

        A test process bets against errors of one step, which do not overlap, in means of 12 steps. After an alarm it
        begins anew: a new regime is learned. The first 240 known errors of a regime are learned without an alarm, so
        shorter series have no changes, as `change_warnings` says. All is as of the time of the alarm. The call waits
        for the run.

        Args:
            rate: False alarms per step of a series, at most on average: 0.0001 is one in 10,000 steps or more.

        Returns:
            A DataFrame with a row per change, ascending in series and time: unique_id; ds and index of the alarm;
            since, the estimated time at which the change began; direction, "up" or "down" of the observations beside
            their forecasts, "wider" or "narrower" of the errors; evidence, what bets with a stake of 1 per mean have
            gained, at least 1 / (12 * rate).

        Raises:
            OptionError: `rate` is no probability.

        Example:
            >>> run.changes().select("ds", "since", "direction")

        Source:
            Vovk, Petej, Nouretdinov, Ahlberg, Carlsson & Gammerman (2021), "Retrain or not retrain: conformal test
            martingales for change-point detection".
        """
        return self._detect().changes(rate)

    @property
    def has_surprises(self) -> bool:
        """Whether they have been found for the results as they are, so that charts can mark them."""
        return self._detector is not None and self._detector[0] == self.revision

    def odd_points(self, rows: slice) -> tuple[OddPoint, ...]:
        """The odd observations in the history of a chart, at a rate of 1 % and as of its last row.

        Args:
            rows: Neighbouring rows of one series.
        """
        position, index = self.data.locate(rows.stop - 1)
        first = index - (rows.stop - 1 - rows.start)
        table = self.surprises().filter(
            pl.col("unique_id") == self.data.ids[position], pl.col("index").is_between(first, index)
        )
        time = self.data.times(self.data.time[[rows.stop - 1]])
        is_decided = table["known_at"] <= time.item() if len(table) else []
        points = zip(
            table["index"], table["kind"], is_decided, (table["y"] < table["expected"]).fill_null(False), strict=True
        )
        return tuple(OddPoint(at - first, kind if known else None, low) for at, kind, known, low in points)

    def change_warnings(self) -> tuple[DataWarning, ...]:
        """Which series are too short for `changes`.

        Returns:
            A warning with the number of series and a sentence; empty where all series are long enough.

        Example:
            >>> len(run.change_warnings())
            0
        """
        return self._detect().change_warnings()

    def _detect(self) -> SurpriseDetector:
        """What compares observations with forecasts; that of before, and what it holds, while nothing changes."""
        self.wait()
        if self._detector is None or self._detector[0] != self.revision:
            self._detector = self.revision, SurpriseDetector(self._slice)
        return self._detector[1]
