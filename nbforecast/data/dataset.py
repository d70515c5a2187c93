"""The prepared data: one or more series on a regular time grid, and what was repaired on the way."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int, Int32, Int64, Shaped

from nbforecast.errors import IndexOutOfRange, OptionError
from nbforecast.safe_text import escape_controls
from nbforecast.text import did_you_mean, quoted

if TYPE_CHECKING:
    import polars as pl

    from nbforecast.data.covariates import Covariates
    from nbforecast.data.frequency import Frequency
    from nbforecast.data.issued import IssuedCovariates


@dataclass(frozen=True)
class DataWarning:
    """A repair or an oddity of the data.

    Attributes:
        flag: A stable identifier, such as `"interpolated"` or `"long_gap"`.
        count: How many points, rows, gaps or series are concerned.
        sentence: A full sentence for a person.
        series: The id of the series concerned; None stands for all of them.
    """

    flag: str
    count: int
    sentence: str
    series: str | None = None

    def __str__(self) -> str:
        return escape_controls(self.sentence)

    @property
    def label(self) -> str:
        """The flag and the count in a few words, for where there is little room."""
        return f"{self.flag.replace('_', ' ')}: {self.count:,}"


@dataclass(frozen=True)
class Names:
    """The user's names of things, for titles and axis labels; they are not part of the handle.

    Attributes:
        frame: The name of the frame or file, if there is one.
        time: The column of times.
        target: The column of values.
        id: The column of series ids; None if the frame is one series.
    """

    frame: str | None = None
    time: str = "ds"
    target: str = "y"
    id: str | None = None


@dataclass(frozen=True, eq=False)
class Dataset:
    """One or more series on a regular time grid, one after the other in flat arrays.

    Series number `s` has the rows `offsets[s]:offsets[s + 1]`. Each row is one grid step and one origin. A step
    without an observation is NaN: no value is filled in, so a forecast as of a row depends on nothing after it. Each
    series ends with an observation and begins with one; only a series that is read from a table of forecasts may begin
    with origins at which nothing was observed. Its last row has index 0, the row before it -1, and so on.

    Attributes:
        ids: The names of the series, in sorted order.
        offsets: Row numbers of the series' bounds.
        time: `datetime64[us]` in UTC, or of the local clock for daily and calendar frequencies; integers where there
            is no calendar.
        values: The observations, NaN where there is none.
        frequency: The step of the grid.
        max_gap: The longest gap, in steps, that forecasters bridge inside a context.
        time_type: The Polars type in which times are returned: `Datetime("us", zone)`, `Date` or `Int64`.
        names: The user's names of the frame and its columns.
        warnings: What was repaired, and what is odd.
        covariates: Columns beside the values; None if none is named. They are not part of the handle.
        issued: Covariates that were issued over time, known ahead; None if there are none.
        static: A row for each series, in the order of `ids`: unique_id and the columns that `static=` names. They are
            not part of the handle, either.
        groups: The number of each series' group, as `groups=` names them; None if series are forecast one by one.
    """

    ids: tuple[str, ...]
    offsets: Int64[np.ndarray, " bounds"]
    time: Shaped[np.ndarray, " rows"]
    values: Float64[np.ndarray, " rows"]
    frequency: Frequency
    max_gap: int
    time_type: pl.DataType
    names: Names = field(default_factory=Names)
    warnings: tuple[DataWarning, ...] = ()
    covariates: Covariates | None = None
    static: pl.DataFrame | None = None
    issued: IssuedCovariates | None = None
    groups: Int64[np.ndarray, " series"] | None = None

    def __len__(self) -> int:
        """Return the number of rows of all series."""
        return len(self.values)

    @property
    def lengths(self) -> Int64[np.ndarray, " series"]:
        """The number of grid steps of each series."""
        return np.diff(self.offsets)

    @cached_property
    def handle(self) -> str:
        """The content hash over ids, times, values and frequency: 32 hexadecimal digits."""
        digest = hashlib.sha256()
        digest.update(repr((self.frequency.key, self.ids)).encode())
        digest.update(np.ascontiguousarray(self.offsets, "<i8").data)
        digest.update(np.ascontiguousarray(self.time).view("<i8").data)
        values = self.values + 0.0  # -0.0 and 0.0 are the same content
        values[np.isnan(values)] = np.nan  # one bit pattern for every NaN
        digest.update(np.ascontiguousarray(values, "<f8").data)
        return digest.hexdigest()[:32]

    def position(self, series: str | None) -> int:
        """Find the number of a series.

        Args:
            series: An id; None stands for the first series.

        Raises:
            OptionError: If no series has that id.
        """
        if series is None:
            return 0
        try:
            return self.ids.index(str(series))
        except ValueError:
            raise OptionError(
                f"No series is called {series!r}.{did_you_mean(str(series), self.ids)} "
                f"There are {len(self.ids):,}: {quoted(self.ids, 8)}."
            ) from None

    def row(self, index: int, series: str | None = None) -> int:
        """Find the row of an origin.

        Args:
            index: The origin's index, at most 0; the last data point is 0.
            series: The id of its series; None stands for the first one.

        Returns:
            The row number in the flat arrays.

        Raises:
            IndexOutOfRange: If the series has no such index; the message states the valid range.
            OptionError: If no series has that id.
        """
        number = self.position(series)
        length = int(self.lengths[number])
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise IndexOutOfRange(f"The index must be an integer <= 0 or a time such as 2025-01-31, not {index!r}.")
        if not -length < index <= 0:
            of_series = f" of series {self.ids[number]!r}" if len(self.ids) > 1 else ""
            hint = f" Did you mean {-index}?" if 0 < index < length else ""
            raise IndexOutOfRange(
                f"Index {index} is outside the data{of_series}: valid indices run from {1 - length} to 0, "
                f"where 0 is the last data point.{hint}"
            )
        return int(self.offsets[number + 1]) - 1 + int(index)

    def locate(self, row: int) -> tuple[int, int]:
        """Find the series and the index of a row.

        Args:
            row: A row number of the flat arrays.

        Returns:
            The number of the series, and the index of the origin in it.
        """
        number = int(np.searchsorted(self.offsets, row, side="right")) - 1
        return number, int(row - self.offsets[number + 1] + 1)

    def index(self) -> Int32[np.ndarray, " rows"]:
        """Return the index of every row."""
        ends = np.repeat(self.offsets[1:], self.lengths)
        return (np.arange(len(self)) - ends + 1).astype(np.int32)

    def steps(self) -> Int64[np.ndarray, " rows"]:
        """Return the absolute grid step of every row."""
        first = self.frequency.to_step(self.time[self.offsets[:-1]])
        return np.arange(len(self)) + np.repeat(first - self.offsets[:-1], self.lengths)

    def times(self, grid_times: Shaped[np.ndarray, "..."]) -> pl.Series:
        """Convert grid times to the type that the user's times have.

        Args:
            grid_times: Times as in `time`, of any shape.

        Returns:
            A flat Polars series called `ds`, of type `time_type`.
        """
        import polars as pl

        series = pl.Series("ds", grid_times.ravel())
        if not isinstance(self.time_type, pl.Datetime) or self.time_type.time_zone is None:
            return series.cast(self.time_type)
        zone = self.time_type.time_zone
        if not self.frequency.wall_clock:
            return series.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        local = series.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        an_hour_later = series.dt.offset_by("1h").dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        return local.fill_null(an_hour_later)  # clocks jump over midnight in some zones

    def future_times(self, rows: Int[np.ndarray, " origins"], steps: int) -> Shaped[np.ndarray, "origins steps"]:
        """Return the grid times of the steps 1 to `steps` after each row."""
        start = self.frequency.to_step(self.time[np.asarray(rows)])
        return self.frequency.to_time(start[:, None] + np.arange(1, steps + 1))

    def actuals(self, rows: Int[np.ndarray, " origins"], steps: int) -> Float64[np.ndarray, "origins steps"]:
        """Return the observations of the steps 1 to `steps` after each row, NaN where there is none."""
        rows = np.asarray(rows)
        ends = self.offsets[np.searchsorted(self.offsets, rows, side="right")]
        later_rows = rows[:, None] + np.arange(1, steps + 1)
        is_inside = later_rows < ends[:, None]
        return np.where(is_inside, self.values[np.where(is_inside, later_rows, 0)], np.nan)
