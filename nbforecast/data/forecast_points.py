"""The rows of a table of forecasts on the grid of its series: which series, which origin, how many steps after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

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
        series: (R,) the number of each row's series in the data, -1 if preparation left the series out.
        origins: (R,) the grid step of each row's origin.
        steps: (R,) how many steps after its origin each row is, from 1.
        rows: (R,) the number of each row in the user's table.
    """

    series: Int64[np.ndarray, " R"]
    origins: Int64[np.ndarray, " R"]
    steps: Int64[np.ndarray, " R"]
    rows: Int64[np.ndarray, " R"]

    def take(self, selection: Any) -> Points:
        """Return the rows under a mask or of these numbers."""
        return Points(self.series[selection], self.origins[selection], self.steps[selection], self.rows[selection])


def locate_rows(
    data: Dataset,
    table: pl.DataFrame,
    ids: tuple[str, ...] | None,
    roles: Roles,
    times: TimeColumn,
    origins: TimeColumn | None,
) -> Points:
    """Find the series, the origin and the step of every row.

    Raises:
        InputError: If the series has no such id, a time is off the grid or no later than its origin.
    """
    import polars as pl

    if ids is None or roles.id is None:
        if len(data.ids) > 1:
            raise InputError(
                f"The history holds {len(data.ids):,} series and the table of forecasts no ids. Name their column with "
                f"{option('id')}."
            )
        series = np.zeros(len(table), np.int64)
    else:
        numbers = {name: number for number, name in enumerate(data.ids)}
        left_out = {warning.series for warning in data.warnings if warning.series is not None}
        unknown = [name for name in ids if name not in numbers and name not in left_out]
        if unknown and len(unknown) == len(ids):
            raise InputError(
                f"The history has no series {quoted(unknown, 3)}, which the table of forecasts names. Its series are: "
                f"{quoted(data.ids, 3)}."
            )
        if unknown and not any(w.flag in ("empty_series", "too_short") and w.series is None for w in data.warnings):
            raise InputError(
                f"The history lacks {plural(len(unknown), 'series', 'series')} of the table of forecasts: "
                f"{quoted(unknown, 5)}. Add them to the history or drop their forecasts."
            )
        codes = table[roles.id].cast(pl.Enum(ids)).to_physical().to_numpy()
        series = np.array([numbers.get(name, -1) for name in ids], np.int64)[codes]
    last_steps = data.frequency.to_step(data.time[data.offsets[1:] - 1])
    origin_steps = last_steps[series] if origins is None else _grid_steps(data, origins, roles.cutoff or "")
    steps = _grid_steps(data, times, roles.time) - origin_steps
    is_early = steps < 1
    if is_early.any():
        row = int(np.argmax(is_early))
        remark = (
            f"Without a column of origins ({option('cutoff')}) the forecasts follow the last data point of the history."
            if origins is None
            else f"{roles.cutoff!r} is the time of the last value that a forecast knows, one step before its first."
        )
        raise InputError(
            f"The time that is forecast is not after its origin in {plural(int(is_early.sum()), 'row')}, the first is "
            f"row {row} ({table[roles.time][row]}). {remark}"
        )
    return Points(series, origin_steps, steps, np.arange(len(table)))


def _grid_steps(data: Dataset, times: TimeColumn, column: str) -> Int64[np.ndarray, " R"]:
    """The grid steps of a column of times, all of which lie on the grid of the data."""
    has_zone = getattr(data.time_type, "time_zone", None) is not None
    has_calendar = data.frequency.kind != "integer"
    if times.has_calendar != has_calendar or (has_zone and times.local_times is None and not data.frequency.wall_clock):
        raise InputError(
            f"The times in {column!r} ({times.time_type}) and those of the series ({data.time_type}) are of different "
            "kinds. Give both with a time zone or both without."
        )
    is_local = times.local_times is not None and (data.frequency.wall_clock or not has_zone)
    moments = times.local_times if is_local and times.local_times is not None else times.times
    steps = data.frequency.to_step(moments)
    if data.frequency.kind != "month":  # a month is named by any of its days
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


def check_span(data: Dataset, points: Points, roles: Roles) -> None:
    """Check that every origin lies within its series."""
    is_used = points.series >= 0
    points = points.take(is_used)
    first = data.frequency.to_step(data.time[data.offsets[:-1]])
    last = first + data.lengths - 1
    is_outside = (points.origins < first[points.series]) | (points.origins > last[points.series])
    if not is_outside.any():
        return
    position = int(np.argmax(is_outside))
    number = int(points.series[position])
    moments = data.frequency.to_time(np.array([points.origins[position], first[number], last[number]]))
    origin, start, end = (str(moment) for moment in data.times(moments).to_list())
    raise InputError(
        f"{plural(int(is_outside.sum()), 'forecast')} of the table {'is' if is_outside.sum() == 1 else 'are'} made as "
        f"of a time at which the series has no data, the first in row {int(points.rows[position])}: {roles.cutoff!r} "
        f"is {origin}, and series {data.ids[number]!r} runs from {start} to {end}. Give a history that covers the "
        f"origins with {option('history')}, or drop these rows."
    )
