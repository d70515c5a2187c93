"""The series that a table of forecasts is of: those that the user gives, or the actual values of the table."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64, Int64

from nbforecast.data.dataset import Dataset
from nbforecast.data.forecast_columns import NAMES
from nbforecast.data.prepare import prepare
from nbforecast.data.source import open_source
from nbforecast.errors import InputError
from nbforecast.text import option

if TYPE_CHECKING:
    import polars as pl

    from nbforecast.data.forecast_columns import Roles
    from nbforecast.data.timestamps import TimeColumn

_LARGEST_DISAGREEMENT = 1e-5  # of two actual values of one time, relative to them


def read_history(history: Any, roles: Roles, **options: Any) -> Dataset:
    """Prepare the series that the user gives beside a table of forecasts.

    Args:
        history: A dataset, or what `prepare` reads. Columns that are called as in the table have the same role.
        roles: The columns of the table.
        options: Options of `prepare`.

    Raises:
        InputError: If the series cannot be read.
    """
    if isinstance(history, Dataset):
        return history
    named: dict[str, Any] = {"time": roles.time, "target": roles.target, "id": list(roles.ids) or None}
    named = {role: name for role, name in named.items() if name not in (None, *NAMES[role][:1], [NAMES[role][0]])}
    if named:  # `prepare` finds the usual names itself
        columns = set(open_source(history, None, None, named.get("id")).frame.collect_schema().names())
        named = {role: name for role, name in named.items() if columns.issuperset([name] if role != "id" else name)}
    return prepare(history, **named, **options)


def series_of_table(
    ids: tuple[str, ...],
    series: Int64[np.ndarray, " R"],
    times: TimeColumn,
    origins: TimeColumn,
    values: Float64[np.ndarray, " R"] | None,
    roles: Roles,
    **options: Any,
) -> Dataset:
    """Prepare the actual values of a table, each of which may stand beside the forecasts of several origins.

    Args:
        ids: The ids of the series.
        series: (R,) the number of each row's series.
        times: The times that are forecast.
        origins: The times of the origins.
        values: (R,) the actual values, NaN where one is not known; None if the table has none.
        roles: The columns of the table.
        options: Options of `prepare`.

    Raises:
        InputError: If there are no actual values, or two of one time.
    """
    import polars as pl

    is_known = None if values is None else ~np.isnan(values)
    if is_known is None or not is_known.any():
        raise InputError(
            f"The table of forecasts holds no actual values. Name their column with {option('target')}, or give the "
            f"series with {option('history')}."
        )
    rows = pl.DataFrame({"series": series, "ds": times.times, "y": values}).filter(pl.Series(is_known))
    actual = rows.group_by("series", "ds").agg(pl.col("y").min(), pl.col("y").max().alias("high"))
    differing = actual.filter(
        pl.col("high") - pl.col("y")
        > _LARGEST_DISAGREEMENT * pl.max_horizontal(pl.col("y").abs(), pl.col("high").abs())
    )
    if len(differing):
        first = differing.sort("series", "ds").row(0, named=True)
        moment = _as_times(pl.Series([first["ds"]]), times).item()
        raise InputError(
            f"The table states different actual values for one time: {first['y']:g} and {first['high']:g} for series "
            f"{ids[first['series']]!r} at {moment}. Drop the rows that are wrong, or give {option('history')}."
        )
    actual = actual.select("series", "ds", "y")
    if options.get("freq") is None:
        options["freq"] = _regular_step(series, times, origins)
    if options["freq"] is None:  # then the origins help to find the step
        cutoffs = pl.DataFrame({"series": series, "ds": origins.times}).unique()
        cutoffs = cutoffs.join(actual, on=["series", "ds"], how="anti").with_columns(y=pl.lit(None, pl.Float64))
        actual = pl.concat([actual, cutoffs])
    frame = actual.select(
        pl.Series("unique_id", ids).gather(actual["series"]), _as_times(actual["ds"], times).alias("ds"), "y"
    )
    data = prepare(frame, **options)
    warnings = tuple(warning for warning in data.warnings if warning.flag != "trimmed")
    names = replace(
        data.names, time=roles.time, target=roles.target or data.names.target, id="/".join(roles.ids) or None
    )
    return replace(data, warnings=warnings, names=names)


def _regular_step(series: Int64[np.ndarray, " R"], times: TimeColumn, origins: TimeColumn) -> dt.timedelta | int | None:
    """The distance of neighbouring times in every forecast, its origin included, if it is the same throughout.

    The hours of a day-ahead forecast that is made once a day are no opening hours.
    """
    order = _sorting(series, origins.times, times.times)
    clocks = [(times.times, origins.times)]
    if times.local_times is not None and origins.local_times is not None:
        clocks.append((times.local_times, origins.local_times))
    for forecast, origin in clocks:
        moments, starts = forecast[order], origin[order]
        is_first = np.append(True, (np.diff(starts) != 0) | (np.diff(series[order]) != 0))
        changes = np.unique(moments - np.where(is_first, starts, np.roll(moments, 1)))
        if len(changes) == 1 and changes[0] > 0:
            return dt.timedelta(microseconds=int(changes[0])) if times.has_calendar else int(changes[0])
    return None


def _sorting(
    series: Int64[np.ndarray, " R"], origins: Int64[np.ndarray, " R"], times: Int64[np.ndarray, " R"]
) -> Int64[np.ndarray, " R"]:
    """The order of rows by series, origin and time; most tables have it already."""
    changes = [np.diff(column) for column in (series, origins, times)]
    is_ordered = changes[2] >= 0
    for change in changes[1::-1]:
        is_ordered = (change > 0) | ((change == 0) & is_ordered)
    return np.arange(len(times)) if is_ordered.all() else np.lexsort((times, origins, series))


def _as_times(moments: pl.Series, times: TimeColumn) -> pl.Series:
    """Return integers as the times that they are."""
    import polars as pl

    if not times.has_calendar:
        return moments
    zone = getattr(times.time_type, "time_zone", None)
    column = moments.cast(pl.Datetime("us"))
    return column if zone is None else column.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)


def begin_with_origins(data: Dataset, series: Int64[np.ndarray, " R"], origins: Int64[np.ndarray, " R"]) -> Dataset:
    """Begin each series with its first origin, of which a table need not state an actual value.

    Args:
        data: The series.
        series: (R,) numbers of series.
        origins: (R,) grid steps of origins.
    """
    starts = data.frequency.to_step(data.time[data.offsets[:-1]])
    first = starts.copy()
    np.minimum.at(first, series, origins)
    added = starts - first
    if not added.any():
        return data
    offsets = np.append(0, np.cumsum(data.lengths + added))
    steps = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - first, np.diff(offsets))
    values = np.full(len(steps), np.nan)
    values[np.arange(len(data)) + np.repeat(np.cumsum(added), data.lengths)] = data.values
    return replace(data, offsets=offsets, time=data.frequency.to_time(steps), values=values)
