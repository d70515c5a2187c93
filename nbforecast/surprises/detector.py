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
from nbforecast.surprises.changes import LEARNED, STRETCH, find_changes
from nbforecast.surprises.events import event_begins, rare_gaps
from nbforecast.surprises.kinds import MISSING, event_kinds, kind_span
from nbforecast.surprises.lead_scores import SIDES, LeadScores, lead_scores, score_rows
from nbforecast.surprises.p_values import P_ROWS, PValues, attainable_share, p_values
from nbforecast.surprises.table import Surprises, longest_leads, surprise_bands, tabulate, tabulate_changes
from nbforecast.text import brief_number, plural

if TYPE_CHECKING:
    import polars as pl

    from nbforecast.result_cache.entry_slice import EntrySlice

_PIECE = 1 << 16  # draws that are read at once
_MOST_RATES = 4  # whose p-values are held


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
        draws = part.array() if part.entry.complete else None
        sides = np.empty((len(SIDES), part.spec.horizon, end - start), np.float32)
        count = max(_PIECE // (part.spec.horizon * len(part.spec.levels)), 1)
        for first in range(start, end, count):
            rows = slice(first, min(first + count, end))
            piece = part.take("forecast", np.arange(rows.start, rows.stop)) if draws is None else draws[rows]
            sides[..., first - start : rows.stop - start] = quantiles(piece, part.spec.levels, SIDES).transpose(2, 1, 0)
        if part.requested is not None:  # what others have asked for is in the entry, too
            is_requested = np.zeros(len(part), bool)
            is_requested[part.requested] = True
            sides[..., ~is_requested[start:end]] = np.nan
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
            if len(self._values) >= _MOST_RATES:
                self._values.clear()
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
        return p_values(scores.highest, bounds, steps, start=max(end - start - count, 0)).p[-count:]

    def table(self, rate: float) -> pl.DataFrame:
        """A row for each observation whose p-value is at most the rate, and for rare gaps; see `Run.surprises`."""
        data, values, season, horizon = self.part.data, self.p_values(rate), self._season, self.part.spec.horizon
        odd, gaps = np.flatnonzero(np.isfinite(values.limit)), rare_gaps(data.values, data.offsets, rate)
        leads = longest_leads(self._scores, values, odd)
        draws = self.part.take("forecast", odd - leads)[np.arange(len(odd)), leads - 1]
        units, limits = self._scores.units[leads - 1, odd], values.limit[odd]
        bands = surprise_bands(draws, self.part.spec.levels, data.values[odd], units, limits)

        rows, span = np.concatenate([odd, gaps.rows]), kind_span(season, horizon)
        order = np.argsort(rows)
        begins = np.empty_like(rows)
        begins[order] = event_begins(rows[order], data.offsets, horizon, span)
        _, first, event = np.unique(begins[: len(odd)], return_index=True, return_inverse=True)
        first = odd[first]  # an event may begin with a gap
        series = np.searchsorted(data.offsets, first, side="right")
        bounds = np.stack([data.offsets[series - 1], data.offsets[series]])
        kinds = event_kinds(data.values, first, bounds, span, data.frequency.seasons)[event]
        surprises = Surprises(
            rows=rows,
            p=np.concatenate([values.p[odd], gaps.p]),
            leads=np.concatenate([leads, np.zeros(len(gaps.rows), np.int64)]),
            bands=np.concatenate([bands, np.full((len(gaps.rows), 3), np.nan)]),
            kinds=np.concatenate([kinds, np.full(len(gaps.rows), MISSING)]),
            decided=np.concatenate([first[event] + span, gaps.ends]),
            begins=begins,
        )
        return tabulate(data, Surprises(*(column[order] for column in surprises)))

    def changes(self, rate: float) -> pl.DataFrame:
        """A row for each time at which a series stopped behaving as forecast; see `Run.changes`."""
        check_probabilities([rate], "rate")
        data, steps, changes = self.part.data, self.part.data.steps(), []
        for begin, end in zip(data.offsets[:-1].tolist(), data.offsets[1:].tolist(), strict=True):
            own = find_changes(self._scores.one_step[begin:end], steps[begin:end], rate)
            changes += [change._replace(row=begin + change.row, since=begin + change.since) for change in own]
        return tabulate_changes(data, changes)

    def warnings(self, rate: float) -> tuple[DataWarning, ...]:
        """Where the past is too short for a rate, and where equal scores keep surprises below it.

        Args:
            rate: The rate of surprises.
        """
        values, data, name = self.p_values(rate), self.part.data, brief_number(100 * rate)
        needed = ceil(1 / rate - 1e-9) - 1
        is_judged = np.isfinite(values.p) & (values.past >= needed)
        short = np.flatnonzero(np.diff(np.append(0, np.cumsum(is_judged))[data.offsets]) == 0)
        warnings = []
        if len(short):
            need = f"a rate of {name} % needs {plural(needed, 'past observation')} with forecasts"
            if len(data.ids) == 1:
                sentence = f"No observation can be called a surprise: {need}, and there are {values.past.max():,}."
            else:
                series = plural(len(short), "series has", "series have")
                sentence = f"{series} no observation that can be called a surprise: {need}, and theirs are fewer."
            warnings.append(DataWarning("too_short_for_rate", len(short), sentence))
        bounds = zip(data.offsets[:-1].tolist(), data.offsets[1:].tolist(), strict=True)
        shares = np.array([attainable_share(self._scores.highest[begin:end], rate) for begin, end in bounds])
        tied = np.flatnonzero(shares < rate / 2)
        if len(tied):
            series = "" if len(data.ids) == 1 else f" in {plural(len(tied), 'series', 'series')}"
            share = brief_number(100 * float(np.mean(shares[tied])))
            sentence = f"Equal errors are frequent{series}: {share} % of ordinary observations are named, not {name} %."
            warnings.append(DataWarning("tied_errors", len(tied), sentence))
        return tuple(warnings)

    def change_warnings(self) -> tuple[DataWarning, ...]:
        """Which series are too short for changes."""
        data, needed = self.part.data, STRETCH * (LEARNED + 1)
        known = np.append(0, np.cumsum(np.isfinite(self._scores.one_step)))[data.offsets]
        short = np.flatnonzero(np.diff(known) < needed)
        if not len(short):
            return ()
        need = f"it takes {needed} observations with forecasts of the step before"
        if len(data.ids) == 1:
            sentence = f"Changes cannot be told: {need}, and there are {int(known[-1]):,}."
        else:
            series = plural(len(short), "series is", "series are")
            sentence = f"{series} too short for changes: {need}."
        return (DataWarning("too_short_for_changes", len(short), sentence),)
