"""Tables of forecasts in the field's long format, a row per series, origin and step, as arrays (X4)."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64, Int64

from nbforecast.data.dataset import Dataset, DataWarning
from nbforecast.data.forecast_columns import NAMES, ModelColumns, Roles, find_models, find_roles
from nbforecast.data.forecast_draws import ModelForecasts, read_forecasts_of_model
from nbforecast.data.forecast_history import begin_with_origins, read_history, series_of_table
from nbforecast.data.forecast_points import Points, check_order, grid_steps, locate_origins, match_series
from nbforecast.data.frequency import parse_frequency
from nbforecast.data.observations import SINGLE_SERIES, read_ids, to_polars
from nbforecast.data.source import open_source
from nbforecast.data.timestamps import TimeColumn, read_times
from nbforecast.data.values import count_numbers, read_values
from nbforecast.errors import InputError, OptionError
from nbforecast.text import option, plural, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

_HEAD = 100  # texts of a column that tell whether it holds numbers
_LARGEST_DIFFERENCE = 1e-3  # of an actual value of the table from the history's, relative to them


@dataclass(frozen=True)
class _Table:
    """A table of forecasts whose columns are known.

    Attributes:
        frame: All rows.
        roles: The columns that say which forecast a row belongs to.
        models: The columns of each model.
        ids: The ids of the series; None if the table is one series without an id.
        series: (R,) the number of each row's series.
        parts: (R,) the number of the table that each row is of, where the user gives a list of tables.
        actual: (R,) the actual values, NaN where one is not known; None if the table has none.
    """

    frame: pl.DataFrame
    roles: Roles
    models: dict[str, ModelColumns]
    ids: tuple[str, ...] | None
    series: Int64[np.ndarray, " R"]
    parts: Int64[np.ndarray, " R"] | None
    actual: Float64[np.ndarray, " R"] | None


def read_forecasts(
    frame: Any,
    history: Any = None,
    *,
    models: Sequence[str] | None = None,
    model: str | None = None,
    time: str | None = None,
    cutoff: str | None = None,
    target: str | None = None,
    id: str | Sequence[str] | None = None,
    freq: Any = None,
    date_order: str | None = None,
    decimal: str | None = None,
    name: str | None = None,
) -> tuple[Dataset, list[ModelForecasts]]:
    """Read a table of forecasts, and the series that they are of.

    Args:
        frame: The table, or a list of tables each of which is one forecast of a series; see `nbforecast.from_long`.
        history: The series, as `prepare` reads them, or a dataset; None takes the actual values of the table.
        models: The models to read; None for all.
        model: What to call the only model of the table; by default as its column.
        time: The column of times that are forecast.
        cutoff: The column of the origins' times.
        target: The column of actual values.
        id: The column or columns of series ids.
        freq: The step of the grid; inferred by default.
        date_order: How dates such as `1/2/24` are ordered.
        decimal: The decimal sign of values that are text.
        name: The name of the data in titles.

    Returns:
        The series, and the forecasts of each model.

    Raises:
        InputError: If the table cannot be read as forecasts of the series. The message says what, where and what to do.
        OptionError: If an option makes no sense.
    """
    table = _open_table(frame, models, time, cutoff, target, id, decimal)
    roles = table.roles
    options = {"freq": freq, "date_order": date_order, "decimal": decimal, "name": name}
    data = None if history is None else read_history(history, roles, **options)
    as_steps = data.frequency.kind == "integer" if data is not None else _counts_steps(freq)
    times, cutoffs = _read_times(table, date_order, as_steps)
    warnings = list(times.warnings)
    if data is None:
        if cutoffs is None:
            raise InputError(
                f"The table of forecasts does not say as of when each forecast was made. Name the column of origins "
                f"with {option('cutoff')}, or give {option('history')}, the series that end where the forecasts begin."
            )
        ids = table.ids or (SINGLE_SERIES,)
        del options["date_order"], options["decimal"]  # the times and values are read
        data = series_of_table(ids, table.series, times, cutoffs, table.actual, roles, **options)
    numbers, more = match_series(data, table.ids, history is not None)
    warnings += more
    series = numbers[table.series]
    steps = grid_steps(data, times, roles.time)
    if cutoffs is not None:
        origins = grid_steps(data, cutoffs, roles.cutoff or "")
    else:
        origins = _following_origins(data, table, series, steps)
    check_order(steps, origins, roles, table.frame)
    rows = np.flatnonzero(series >= 0)
    if not len(rows):
        raise InputError("All series of the table of forecasts are left out. " + " ".join(map(str, data.warnings)))
    if history is None:
        data = begin_with_origins(data, series[rows], origins[rows])
    points = Points(locate_origins(data, series[rows], origins[rows], rows), (steps - origins)[rows], rows)
    if history is not None and table.actual is not None:
        warnings += _compare_actuals(data, points, table.actual[rows], roles)
    data = replace(data, warnings=(*data.warnings, *warnings))
    return data, _read_models(data, points, table, models, model)


def _read_models(
    data: Dataset, points: Points, table: _Table, models: Sequence[str] | None, model: str | None
) -> list[ModelForecasts]:
    """Read the forecasts of every model, which columns name or rows do."""
    import polars as pl

    if table.roles.model is None:
        names = list(table.models)
        groups = [(points, columns) for columns in table.models.values()]
    else:
        column = table.frame[table.roles.model].cast(pl.String)[points.rows]
        if column.null_count():
            row = int(points.rows[int(column.is_null().arg_max() or 0)])
            raise InputError(f"Row {row} names no model in {table.roles.model!r}. Fill it in or drop the row.")
        present = column.unique(maintain_order=True).to_list()
        names = present if models is None else list(models)
        absent = next((name for name in names if name not in present), None)
        if absent is not None:
            raise InputError(f"The table holds no model {absent!r}. There are: {quoted(present)}.")
        columns = next(iter(table.models.values()))
        groups = [(points.take((column == name).to_numpy()), columns) for name in names]
    if model is not None:
        if len(names) > 1:
            raise OptionError(f"model={model!r} names one model, and the table holds {len(names)}: {quoted(names)}.")
        names = [model]
    return [
        read_forecasts_of_model(data, own, table.frame, name, columns)
        for name, (own, columns) in zip(names, groups, strict=True)
    ]


# --- the table -------------------------------------------------------------------------------------------------------


def _open_table(
    frame: Any,
    models: Sequence[str] | None,
    time: str | None,
    cutoff: str | None,
    target: str | None,
    id: str | Sequence[str] | None,
    decimal: str | None,
) -> _Table:
    """Open a table and find what its columns hold."""
    import narwhals as nw
    import polars as pl

    parts = None
    is_list = isinstance(frame, (list, tuple)) and not any(isinstance(part, (int, float)) for part in frame)
    if is_list:
        if not frame:
            raise InputError("The list of tables of forecasts is empty.")
        opened = [_collect(part, id) for part in frame]
        parts = np.repeat(np.arange(len(opened)), [len(part) for part, _ in opened])
        try:
            content = pl.concat([part for part, _ in opened], how="vertical_relaxed")
        except pl.exceptions.PolarsError as error:
            raise InputError(f"The tables of forecasts differ in their columns: {error}") from error
        index_ids = opened[0][1]
    else:
        content, index_ids = _collect(frame, id)
    if not len(content):
        raise InputError("The table of forecasts has no rows.")
    roles = find_roles(content.schema, time, cutoff, target, id, index_ids)
    if target is None and roles.model is None and roles.target in (models or ()):
        roles = replace(roles, target=None)  # Darts calls a forecast like its target
    actual = None if roles.target is None else read_values(content[roles.target], decimal)[0]
    content = _parse_text(content, roles, decimal)
    columns = find_models(content.schema, roles, models)
    if not columns:
        hint = (
            "" if roles.target is None else f" If {roles.target!r} is a forecast, say so with models={roles.target!r}."
        )
        raise InputError(
            f"The table holds no forecasts: none of {quoted(list(content.columns))} is a column of numbers beside the "
            f"times, ids and actual values.{hint}"
        )
    if roles.model is not None and len(columns) > 1:
        raise InputError(
            f"The column {roles.model!r} names the models, and so do the columns {quoted(list(columns))}. Drop what "
            "are no forecasts."
        )
    series, ids = (np.zeros(len(content), np.int64), None)
    if roles.ids:
        series, ids = read_ids(nw.from_native(content), roles.ids)
    return _Table(content, roles, columns, ids, series, parts, actual)


def _collect(frame: Any, id: str | Sequence[str] | None) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return all columns of a frame of any library, or of a file, and the names of those made of index levels."""
    import narwhals as nw
    import polars as pl

    is_path = isinstance(frame, (str, os.PathLike))
    # a file is no sensor's export, and no column of a table of forecasts is a series of its own
    source = open_source(frame, NAMES["time"][0], None, id or (NAMES["id"] if is_path else None))
    try:
        table = source.frame.collect("polars") if isinstance(source.frame, nw.LazyFrame) else source.frame
        return pl.DataFrame([to_polars(table, name) for name in table.columns]), source.index_ids
    except Exception as error:  # of a frame of any library
        raise InputError(f"The table of forecasts cannot be read: {error}") from error


def _parse_text(content: pl.DataFrame, roles: Roles, decimal: str | None) -> pl.DataFrame:
    """Read text columns of numbers, and leave out those of other text."""
    import polars as pl

    taken = {roles.time, roles.cutoff, roles.target, roles.model, *roles.ids}
    columns = {}
    for name, dtype in content.schema.items():
        if name in taken or dtype != pl.String:
            continue
        head = content[name].drop_nulls().head(_HEAD).to_list()
        if head and 2 * count_numbers(head)[0] > len(head):
            columns[name] = read_values(content[name], decimal)[0]
    return content.with_columns(**columns) if columns else content


def _counts_steps(freq: Any) -> bool:
    return freq is not None and parse_frequency(freq).kind == "integer"


def _read_times(table: _Table, date_order: str | None, as_steps: bool) -> tuple[TimeColumn, TimeColumn | None]:
    """Read the times that are forecast and those of the origins; text of both together decides how it is read."""
    import polars as pl

    roles, frame = table.roles, table.frame
    if roles.cutoff is None:
        times = read_times(frame[roles.time], date_order, as_steps)
        _check_present(times, roles.time)
        return times, None
    forecast, origin = frame[roles.time], frame[roles.cutoff]
    if forecast.dtype == origin.dtype:
        both = read_times(pl.concat([forecast, origin.alias(roles.time)]), date_order, as_steps)
        times, cutoffs = _half(both, slice(0, len(frame))), _half(both, slice(len(frame), None))
    else:
        times, cutoffs = (read_times(column, date_order, as_steps) for column in (forecast, origin))
    _check_present(times, roles.time)
    _check_present(cutoffs, roles.cutoff)
    kinds = [(column.has_calendar, column.local_times is not None) for column in (times, cutoffs)]
    if kinds[0] != kinds[1]:
        raise InputError(
            f"The times in {roles.time!r} ({times.time_type}) and in {roles.cutoff!r} ({cutoffs.time_type}) are of "
            "different kinds: both must be dates, both with a time zone or both without, or both integer steps."
        )
    return times, cutoffs


def _half(column: TimeColumn, rows: slice) -> TimeColumn:
    local_times = None if column.local_times is None else column.local_times[rows]
    return replace(column, times=column.times[rows], local_times=local_times, is_missing=column.is_missing[rows])


def _check_present(times: TimeColumn, column: str) -> None:
    if times.is_missing.any():
        raise InputError(
            f"{plural(int(times.is_missing.sum()), 'row has', 'rows have')} no time in {column!r}, the first is row "
            f"{int(np.argmax(times.is_missing))}. Fill them in or drop these rows."
        )


def _following_origins(
    data: Dataset, table: _Table, series: Int64[np.ndarray, " R"], steps: Int64[np.ndarray, " R"]
) -> Int64[np.ndarray, " R"]:
    """The grid step of each row's origin in tables without origins.

    Forecasts follow the last data point of the history; where each table of a list is one forecast, the point before
    the first time of a series in it.
    """
    if table.parts is None:
        last = data.frequency.to_step(data.time[data.offsets[1:] - 1])
        return np.where(series >= 0, last[series], steps - 1)
    forecast = table.parts * (int(table.series.max()) + 1) + table.series
    first = np.full(int(forecast.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, forecast, steps)
    return first[forecast] - 1


def _compare_actuals(
    data: Dataset, points: Points, actual: Float64[np.ndarray, " R"], roles: Roles
) -> list[DataWarning]:
    """Tell where the table states other actual values than the history."""
    ends = data.offsets[np.searchsorted(data.offsets, points.origins, side="right")]
    rows = points.origins + points.steps
    own = np.where(rows < ends, data.values[np.minimum(rows, len(data) - 1)], np.nan)
    with np.errstate(invalid="ignore"):
        differs = np.abs(own - actual) > _LARGEST_DIFFERENCE * np.maximum(np.abs(own), np.abs(actual))
    if not differs.any():
        return []
    first = int(np.argmax(differs))
    sentence = (
        f"{plural(int(differs.sum()), 'actual value')} in {roles.target!r} of the table of forecasts "
        f"{'differs' if differs.sum() == 1 else 'differ'} from the history, whose values serve (first: row "
        f"{int(points.rows[first])}, {actual[first]:g} in the table, {own[first]:g} in the history)."
    )
    return [DataWarning("other_actuals", int(differs.sum()), sentence)]
