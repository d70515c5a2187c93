"""Tables of forecasts in the field's long format, a row a series, origin and step, as arrays (X4)."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from nbforecast.data.dataset import Dataset, DataWarning
from nbforecast.data.forecast_columns import ModelColumns, Roles, find_models, find_roles
from nbforecast.data.forecast_points import Points, check_span, locate_rows
from nbforecast.data.ids import id_expression
from nbforecast.data.observations import SINGLE_SERIES
from nbforecast.data.prepare import prepare
from nbforecast.data.source import open_source
from nbforecast.data.timestamps import TimeColumn, read_times
from nbforecast.errors import InputError
from nbforecast.text import option, plural, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

_ENOUGH_TIMES = 3  # of a series, from which its step can be inferred
_LARGEST_DISAGREEMENT = 1e-5  # of two actual values of one time, relative to them


@dataclass(frozen=True)
class ModelForecasts:
    """The forecasts of one model in a table.

    Attributes:
        model: The model's name.
        levels: The Q ascending probability levels of the draws; None where they are samples.
        ids: The ids of the series.
        series: (O,) the number of each origin's series, ascending.
        times: (O,) the grid time of each origin, ascending in a series.
        draws: (O, H, Q) the draws.
        warnings: What is odd about them.
    """

    model: str
    levels: tuple[float, ...] | None
    ids: tuple[str, ...]
    series: Int64[np.ndarray, " O"]
    times: Shaped[np.ndarray, " O"]
    draws: Float32[np.ndarray, "O H Q"]
    warnings: tuple[DataWarning, ...] = ()


def read_forecasts(
    frame: Any,
    history: Any = None,
    *,
    models: Sequence[str] | None = None,
    time: str | None = None,
    cutoff: str | None = None,
    target: str | None = None,
    id: str | None = None,
    freq: Any = None,
    name: str | None = None,
) -> tuple[Dataset, list[ModelForecasts]]:
    """Read a table of forecasts, and the series that they are of.

    Args:
        frame: The table; see `nbforecast.from_long`.
        history: The series, as `prepare` reads them; None takes the actual values of the table.
        models: The models to read; None for all.
        time: The column of times that are forecast.
        cutoff: The column of the origins' times.
        target: The column of actual values.
        id: The column of series ids.
        freq: The step of the grid; inferred by default.
        name: The name of the data in titles.

    Returns:
        The series, and the forecasts of each model.

    Raises:
        InputError: If the table cannot be read as forecasts of the series. The message says what, where and what to do.
    """
    table = _collect(frame, time, target, id)
    roles = find_roles(table.schema, time, cutoff, target, id)
    columns = find_models(table.schema, roles, models)
    table, ids = _with_ids(table, roles)
    forecast_times = read_times(table[roles.time])
    _check_present(forecast_times, roles.time)
    if roles.cutoff is None:
        data = _read_history(history, freq, name)
        origins = None
    else:
        origins = read_times(table[roles.cutoff])
        _check_present(origins, roles.cutoff)
        _check_kinds(forecast_times, origins, roles)
        data = (
            _read_history(history, freq, name)
            if history is not None
            else _series_of_table(table, roles, forecast_times, origins, freq, name)
        )
    points = locate_rows(data, table, ids, roles, forecast_times, origins)
    if history is None:
        data = _begin_with_origins(data, points)
    check_span(data, points, roles)
    if roles.model is None:
        return data, [_read_model(data, points, table, model, own) for model, own in columns.items()]
    return data, _read_each_model(data, points, table, roles.model, columns, models)


def _read_each_model(
    data: Dataset,
    points: Points,
    table: pl.DataFrame,
    column: str,
    columns: dict[str, ModelColumns],
    models: Sequence[str] | None,
) -> list[ModelForecasts]:
    """Read the forecasts of a table whose rows name their models."""
    import polars as pl

    if len(columns) > 1:
        raise InputError(
            f"The column {column!r} names the models, and so do the columns {quoted(list(columns))}. Drop what are no "
            "forecasts."
        )
    own = next(iter(columns.values()))
    names = table[column].cast(pl.String)
    chosen = names.unique(maintain_order=True).drop_nulls().to_list() if models is None else list(models)
    results = []
    for model in chosen:
        is_of_model = (names == model).fill_null(False).to_numpy()
        if not is_of_model.any():
            raise InputError(f"The table holds no model {model!r}. There are: {quoted(names.unique().to_list())}.")
        results.append(_read_model(data, points.take(is_of_model), table.filter(is_of_model), model, own))
    return results


# --- reading the table -----------------------------------------------------------------------------------------------


def _collect(frame: Any, time: str | None, target: str | None, id: str | None) -> pl.DataFrame:
    """Return all columns of a frame of any library, or of a file, as Polars."""
    import narwhals as nw

    is_path = isinstance(frame, (str, os.PathLike))
    source = open_source(frame, time or ("ds" if is_path else None), target, id)  # a file is no sensor's export
    opened = source.frame
    try:
        table = (opened.collect("polars") if isinstance(opened, nw.LazyFrame) else opened).to_polars()
    except Exception as error:  # of a frame of any library
        raise InputError(f"The table of forecasts cannot be read: {error}") from error
    if not len(table):
        raise InputError("The table of forecasts has no rows.")
    return table


def _with_ids(table: pl.DataFrame, roles: Roles) -> tuple[pl.DataFrame, tuple[str, ...] | None]:
    """Return the table with its ids as text, and the ids; None if it is one series without an id."""
    if roles.id is None:
        return table, None
    table = table.with_columns(id_expression([roles.id], table.schema).alias(roles.id))
    ids = table[roles.id]
    if ids.null_count():
        raise InputError(f"Row {int(ids.is_null().arg_max() or 0)} has no series id in {roles.id!r}.")
    return table, tuple(ids.unique().sort().to_list())


def _check_present(times: TimeColumn, column: str) -> None:
    if times.is_missing.any():
        raise InputError(
            f"{plural(int(times.is_missing.sum()), 'row has', 'rows have')} no time in {column!r}, the first is row "
            f"{int(np.argmax(times.is_missing))}. Fill them in or drop these rows."
        )


def _check_kinds(times: TimeColumn, origins: TimeColumn, roles: Roles) -> None:
    kinds = [(t.has_calendar, t.local_times is not None) for t in (times, origins)]
    if kinds[0] != kinds[1]:
        raise InputError(
            f"The times in {roles.time!r} ({times.time_type}) and in {roles.cutoff!r} ({origins.time_type}) are of "
            "different kinds: both must be dates, both with a time zone or both without, or both integer steps."
        )


# --- the series ------------------------------------------------------------------------------------------------------


def _read_history(history: Any, freq: Any, name: str | None) -> Dataset:
    if history is None:
        raise InputError(
            f"The table of forecasts does not say as of when each forecast was made. Name the column of origins with "
            f"{option('cutoff')}, or give {option('history')}, the series that end where the forecasts begin."
        )
    return history if isinstance(history, Dataset) else prepare(history, freq=freq, name=name)


def _series_of_table(
    table: pl.DataFrame, roles: Roles, times: TimeColumn, origins: TimeColumn, freq: Any, name: str | None
) -> Dataset:
    """Prepare the actual values of the table, each of which may stand beside several origins."""
    import polars as pl

    if roles.target is None or table[roles.target].null_count() == len(table):
        raise InputError(
            f"The table of forecasts holds no actual values. Name their column with {option('target')}, or give the "
            f"series with {option('history')}."
        )
    ids = table[roles.id] if roles.id is not None else pl.Series([SINGLE_SERIES]).gather(np.zeros(len(table), int))
    values = table[roles.target].cast(pl.Float64).fill_nan(None)
    rows = pl.DataFrame([ids.alias("unique_id"), _as_series(times, times.time_type), values.alias("y")])
    actual = rows.drop_nulls("y").group_by("unique_id", "ds").agg(pl.col("y").min(), pl.col("y").max().alias("high"))
    limit = _LARGEST_DISAGREEMENT * pl.max_horizontal(pl.col("y").abs(), pl.col("high").abs())
    differing = actual.filter(pl.col("high") - pl.col("y") > limit)
    if len(differing):
        first = differing.sort("unique_id", "ds").row(0, named=True)
        raise InputError(
            f"The table states different actual values for one time: {first['y']:g} and {first['high']:g} for series "
            f"{first['unique_id']!r} at {first['ds']}. Drop the rows that are wrong, or give {option('history')}."
        )
    actual = actual.select("unique_id", "ds", "y")
    if (
        int(actual["unique_id"].value_counts()["count"].to_numpy().max()) < _ENOUGH_TIMES
    ):  # then the origins help to find the step
        cutoffs = pl.DataFrame([ids.alias("unique_id"), _as_series(origins, times.time_type)]).unique()
        cutoffs = cutoffs.join(actual, on=["unique_id", "ds"], how="anti").with_columns(y=pl.lit(None, pl.Float64))
        actual = pl.concat([actual, cutoffs])
    data = prepare(actual, freq=freq, name=name)
    warnings = tuple(warning for warning in data.warnings if warning.flag != "trimmed")
    return replace(
        data, warnings=warnings, names=replace(data.names, time=roles.time, target=roles.target, id=roles.id)
    )


def _as_series(times: TimeColumn, dtype: pl.DataType) -> pl.Series:
    import polars as pl

    if not times.has_calendar:
        return pl.Series("ds", times.times)
    series = pl.Series("ds", times.times).cast(pl.Datetime("us"))
    zone = getattr(dtype, "time_zone", None)
    return series if zone is None else series.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)


def _begin_with_origins(data: Dataset, points: Points) -> Dataset:
    """Begin each series with its first origin, of which the table need not state an actual value."""
    starts = data.frequency.to_step(data.time[data.offsets[:-1]])
    first = starts.copy()
    is_used = points.series >= 0
    np.minimum.at(first, points.series[is_used], points.origins[is_used])
    added = starts - first
    if not added.any():
        return data
    offsets = np.append(0, np.cumsum(data.lengths + added))
    steps = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - first, np.diff(offsets))
    values = np.full(len(steps), np.nan)
    values[np.arange(len(data)) + np.repeat(np.cumsum(added), data.lengths)] = data.values
    return replace(data, offsets=offsets, time=data.frequency.to_time(steps), values=values)


# --- the forecasts of a model ----------------------------------------------------------------------------------------


def _read_model(
    data: Dataset, points: Points, table: pl.DataFrame, model: str, columns: ModelColumns
) -> ModelForecasts:
    """Lay out the forecasts of a model, one array for each origin.

    Raises:
        InputError: If an origin has two forecasts of a step, or lacks one.
    """
    levels, values, warnings = _read_draws(table, model, columns)
    is_used = points.series >= 0
    points, values = points.take(is_used), values[is_used]
    horizon = int(points.steps.max(initial=1))
    base = int(points.origins.min(initial=0))
    span = int(points.origins.max(initial=0)) - base + 1
    keys, number = np.unique(points.series * span + (points.origins - base), return_inverse=True)
    series, origins = keys // span, keys % span + base
    cell = number * horizon + points.steps - 1
    count = np.bincount(cell, minlength=len(keys) * horizon)
    if (count != 1).any():
        _raise_uneven(data, points, cell, count, series, origins, horizon, model)
    in_order = np.empty_like(values)
    in_order[cell] = values
    draws = in_order.reshape(len(keys), horizon, -1)
    is_finite = np.isfinite(draws).all((1, 2))
    if not is_finite.all():
        sentence = f"{plural(int((~is_finite).sum()), 'forecast')} of {model!r} with missing values are left out."
        warnings.append(DataWarning("missing_forecasts", int((~is_finite).sum()), sentence))
        draws, series, origins = draws[is_finite], series[is_finite], origins[is_finite]
    if not len(draws):
        raise InputError(f"All forecasts of {model!r} are missing.")
    if levels is not None and draws.shape[2] > 1:
        is_crossed = (np.diff(draws, axis=2) < 0).any((1, 2))
        if is_crossed.any():
            sentence = f"Quantiles of {model!r} cross at {plural(int(is_crossed.sum()), 'origin')}: they are sorted."
            warnings.append(DataWarning("crossed_quantiles", int(is_crossed.sum()), sentence))
            draws = np.sort(draws, axis=2)
    times = data.frequency.to_time(origins)
    return ModelForecasts(model, levels, data.ids, series, times, draws, tuple(warnings))


def _read_draws(
    table: pl.DataFrame, model: str, columns: ModelColumns
) -> tuple[tuple[float, ...] | None, Float32[np.ndarray, "R Q"], list[DataWarning]]:
    """Return the levels and the draws of each row; a point forecast is the median where no column is."""
    import polars as pl

    warnings: list[DataWarning] = []
    if columns.samples:
        if columns.levels or columns.point:
            other = plural(len(columns.levels) + (columns.point is not None), "other column")
            sentence = f"The samples of {model!r} serve, and {other} of it {'does' if other[0] == '1' else 'do'} not."
            warnings.append(DataWarning("unused_columns", 1, sentence))
        nested = [name for name in columns.samples if table[name].dtype.is_nested()]
        if nested:
            return None, _unnest(table[nested[0]], model), warnings
        return None, table.select(pl.col(columns.samples).cast(pl.Float32)).to_numpy(), warnings
    levels = dict(columns.levels)
    if columns.point is not None and 0.5 in levels:
        sentence = f"The median of {model!r} is {levels[0.5]!r}; {columns.point!r} is not used."
        warnings.append(DataWarning("unused_columns", 1, sentence))
    elif columns.point is not None:
        levels[0.5] = columns.point
    ordered = tuple(sorted(levels))
    values = table.select(pl.col(levels[level]).cast(pl.Float32).fill_null(np.nan) for level in ordered)
    return ordered, values.to_numpy(), warnings


def _unnest(column: pl.Series, model: str) -> Float32[np.ndarray, "R Q"]:
    import polars as pl

    lists = column.cast(pl.List(pl.Float32))
    sizes = lists.list.len().unique().to_list()
    if len(sizes) != 1 or not sizes[0]:
        raise InputError(f"The rows of {model!r} hold different numbers of samples: {quoted(sizes, 5)}.")
    return lists.explode().fill_null(np.nan).to_numpy().reshape(len(column), -1)


def _raise_uneven(
    data: Dataset,
    points: Points,
    cell: Int64[np.ndarray, " R"],
    count: Int64[np.ndarray, " C"],
    series: Int64[np.ndarray, " O"],
    origins: Int64[np.ndarray, " O"],
    horizon: int,
    model: str,
) -> None:
    """Raise the error of a table in which an origin has two forecasts of a step, or lacks one."""
    is_twice = bool((count > 1).any())
    first = int(np.argmax(count > 1 if is_twice else count == 0))
    origin, step = divmod(first, horizon)
    moments = data.frequency.to_time(origins[[origin]] + np.array([0, step + 1]))
    made, forecast = data.times(moments).to_list()
    where = f"series {data.ids[int(series[origin])]!r} as of {made}, step {step + 1} ({forecast})"
    if is_twice:
        rows = points.rows[cell == first][:2].tolist()
        raise InputError(
            f"{plural(int((count > 1).sum()), 'forecast')} of {model!r} occur twice, the first in rows {rows[0]} and "
            f"{rows[1]}: {where}. Drop one of each two, or name what tells them apart."
        )
    raise InputError(
        f"{plural(int((count == 0).sum()), 'step')} of {model!r} are missing: each origin needs the steps 1 to "
        f"{horizon}, and the first without one is {where}. Drop the origins that lack steps, or the later steps of "
        "the others."
    )
