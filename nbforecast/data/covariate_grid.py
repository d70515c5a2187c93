"""Covariates as models read them: on the grid of the series and one horizon beyond, holidays among them."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from nbforecast.data.covariates import Covariates
from nbforecast.data.dataset import DataWarning
from nbforecast.data.holidays import NAMES, holiday_covariates
from nbforecast.text import listing, plural

if TYPE_CHECKING:
    from nbforecast.data.dataset import Dataset

_issued: weakref.WeakKeyDictionary[Dataset, dict[int, Float64[np.ndarray, "I N H1"]]] = weakref.WeakKeyDictionary()
_grids: weakref.WeakKeyDictionary[Dataset, dict[int, Covariates]] = weakref.WeakKeyDictionary()


def covariate_grid(data: Dataset, horizon: int) -> Covariates:
    """Lay the covariates of some data out so that every series has its rows and exactly one horizon of steps beyond.

    Args:
        data: The dataset.
        horizon: H, the number of steps beyond the end of each series.

    Returns:
        The covariates: those known ahead, the holidays, then those known up to the origin.
    """
    grids = _grids.setdefault(data, {})
    if horizon not in grids:
        grids[horizon] = _lay_out(data, horizon)
    return grids[horizon]


def issued_values(data: Dataset, horizon: int) -> Float64[np.ndarray, "I N H1"] | None:
    """The covariates of some data as they were issued by each row; None if there are none.

    Args:
        data: The dataset of N rows.
        horizon: H.

    Returns:
        (I, N, H + 1) values about the row itself and the H steps after it, NaN where none was issued by then.
    """
    if data.issued is None:
        return None
    tables = _issued.setdefault(data, {})
    if horizon not in tables:
        series = np.repeat(np.arange(len(data.ids)), data.lengths)
        tables[horizon] = data.issued.as_of(series, data.steps(), horizon)
    return tables[horizon]


def cut_covariates(
    data: Dataset, rows: Int64[np.ndarray, " R"], context: int, horizon: int
) -> tuple[Float64[np.ndarray, "R L K"], Float64[np.ndarray, "R H K"]]:
    """Cut the covariates of some rows as their contexts are cut.

    Args:
        data: The dataset.
        rows: The R rows.
        context: L, the length of a context in steps.
        horizon: H.

    Returns:
        past: Those of the context, up to the origin; NaN before the series begins.
        future: Those of the horizon; NaN for a covariate that is known up to the origin only (L1).
    """
    grid = covariate_grid(data, horizon)
    place = grid.places(data.offsets)[rows]
    start = grid.offsets[np.searchsorted(grid.offsets, place, side="right") - 1]
    steps = place[:, None] + np.arange(1 - context, 1)
    past = np.where(steps >= start[:, None], grid.values[:, np.maximum(steps, 0)], np.nan)
    future = grid.values[:, place[:, None] + np.arange(1, horizon + 1)]
    future[~grid.is_future] = np.nan
    return np.moveaxis(past, 0, -1), np.moveaxis(future, 0, -1)


def lacks_future(data: Dataset, horizon: int, columns: Int64[np.ndarray, " C"]) -> Bool[np.ndarray, " N"]:
    """Find the rows within whose horizon a covariate is missing.

    Args:
        data: The dataset of N rows.
        horizon: H.
        columns: The numbers of the covariates in the grid, each known ahead.
    """
    grid = covariate_grid(data, horizon)
    counts, place = _count_missing(grid, columns), grid.places(data.offsets)
    return counts[place + horizon + 1] > counts[place + 1]


def lacks_context(
    data: Dataset, horizon: int, columns: Int64[np.ndarray, " C"], context: int
) -> Bool[np.ndarray, " N"]:
    """Find the rows in whose context a covariate is missing.

    Args:
        data: The dataset of N rows.
        horizon: H, of the grid.
        columns: The numbers of the covariates in the grid.
        context: L, in steps; the part before the series begins does not count.
    """
    grid = covariate_grid(data, horizon)
    counts, place = _count_missing(grid, columns), grid.places(data.offsets)
    return counts[place + 1] > counts[np.maximum(place - context + 1, np.repeat(grid.offsets[:-1], data.lengths))]


def describe_missing(data: Dataset, row: int, horizon: int) -> str:
    """Say which covariates known ahead an origin lacks, and at which of the times that are forecast.

    Args:
        data: The dataset.
        row: The origin's row, which lacks one.
        horizon: H.
    """
    grid = covariate_grid(data, horizon)
    place = int(grid.places(data.offsets)[row])
    values = grid.values[grid.is_future][:, place + 1 : place + 1 + horizon]
    names = np.array(grid.names)[grid.is_future]
    remedy = "Add rows with these times, their covariates and no value."
    if data.issued is not None and np.isfinite(values).all():
        values = data.issued.as_of(np.array([data.locate(row)[0]]), data.steps()[[row]], horizon)[:, 0, 1:]
        names, remedy = np.array(data.issued.names), "Give values that were issued by then."
    is_missing = ~np.isfinite(values)
    times = data.times(data.future_times(np.array([row]), horizon)[0][is_missing.any(0)])
    series, index = data.locate(row)
    where = f" of series {data.ids[series]!r}" if len(data.ids) > 1 else ""
    lacking = listing(names[is_missing.any(1)].tolist())
    return (
        f"There is no forecast at index {index}{where}: {lacking} must be known ahead and is missing at "
        f"{plural(len(times), 'time')}, from {times[0]} to {times[-1]}. {remedy}"
    )


def missing_covariates(data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int) -> DataWarning:
    """Report origins that have no forecast because a covariate is not known within their horizon.

    Args:
        data: The dataset.
        rows: The rows of these origins.
        horizon: H.
    """
    grid = covariate_grid(data, horizon)
    lacking: list[str] = []
    for number in np.flatnonzero(grid.is_future):
        column = grid.columns[number]
        if column not in lacking and lacks_future(data, horizon, np.array([number]))[rows].any():
            lacking.append(column)
    is_newest = bool(np.isin(data.offsets[1:] - 1, rows).any())
    origins = plural(len(rows), "origin") + (", the newest included" if is_newest else "")
    if not lacking and data.issued is not None:
        sentence = (
            f"There is no forecast from {origins}: no value of {listing(list(dict.fromkeys(data.issued.columns)))} was "
            "issued by then for every step of the horizon."
        )
        return DataWarning("missing_covariates", len(rows), sentence)
    verb = "is" if len(lacking) == 1 else "are"
    sentence = (
        f"There is no forecast from {origins}: {listing(lacking)} must be known ahead and {verb} missing within the "
        "horizon. Add rows after the last value with their covariates; where a value holds until the next one, fill it "
        "forward."
    )
    return DataWarning("missing_covariates", len(rows), sentence)


def _count_missing(grid: Covariates, columns: Int64[np.ndarray, " C"]) -> Int64[np.ndarray, " R1"]:
    return np.append(0, np.cumsum(np.isnan(grid.values[columns]).any(0)))


def local_dates(data: Dataset, grid_times: Shaped[np.ndarray, "*N"]) -> Shaped[np.ndarray, "*N"]:
    """The dates of grid times on the local clock.

    Args:
        data: The dataset, whose time zone counts.
        grid_times: Times as in `data.time`, of any shape.
    """
    import polars as pl

    times = data.times(grid_times)
    if isinstance(times.dtype, pl.Datetime):
        times = times.dt.replace_time_zone(None)
    return times.cast(pl.Date).to_numpy().astype("datetime64[D]").reshape(grid_times.shape)


def _lay_out(data: Dataset, horizon: int) -> Covariates:
    lengths = data.lengths + horizon
    offsets = np.append(0, np.cumsum(lengths))
    own = data.covariates
    if own is None:
        return Covariates((), np.zeros(0, bool), offsets, np.zeros((0, int(offsets[-1]))))
    position = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    is_given = position < np.repeat(np.diff(own.offsets), lengths)
    place = np.where(is_given, position + np.repeat(own.offsets[:-1], lengths), 0)
    values = np.where(is_given, own.values[:, place], np.nan)
    ahead, late = np.flatnonzero(own.is_future), np.flatnonzero(~own.is_future)
    names, columns = ([texts[k] for k in ahead] for texts in (own.names, own.columns))
    parts = [values[ahead]]
    if own.country is not None:
        first = data.frequency.to_step(data.time[data.offsets[:-1]])
        times = data.frequency.to_time(position + np.repeat(first, lengths))
        parts.append(holiday_covariates(own.country, local_dates(data, times)))
        names += NAMES
        columns += [f"holidays of {own.country}"] * len(NAMES)
    is_future = np.arange(len(names) + len(late)) < len(names)
    return Covariates(
        (*names, *(own.names[k] for k in late)),
        is_future,
        offsets,
        np.concatenate([*parts, values[late]]),
        columns=(*columns, *(own.columns[k] for k in late)),
    )
