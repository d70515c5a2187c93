"""What the results of a run say of its observations: p-values, surprises and what is too little to tell."""

from __future__ import annotations

from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Float64

from nbforecast.checks import check_probabilities
from nbforecast.data.dataset import DataWarning
from nbforecast.scoring.origin_scores import quantiles
from nbforecast.surprises.lead_scores import SIDES, LeadScores, lead_scores, score_rows
from nbforecast.surprises.p_values import P_ROWS, PValues, p_values
from nbforecast.surprises.table import event_numbers, longest_leads, surprise_bands, tabulate
from nbforecast.text import percent, plural

if TYPE_CHECKING:
    import polars as pl

    from nbforecast.result_cache.entry_slice import EntrySlice

_PIECE = 1 << 16  # draws that are read at once


class SurpriseDetector:
    """Compares the observations of a dataset with the forecasts that an entry holds.

    Attributes:
        part: The results. All of them are there.
    """

    def __init__(self, part: EntrySlice) -> None:
        self.part = part
        self._values: dict[float, PValues] = {}

    @property
    def _season(self) -> int:
        """The shortest season of the data in steps, 0 if there is none."""
        return next(iter(self.part.data.frequency.seasons), 0)

    @cached_property
    def _scores(self) -> LeadScores:
        data = self.part.data
        return lead_scores(self._read_sides(0, len(data)), data.values, data.offsets, data.steps(), self._season)

    def _read_sides(self, start: int, end: int) -> Float32[np.ndarray, "3 H n"]:
        """Of the forecasts from some neighbouring rows the quantiles that scores rest on."""
        part = self.part
        draws = part.array() if part.entry.complete and end - start == len(part) else None
        sides = np.empty((len(SIDES), part.spec.horizon, end - start), np.float32)
        count = max(_PIECE // (part.spec.horizon * len(part.spec.levels)), 1)
        for first in range(start, end, count):
            rows = slice(first, min(first + count, end))
            piece = part.take("forecast", np.arange(rows.start, rows.stop)) if draws is None else draws[rows]
            sides[..., first - start : rows.stop - start] = quantiles(piece, part.spec.levels, SIDES).transpose(2, 1, 0)
        return sides

    def p_values(self, rate: float) -> PValues:
        """The p-value of every observation.

        Args:
            rate: The rate of the limits that go with them.

        Raises:
            OptionError: `rate` is no probability.
        """
        check_probabilities([rate], "rate")
        if rate not in self._values:
            data = self.part.data
            self._values[rate] = p_values(self._scores.highest, data.offsets, data.steps(), rate)
        return self._values[rate]

    def newest_p(self, count: int, series: int = 0) -> Float64[np.ndarray, " count"]:
        """The p-values of the newest observations of a series, from as many past forecasts as they depend on.

        Args:
            count: How many rows, up to the last one.
            series: Number of the series.

        Returns:
            The same numbers, to the bit, as those of `p_values`.
        """
        part, data = self.part, self.part.data
        begin, end = data.offsets[series : series + 2].tolist()
        start = max(begin, end - count - P_ROWS - score_rows(self._season) - part.spec.horizon)
        bounds = np.array([0, end - start])
        steps = data.frequency.to_step(data.time[[start]]) + np.arange(end - start)
        scores = lead_scores(self._read_sides(start, end), data.values[start:end], bounds, steps, self._season)
        return p_values(scores.highest, bounds, steps, 0.5).p[-count:]

    def table(self, rate: float) -> pl.DataFrame:
        """A row for each observation whose p-value is at most the rate; see `Run.surprises`."""
        data, levels, values = self.part.data, self.part.spec.levels, self.p_values(rate)
        rows = np.flatnonzero(np.isfinite(values.limit))
        rows = rows[self._scores.highest[rows] > values.limit[rows]]
        leads = longest_leads(self._scores, values, rows)
        draws = self.part.take("forecast", rows - leads)[np.arange(len(rows)), leads - 1]
        bands = surprise_bands(
            draws, levels, data.values[rows], self._scores.units[leads - 1, rows], values.limit[rows]
        )
        events = event_numbers(rows, data.offsets, self.part.spec.horizon)
        return tabulate(data, rows, leads, values.p[rows], bands, events)

    def warnings(self, rate: float) -> tuple[DataWarning, ...]:
        """What the past is too short to tell.

        Args:
            rate: The rate of surprises.
        """
        values, data = self.p_values(rate), self.part.data
        needed = ceil(1 / rate - 1e-9) - 1
        is_judged = np.isfinite(values.p) & (values.past >= needed)
        judged = np.add.reduceat(is_judged, data.offsets[:-1]) if len(data) else np.zeros(0, int)
        past = np.maximum.reduceat(values.past, data.offsets[:-1]) if len(data) else np.zeros(0, int)
        short = np.flatnonzero(judged == 0)
        if not len(short):
            return ()
        share = percent(rate) if rate >= 0.001 else f"{100 * rate:g} %"
        need = f"a rate of {share} needs {plural(needed, 'past observation')} with forecasts"
        if len(data.ids) == 1:
            sentence = f"No observation can be called a surprise: {need}, and there are {int(past[0]):,}."
            return (DataWarning("too_short_for_rate", 1, sentence),)
        named = f"{plural(len(short), 'series has', 'series have')} too few past observations to tell surprises"
        return (DataWarning("too_short_for_rate", len(short), f"{named}: {need}."),)
