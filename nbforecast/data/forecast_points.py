"""The rows of a table of forecasts on the grid of its series: as of which origin, how many steps after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int64

from nbforecast.data.dataset import DataWarning
from nbforecast.data.warnings import LEFT_OUT
from nbforecast.errors import InputError
from nbforecast.text import option, plural, quoted

if TYPE_CHECKING:
    import polars as pl

    from nbforecast.data.dataset import Dataset
    from nbforecast.data.forecast_columns import Roles
    from nbforecast.data.timestamps import TimeColumn


@dataclass(frozen=True)
class Points:
    """The rows of a table of forecasts on the grid.

    Attributes:
        origins: (R,) the data's row of each point's origin.
        steps: (R,) how many steps after its origin each point is, from 1.
        rows: (R,) the number of each point in the user's table.
    """

    origins: Int64[np.ndarray, " R"]
    steps: Int64[np.ndarray, " R"]
    rows: Int64[np.ndarray, " R"]

    def take(self, selection: Any) -> Points:
        """Return the points under a mask or of these numbers."""
        return Points(self.origins[selection], self.steps[selection], self.rows[selection])


def match_series(
    data: Dataset, ids: tuple[str, ...] | None, is_given: bool
) -> tuple[Int64[np.ndarray, " S"], list[DataWarning]]:
    """Find the series of the data for each series of a table.

    Args:
        data: The series.
        ids: The ids in the table; None if it is one series without an id.
        is_given: Whether the user gives the series, rather than the table.

    Returns:
        The number of each, -1 where preparation has left the series out; and a warning where nothing else tells which.

    Raises:
        InputError: If the data lack a series.
    """
    if ids is None:
        if len(data.ids) > 1:
            raise InputError(
                f"The history holds {len(data.ids):,} series and the table of forecasts no ids. Name their column with "
                f"{option('id')}."
            )
        return np.zeros(1, np.int64), []
    if len(ids) == 1 and data.names.id is None and len(data.ids) == 1:
        return np.zeros(1, np.int64), []
    positions = {name: number for number, name in enumerate(data.ids)}
    numbers = np.array([positions.get(name, -1) for name in ids], np.int64)
    left_out = {warning.series for warning in data.warnings if warning.flag in LEFT_OUT}
    unknown = [name for name in ids if name not in positions and name not in left_out]
    if not unknown or not is_given:
        return numbers, []
    if len(unknown) == len(ids):
        raise InputError(
            f"The history has no series {quoted(unknown, 3)}, which the table of forecasts names. Its series are: "
            f"{quoted(data.ids, 3)}."
        )
    if None not in left_out:
        raise InputError(
            f"The history lacks {plural(len(unknown), 'series', 'series')} of the table of forecasts: "
            f"{quoted(unknown, 5)}. Add them to the history or drop their forecasts."
        )
    sentence = (
        f"The forecasts of {plural(len(unknown), 'series', 'series')} are left out, because the history lacks them or "
        f"has too few data points of them: {quoted(unknown, 5)}."
    )
    return numbers, [DataWarning("unknown_series", len(unknown), sentence)]


def grid_steps(data: Dataset, times: TimeColumn, column: str) -> Int64[np.ndarray, " R"]:
    """Return the grid steps of a column of times.

    Raises:
        InputError: If a time is off the grid of the data, or the column holds no such times at all.
    """
    moments = clock_of(data, times, column)
    steps = data.frequency.to_step(moments)
    if data.frequency.kind == "month":  # a month is named by any of its days
        return steps
    is_off = data.frequency.to_time(steps).astype("i8") != moments
    if is_off.any():
        row = int(np.argmax(is_off))
        moment = data.times(moments[[row]].astype(data.time.dtype)).item()
        raise InputError(
            f"{plural(int(is_off.sum()), 'time')} in {column!r} {'lies' if is_off.sum() == 1 else 'lie'} off the "
            f"grid of {data.frequency.describe()}, the first is {moment} in row {row}. Give the step with "
            f"{option('freq')} if another one is meant."
        )
    return steps


def clock_of(data: Dataset, times: TimeColumn, column: str) -> Int64[np.ndarray, " R"]:
    """Return a column of times on the clock of the data, whether or not they are times of its grid.

    Raises:
        InputError: If the column holds times of another kind than the data.
    """
    zone = getattr(data.time_type, "time_zone", None)
    is_wall_clock = data.frequency.wall_clock
    has_calendar = data.frequency.kind != "integer"
    has_zone = times.local_times is not None
    if times.has_calendar != has_calendar or (zone is not None and not has_zone and not is_wall_clock):
        raise InputError(
            f"The times in {column!r} ({times.time_type}) and those of the series ({data.time_type}) are of different "
            "kinds. Give both with a time zone or both without."
        )
    if has_zone and is_wall_clock and zone is not None:
        return _to_local_clock(times.times, zone)
    if times.local_times is not None and (is_wall_clock or zone is None):
        return times.local_times
    return times.times


def _to_local_clock(times: Int64[np.ndarray, " R"], zone: str) -> Int64[np.ndarray, " R"]:
    import polars as pl

    local = pl.Series(times).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone).dt.replace_time_zone(None)
    return local.cast(pl.Int64).to_numpy()


def check_order(
    steps: Int64[np.ndarray, " R"], origins: Int64[np.ndarray, " R"], roles: Roles, table: pl.DataFrame
) -> None:
    """Check that every time is forecast before it comes.

    Args:
        steps: (R,) the grid steps of the times that are forecast.
        origins: (R,) the grid steps of their origins.
        roles: The columns of the table.
        table: The table, for the message.

    Raises:
        InputError: If a time is no later than its origin.
    """
    is_early = steps <= origins
    if is_early.any():
        row = int(np.argmax(is_early))
        remark = (
            "Without a column of origins the forecasts follow the last data point of the history. Name the column "
            f"with {option('cutoff')}; or if the table is one forecast of each series, made one step before its first "
            "time, give it as a list of one table."
            if roles.cutoff is None
            else f"{roles.cutoff!r} is the time of the last value that a forecast knows, one step before its first."
        )
        raise InputError(
            f"The time that is forecast is not after its origin in {plural(int(is_early.sum()), 'row')}, the first is "
            f"row {row} ({table[roles.time][row]}). {remark}"
        )


def locate_origins(
    data: Dataset, series: Int64[np.ndarray, " R"], origins: Int64[np.ndarray, " R"], rows: Int64[np.ndarray, " R"]
) -> Int64[np.ndarray, " R"]:
    """Find the data's rows of origins.

    Args:
        data: The series.
        series: (R,) numbers of series.
        origins: (R,) grid steps of their origins.
        rows: (R,) the numbers of the user's rows, for the message.

    Raises:
        InputError: If an origin lies outside its series.
    """
    first = data.frequency.to_step(data.time[data.offsets[:-1]])
    ahead = origins - first[series]
    is_outside: Bool[np.ndarray, " R"] = (ahead < 0) | (ahead >= data.lengths[series])
    if not is_outside.any():
        return data.offsets[series] + ahead
    position = int(np.argmax(is_outside))
    number = int(series[position])
    last = first[number] + data.lengths[number] - 1
    moments = data.frequency.to_time(np.array([origins[position], first[number], last]))
    origin, start, end = (str(moment) for moment in data.times(moments).to_list())
    raise InputError(
        f"{plural(int(is_outside.sum()), 'forecast')} of the table {'is' if is_outside.sum() == 1 else 'are'} made as "
        f"of a time at which the series has no data, the first in row {int(rows[position])}: its origin is {origin}, "
        f"and series {data.ids[number]!r} runs from {start} to {end}. Give a history that covers the origins with "
        f"{option('history')}, or drop these rows."
    )
