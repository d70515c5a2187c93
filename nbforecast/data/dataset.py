"""The prepared data: one or more series on a regular time grid, and the names of their origins."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nbforecast.errors import IndexOutOfRange, OptionError

if TYPE_CHECKING:
    import polars as pl

    from nbforecast.data.frequency import Frequency


@dataclass(frozen=True)
class DataWarning:
    """One repair or oddity found while preparing data.

    `flag` is a stable identifier (`interpolated`, `long_gap`, ...), `count` how many points or gaps it
    concerns, `sentence` a full sentence for a person, `series` the id concerned (None: all of them).
    """

    flag: str
    count: int
    sentence: str
    series: str | None = None

    def __str__(self) -> str:
        return self.sentence

    @property
    def label(self) -> str:
        """A few words, for where there is little room."""
        return f"{self.flag.replace('_', ' ')}: {self.count:,}"


@dataclass(frozen=True)
class Names:
    """What the user called things; for titles and axis labels only, never part of the handle."""

    frame: str | None = None
    time: str = "ds"
    target: str = "y"
    id: str | None = None


@dataclass(frozen=True, eq=False)
class Dataset:
    """Series on a regular grid, stored flat: series `s` has rows `offsets[s]:offsets[s + 1]`.

    Every row is one grid step and one origin. What was not observed is NaN: nothing here is filled in, so a
    forecast as of a row depends on nothing after it. Each series starts and ends with an
    observed value; its last row has index 0, the one before -1, and so on.

    ids: S series names, in canonical (sorted) order.
    offsets: int64 (S + 1,).
    time: (N,) `datetime64[us]` (UTC, or wall-clock dates for daily and calendar frequencies) or int64 steps.
    values: float64 (N,), NaN where nothing was observed.
    frequency: the grid's step.
    max_gap: the longest gap, in steps, that forecasters may bridge inside a context.
    time_type: Polars type in which times are handed back (`Datetime("us", zone)`, `Date` or `Int64`).
    """

    ids: tuple[str, ...]
    offsets: np.ndarray
    time: np.ndarray
    values: np.ndarray
    frequency: Frequency
    max_gap: int
    time_type: pl.DataType
    names: Names = field(default_factory=Names)
    warnings: tuple[DataWarning, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    @property
    def lengths(self) -> np.ndarray:
        """int64 (S,): grid steps in each series."""
        return np.diff(self.offsets)

    @cached_property
    def handle(self) -> str:
        """Content hash over ids, timestamps, values and frequency; 32 hex digits."""
        digest = hashlib.sha256()
        digest.update(repr((self.frequency.key, self.ids)).encode())
        digest.update(np.ascontiguousarray(self.offsets, "<i8").data)
        digest.update(np.ascontiguousarray(self.time).view("<i8").data)
        values = self.values + 0.0  # -0.0 and 0.0 are the same content
        values[np.isnan(values)] = np.nan  # one bit pattern for every NaN
        digest.update(np.ascontiguousarray(values, "<f8").data)
        return digest.hexdigest()[:32]

    def position(self, series: str | None) -> int:
        """The number of the series called `series` (None: the first)."""
        if series is None:
            return 0
        try:
            return self.ids.index(str(series))
        except ValueError:
            shown = ", ".join(repr(i) for i in self.ids[:8]) + (" ..." if len(self.ids) > 8 else "")
            near = difflib.get_close_matches(str(series), self.ids, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise OptionError(f"No series is called {series!r}.{hint} There are {len(self.ids)}: {shown}.") from None

    def row(self, index: int, series: str | None = None) -> int:
        """The row of the origin with that index (<= 0, the last data point is 0) in a series.

        Raises `IndexOutOfRange` naming the valid range.
        """
        s = self.position(series)
        length = int(self.lengths[s])
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise IndexOutOfRange(f"The index must be an integer <= 0, not {index!r}.")
        if not -length < index <= 0:
            of = f" of series {self.ids[s]!r}" if len(self.ids) > 1 else ""
            hint = f" Did you mean {-index}?" if 0 < index < length else ""
            raise IndexOutOfRange(
                f"Index {index} is outside the data{of}: valid indices run from {1 - length} to 0, "
                f"where 0 is the last data point.{hint}"
            )
        return int(self.offsets[s + 1]) - 1 + int(index)

    def locate(self, row: int) -> tuple[int, int]:
        """(number of the series, index) of a row."""
        s = int(np.searchsorted(self.offsets, row, side="right")) - 1
        return s, int(row - self.offsets[s + 1] + 1)

    def index(self) -> np.ndarray:
        """int32 (N,): the index of every row."""
        ends = np.repeat(self.offsets[1:], self.lengths)
        return (np.arange(len(self)) - ends + 1).astype(np.int32)

    def times(self, grid: np.ndarray) -> pl.Series:
        """Grid times as a Polars series of the type the user's times had."""
        import polars as pl

        series = pl.Series("ds", grid.ravel())
        if not isinstance(self.time_type, pl.Datetime) or self.time_type.time_zone is None:
            return series.cast(self.time_type)
        zone = self.time_type.time_zone
        if not self.frequency.wall_clock:
            return series.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        local = series.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        skipped = series.dt.offset_by("1h").dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        return local.fill_null(skipped)  # a midnight that the clocks jumped over

    def future_times(self, rows: np.ndarray, steps: int) -> np.ndarray:
        """(R, steps): the grid times of the steps 1..steps after each row."""
        start = self.frequency.to_step(self.time[np.asarray(rows)])
        return self.frequency.to_time(start[:, None] + np.arange(1, steps + 1))

    def actuals(self, rows: np.ndarray, steps: int) -> np.ndarray:
        """float64 (R, steps): what was observed after each row, NaN where unknown."""
        rows = np.asarray(rows)
        ends = self.offsets[np.searchsorted(self.offsets, rows, side="right")]
        at = rows[:, None] + np.arange(1, steps + 1)
        known = at < ends[:, None]
        return np.where(known, self.values[np.where(known, at, 0)], np.nan)
