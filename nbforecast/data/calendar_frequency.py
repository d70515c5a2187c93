"""The frequency of each series of a panel, and months, business days and other calendars in their dates."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from nbforecast.data.frequency_alias import FrequencySpec
from nbforecast.data.infer_calendar import infer_dates
from nbforecast.time_units import DAY

_NO_GAP = 1 << 40  # days; longer than any
_OPEN = -1  # an anchor that is still to be read from the data
_SHORTEST_MONTH, _CERTAIN_START_DAY = 28, 28
_LOOSE_ANCHOR = 15  # the day of months whose dates keep to no part of them
_SPARSE_DATES = 4  # days between two dates of a calendar of dates, on average


@dataclass(frozen=True)
class FrequencyGroup:
    """Series that have the same frequency.

    Attributes:
        spec: Their frequency.
        series_count: How many they are.
        interval_count: The number of intervals between times on which their frequency rests.
        first_series: The number of the first of them.
    """

    spec: FrequencySpec
    series_count: int
    interval_count: int
    first_series: int

    def as_days(self) -> FrequencyGroup:
        """Return the group with business days taken for days, for a panel that has both."""
        return replace(self, spec=FrequencySpec("fixed", DAY)) if self.spec.kind == "business" else self


@dataclass(frozen=True)
class FrequencyEstimates:
    """The frequency of each series that has two different times or more.

    Attributes:
        series: The numbers of the series, ascending.
        interval_count: The number of intervals between times on which each estimate rests.
        kind: As in `Frequency`.
        every: As in `Frequency`.
        anchor: As in `Frequency`, -1 where it is open.
        is_certain: Whether the estimate may contradict those of other series.
        calendar: As in `Frequency`.
    """

    series: Int64[np.ndarray, " series"]
    interval_count: Int64[np.ndarray, " series"]
    kind: Shaped[np.ndarray, " series"]
    every: Int64[np.ndarray, " series"]
    anchor: Int64[np.ndarray, " series"]
    is_certain: Bool[np.ndarray, " series"]
    calendar: Shaped[np.ndarray, " series"]

    def take(self, mask: Bool[np.ndarray, " series"]) -> FrequencyEstimates:
        """Return the estimates under a mask."""
        return FrequencyEstimates(*(getattr(self, field.name)[mask] for field in fields(self)))

    def groups(self) -> list[FrequencyGroup]:
        """Group the series by frequency, the group with most intervals first."""
        groups = []
        for kind, calendar in sorted(set(zip(self.kind.tolist(), self.calendar.tolist(), strict=True))):
            members = np.flatnonzero((self.kind == kind) & (self.calendar == calendar))
            pairs = np.column_stack([self.every[members], self.anchor[members]])
            distinct, group_numbers = np.unique(pairs, axis=0, return_inverse=True)
            for number, (every, anchor) in enumerate(distinct.tolist()):
                same = members[group_numbers.ravel() == number]
                spec = FrequencySpec(kind, every, None if anchor == _OPEN else anchor, calendar=calendar)
                intervals = int(self.interval_count[same].sum())
                groups.append(FrequencyGroup(spec, len(same), intervals, int(self.series[same[0]])))
        return sorted(groups, key=lambda group: -group.interval_count)


def open_anchors(count: int) -> Int64[np.ndarray, " count"]:
    """Return anchors that are still to be read from the data."""
    return np.full(count, _OPEN)


def recognise_calendar(
    estimates: FrequencyEstimates, series: Int64[np.ndarray, " rows"], times: Int64[np.ndarray, " rows"]
) -> FrequencyEstimates:
    """Replace steps of days by months, business days or a calendar of dates that the dates of a series agree with.

    Args:
        estimates: Steps of fixed length.
        series: The number of each row's series, ascending.
        times: Microseconds of the local clock, ascending within a series.
    """
    slow = estimates.series[estimates.every >= DAY]
    if not len(slow):
        return estimates
    is_slow = np.isin(series, slow)
    series, times = series[is_slow], times[is_slow]
    starts = np.flatnonzero(np.r_[True, np.diff(series) != 0])
    place = np.searchsorted(estimates.series, series[starts])  # of each slow series among the estimates
    dates = _SeriesDates(series, times, starts)
    is_monthly, anchor = dates.find_monthly(estimates.is_certain[place])
    calendar = dates.find_calendars(~is_monthly | (anchor == _LOOSE_ANCHOR))
    certain = estimates.calendar.copy()
    certain[place] = calendar
    if len(set(certain[estimates.is_certain].tolist())) > 1:
        calendar[:] = ""  # the series of a panel share one grid
    is_dated = calendar != ""
    is_monthly &= ~is_dated
    is_business = dates.find_business() & (estimates.every[place] == DAY) & ~is_monthly & ~is_dated
    kind, every, anchors = estimates.kind.copy(), estimates.every.copy(), estimates.anchor.copy()
    calendars = estimates.calendar.copy()
    if is_monthly.any():
        monthly = place[is_monthly]
        kind[monthly], every[monthly] = "month", dates.most_frequent_months(is_monthly)
        anchors[monthly] = anchor[is_monthly]
    kind[place[is_business]], every[place[is_business]] = "business", 1
    kind[place[is_dated]], every[place[is_dated]], anchors[place[is_dated]] = "calendar", DAY, _OPEN
    calendars[place] = calendar
    return replace(estimates, kind=kind, every=every, anchor=anchors, calendar=calendars)


class _SeriesDates:
    """The dates of each series. Every method returns an array with an item for each series."""

    def __init__(
        self,
        series: Int64[np.ndarray, " rows"],
        times: Int64[np.ndarray, " rows"],
        starts: Int64[np.ndarray, " series"],
    ) -> None:
        """Take rows apart into dates.

        Args:
            series: The number of each row's series, ascending.
            times: Microseconds of the local clock, ascending within a series.
            starts: The first row of each series.
        """
        self.starts = starts
        self.counts = np.diff(np.append(starts, len(series)))
        self.days = times // DAY
        dates = self.days.astype("datetime64[D]")
        months = dates.astype("datetime64[M]")
        self.months = months.astype(np.int64)
        self.day_of_month = (dates - months.astype("datetime64[D]")).astype(np.int64) + 1
        self.is_last_day = ((months + 1).astype("datetime64[D]") - dates).astype(np.int64) == 1
        clock = times % DAY
        self.has_one_clock_time = self._all(clock == np.repeat(clock[starts], self.counts))
        gaps = np.diff(self.days)
        self.with_successor = np.flatnonzero((np.diff(series) == 0) & (gaps > 0))  # rows before a later date
        self.shortest_gaps = np.full(len(series), _NO_GAP)
        self.shortest_gaps[self.with_successor] = gaps[self.with_successor]
        self.longest_gaps = np.zeros(len(series), dtype=np.int64)
        self.longest_gaps[self.with_successor] = gaps[self.with_successor]

    def find_monthly(
        self, is_certain: Bool[np.ndarray, " series"]
    ) -> tuple[Bool[np.ndarray, " series"], Int64[np.ndarray, " series"]]:
        """Find the series whose dates go by months.

        Args:
            is_certain: Whether a step of fixed length is certain; it then needs clearer evidence to be replaced.

        Returns:
            Whether the dates go by months, and the day of the month, 0 for the last.
        """
        on_first, on_last = self._all(self.day_of_month == 1), self._all(self.is_last_day)
        earliest = np.minimum.reduceat(self.day_of_month, self.starts)
        latest = np.maximum.reduceat(self.day_of_month, self.starts)
        on_one_day = (earliest == latest) & (latest <= _CERTAIN_START_DAY)
        shortest = np.minimum.reduceat(self.shortest_gaps, self.starts)
        longest = np.maximum.reduceat(self.longest_gaps, self.starts)
        is_exact = self.has_one_clock_time & (on_first | on_last | on_one_day) & (shortest >= _SHORTEST_MONTH)
        is_loose = ~is_certain & (shortest >= 20) & (shortest != longest) & (self._mean_gap() >= 25)
        near_end, near_start = self._share(self.day_of_month >= 26) >= 0.5, self._share(self.day_of_month <= 5) >= 0.5
        anchor = np.select([on_first, on_last, on_one_day, near_end, near_start], [1, 0, earliest, 0, 1], _LOOSE_ANCHOR)
        return (shortest < _NO_GAP) & (is_exact | is_loose), anchor

    def find_calendars(self, is_open: Bool[np.ndarray, " series"]) -> Shaped[np.ndarray, " series"]:
        """Return the calendar of dates that a series follows, or an empty text.

        Args:
            is_open: The series that may follow one.
        """
        shortest = np.minimum.reduceat(self.shortest_gaps, self.starts)
        longest = np.maximum.reduceat(self.longest_gaps, self.starts)
        candidates = np.flatnonzero(is_open & (shortest != longest) & (self._mean_gap() >= _SPARSE_DATES))
        calendars = np.full(len(self.starts), "", dtype=object)
        by_dates: dict[bytes, str] = {}  # series of a panel often share their dates
        for number in candidates:
            days = np.unique(self.days[self.starts[number] : self.starts[number] + self.counts[number]])
            key = days.tobytes()
            if key not in by_dates:
                by_dates[key] = infer_dates(days)
            calendars[number] = by_dates[key]
        return calendars

    def find_business(self) -> Bool[np.ndarray, " series"]:
        """Find the series whose dates skip one weekend or more, and never fall on one."""
        week, weekday = np.divmod(self.days + 3, 7)
        last = np.append(self.starts[1:], len(week)) - 1
        never_on_weekend = self._share(weekday >= 5) == 0
        return self.has_one_clock_time & never_on_weekend & (week[last] > week[self.starts])

    def most_frequent_months(self, mask: Bool[np.ndarray, " series"]) -> Int64[np.ndarray, " masked"]:
        """Return the most frequent number of months between two dates, the smallest of several."""
        number = np.repeat(np.arange(len(self.starts)), self.counts)[self.with_successor]
        rows = self.with_successor[mask[number]]
        number = (np.cumsum(mask) - 1)[number[mask[number]]]
        months = np.maximum(self.months[rows + 1] - self.months[rows], 1)
        pairs, counts = np.unique(np.column_stack([number, months]), axis=0, return_counts=True)
        ranked = np.lexsort((pairs[:, 1], -counts, pairs[:, 0]))
        best = ranked[np.flatnonzero(np.r_[True, np.diff(pairs[ranked, 0]) != 0])]
        return np.asarray(pairs[best, 1])

    def _mean_gap(self) -> Float64[np.ndarray, " series"]:
        counts = np.add.reduceat((self.longest_gaps > 0).astype(np.int64), self.starts)
        return np.asarray(np.add.reduceat(self.longest_gaps, self.starts) / np.maximum(counts, 1))

    def _all(self, condition: Bool[np.ndarray, " rows"]) -> Bool[np.ndarray, " series"]:
        return np.logical_and.reduceat(condition, self.starts)

    def _share(self, condition: Bool[np.ndarray, " rows"]) -> Float64[np.ndarray, " series"]:
        return np.asarray(np.add.reduceat(condition.astype(np.int64), self.starts) / self.counts)
