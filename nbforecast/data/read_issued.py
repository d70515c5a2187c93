"""Reading a table of covariates that were issued over time: times, cutoffs, ids and values (H2)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from nbforecast.data.columns import eager
from nbforecast.data.covariates import as_numbers
from nbforecast.data.forecast_points import clock_of
from nbforecast.data.issued import IssuedCovariates
from nbforecast.data.observations import read_ids, to_polars
from nbforecast.data.source import open_source
from nbforecast.data.timestamps import read_times
from nbforecast.errors import InputError
from nbforecast.text import option, plural, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import narwhals as nw

    from nbforecast.data.dataset import Dataset
    from nbforecast.data.timestamps import TimeColumn

_CUTOFF, _TIME, _ID = "cutoff", "ds", "unique_id"


def with_issued_covariates(data: Dataset, table: Any, date_order: str | None = None) -> Dataset:
    """The dataset with covariates that were issued over time.

    Args:
        data: The dataset.
        table: A frame, or the path of a file, with a row for each value: the time it is about (the column of times of
            the data, or `ds`), `cutoff` (when it was issued), ids if it differs between series, and further columns, of
            numbers, booleans or categories. At an origin the values count whose cutoff is at or before its time, of
            several about one time that of the newest cutoff.
        date_order: How dates such as `1/2/24` are ordered, or None.

    Raises:
        InputError: A column is missing or has another type, times are off the grid, or two rows of one series, time and
            cutoff have different values.
    """
    source = open_source(table, None, None, None, date_order)
    frame = eager(source.frame)
    own_id = data.names.id or _ID
    time = data.names.time if data.names.time in frame.columns else _TIME
    ids = next((each for each in ([own_id], own_id.split("/"), [_ID]) if set(each) <= set(frame.columns)), [])
    names = [name for name in frame.columns if name not in (time, _CUTOFF, *ids)]
    if time not in frame.columns or _CUTOFF not in frame.columns or not names:
        raise InputError(
            f"{option('issued_covariates')} takes a table with the times that values are about ({_TIME!r}), when each "
            f"was issued ({_CUTOFF!r}), and the values. Its columns are: {quoted(frame.columns)}."
        )
    times, cutoffs = (read_times(to_polars(frame, name), date_order) for name in (time, _CUTOFF))
    series = _numbers_of_series(data, frame, ids)
    is_used = ~times.is_missing & ~cutoffs.is_missing & (series >= -1)
    steps, is_on_grid = _about(data, times, time)
    is_used &= is_on_grid
    issued = _moments(data, cutoffs, _CUTOFF)
    columns = [(name, *part) for name in names for part in as_numbers(to_polars(frame, name))]
    values = np.array([numbers for _, _, numbers in columns])
    order = np.flatnonzero(is_used)
    order = order[np.lexsort((issued[order], steps[order], series[order]))]
    _check_unique(series[order], steps[order], issued[order], values[:, order], order)
    covariates = IssuedCovariates(
        names=tuple(name for _, name, _ in columns),
        columns=tuple(column for column, _, _ in columns),
        series=series[order],
        steps=steps[order],
        known_from=_first_origins(data, issued[order]),
        values=values[:, order],
    )
    taken = {} if data.covariates is None else dict.fromkeys(data.covariates.names)
    twice = [name for name in covariates.names if name in taken]
    if twice:
        raise InputError(
            f"{quoted(twice)} is a covariate of the data and one of {option('issued_covariates')}. Rename one."
        )
    return replace(data, issued=covariates)


def _numbers_of_series(data: Dataset, frame: nw.DataFrame[Any], ids: Sequence[str]) -> Int64[np.ndarray, " R"]:
    """The number of each row's series; -1 for all of them, -2 for one that the data lack."""
    if not ids:
        return np.full(len(frame), -1)
    codes, names = read_ids(frame, ids)
    positions = {name: number for number, name in enumerate(data.ids)}
    numbers = np.array([positions.get(name, -2) for name in names], np.int64)
    if (numbers < 0).all():
        raise InputError(
            f"{option('issued_covariates')} has values for {quoted(names, 3)}, and the series of the data are "
            f"{quoted(data.ids, 3)}."
        )
    return numbers[codes]


def _moments(data: Dataset, times: TimeColumn, column: str) -> Int64[np.ndarray, " R"]:
    return np.where(times.is_missing, 0, clock_of(data, times, column))


def _about(data: Dataset, times: TimeColumn, column: str) -> tuple[Int64[np.ndarray, " R"], np.ndarray]:
    """The grid step that each row is about, and whether its time is one of the grid.

    Raises:
        InputError: If no time is one of the grid.
    """
    moments = _moments(data, times, column)
    steps = data.frequency.to_step(moments)
    is_on_grid = (data.frequency.to_time(steps).astype("i8") == moments) | (data.frequency.kind == "month")
    if not (is_on_grid & ~times.is_missing).any():
        raise InputError(
            f"No time in {column!r} of {option('issued_covariates')} lies on the grid of the data, "
            f"{data.frequency.describe()}."
        )
    return steps, is_on_grid


def _first_origins(data: Dataset, issued: Int64[np.ndarray, " R"]) -> Int64[np.ndarray, " R"]:
    """The grid step of the first time that is not before the issue."""
    steps = data.frequency.to_step(issued)
    steps += data.frequency.to_time(steps).astype("i8") < issued
    return steps - (data.frequency.to_time(steps - 1).astype("i8") >= issued)


def _check_unique(
    series: Int64[np.ndarray, " R"],
    steps: Int64[np.ndarray, " R"],
    issued: Int64[np.ndarray, " R"],
    values: np.ndarray,
    rows: Int64[np.ndarray, " R"],
) -> None:
    is_same = (np.diff(series) == 0) & (np.diff(steps) == 0) & (np.diff(issued) == 0)
    differs = is_same & (np.nan_to_num(values[:, 1:]) != np.nan_to_num(values[:, :-1])).any(0)
    if differs.any():
        place = int(np.argmax(differs))
        raise InputError(
            f"{plural(int(differs.sum()), 'row')} of {option('issued_covariates')} repeat time and cutoff of another "
            f"one with other values: rows {rows[place]} and {rows[place + 1]}. Keep one, or add the ids of series."
        )
