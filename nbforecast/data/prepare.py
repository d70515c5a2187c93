"""The way from a frame to a dataset, step by step."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int64

from nbforecast.data.calendar_text import read_calendar
from nbforecast.data.choose_grid import choose_grid
from nbforecast.data.columns import Columns, choose_columns, collect
from nbforecast.data.covariates import Covariates, lay_out_covariates
from nbforecast.data.dataset import Dataset, DataWarning, Names
from nbforecast.data.distinct_series import check_distinct_series
from nbforecast.data.frequency import Frequency, parse_frequency
from nbforecast.data.grid import (
    GridPoints,
    check_fill,
    check_magnitude,
    check_size,
    check_step,
    check_stray_times,
    fill_absent,
    lay_out,
    snap,
)
from nbforecast.data.holidays import check_country
from nbforecast.data.observations import Observations, read_observations, to_polars
from nbforecast.data.siblings import number_groups
from nbforecast.data.source import open_source
from nbforecast.data.span import parse_span
from nbforecast.data.static import read_static
from nbforecast.data.text_times import DATE_ORDERS
from nbforecast.data.units import find_conversion, stated_unit, with_unit
from nbforecast.data.values import DECIMALS, read_covariate
from nbforecast.data.warnings import (
    beside_grid_warnings,
    constant_covariate_warnings,
    dropped_series_warnings,
    duplicate_warnings,
    early_end_warnings,
    gap_warnings,
    hindsight_warnings,
    precision_warnings,
    shift_warnings,
    trimmed_warnings,
)
from nbforecast.errors import InputError, OptionError
from nbforecast.safe_text import brief_repr
from nbforecast.text import option, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import narwhals as nw

_LONGEST_BRIDGE = 12  # steps


def prepare(
    frame: Any,
    *,
    time: str | Sequence[str] | None = None,
    target: str | None = None,
    id: str | Sequence[str] | None = None,
    static: str | Sequence[str] | None = None,
    freq: Any = None,
    calendar: Any = None,
    fill: Any = None,
    max_duration: Any = None,
    max_gap: Any = None,
    date_order: str | None = None,
    decimal: str | None = None,
    unit: str | None = None,
    convert_to: str | None = None,
    future_covariates: str | Sequence[str] | None = None,
    past_covariates: str | Sequence[str] | None = None,
    holidays: str | None = None,
    groups: str | Sequence[str] | None = None,
    name: str | None = None,
) -> Dataset:
    """Read a frame as series on a regular time grid.

    Args:
        frame: A frame that narwhals reads (eager or lazy), a Series or 1-D array, or the path of a CSV or Parquet file
            or of a glucose sensor's export. Without times, the steps are 0, 1, ...
        time: The column of times; by default `ds`, else the only column of times. A list names a column of dates and
            one of times of day; by default these are joined if the dates repeat.
        target: The column of values; by default `y`, else the only column of numbers.
        id: The column of series ids; by default `unique_id` if there is one. Several columns make one id together.
        static: Columns of one value a series, such as a region or a type, to group series by.
        freq: The step, such as `"5min"`, `"h"`, `"MS"`, `"W-SAT"`, a timedelta or an integer; inferred by default. If
            times are integers, `freq="h"` states what a step stands for, and thereby the seasons. A step that is
            coarser than the data is an error: aggregate them first.
        calendar: The hours, weekdays or dates at which rows occur: `"mon-fri 09:30-16:00"`, `"weekends"`, `"third
            friday"`; with closed dates as a pair, `("business", holidays)`. By default it is found in the rows unless
            `freq` is given. Rows off it are left out and counted.
        fill: What an absent row means: a number such as 0, or `"last"` for the value before it. Absent rows are then
            observations, up to the end of the longest series. By default they are missing.
        max_duration: The newest part of each series to use: `"18h"`, `"90d"`, a timedelta or an integer of steps.
        max_gap: The longest gap, in steps or as a duration, that forecasters bridge inside a context; by default half
            of the shortest season, at most 12 steps.
        date_order: How dates such as `1/2/24` are ordered: `"dmy"`, `"mdy"` or `"ymd"`. By default the whole column
            decides, and an error asks where it cannot.
        decimal: The decimal sign of values that are text, `"."` or `","`. By default the whole column decides.
        unit: The unit of the values, for titles; by default the one in brackets after the column's name.
        convert_to: The unit to which the values are converted, such as `"mmol/L"` from `"mg/dL"`.
        future_covariates: Columns that are known ahead, of numbers, booleans or categories; rows after the last value
            carry their future.
        past_covariates: Columns that are known up to the origin.
        holidays: The country, and after a hyphen its part, whose public holidays are covariates: `"DE-BY"`.
        groups: Columns of one value a series, such as a region: a model that reads groups forecasts the series of one
            region together. `"all"` makes one group of all series, unless a column is called so.
        name: The name of the frame in titles.

    Returns:
        The dataset; its `warnings` list what was repaired.

    Raises:
        InputError: If the data cannot be read as series. The message says what, where and what to do.
        OptionError: If an option makes no sense.

    Example:
        >>> prepare({"ds": ["2024-01-01", "2024-01-02", "2024-01-04"], "y": [1.0, 2.0, 4.0]}).values
        array([ 1.,  2., nan,  4.])
    """
    spec = None if freq is None else parse_frequency(freq)
    rule = None if calendar is None else read_calendar(calendar)
    if rule is not None and not rule.is_weekly and spec is not None:
        raise OptionError(
            f"{option('freq')} is not needed where {option('calendar', calendar)} names the dates. Give one of them."
        )
    check_fill(fill)
    newest = None if max_duration is None else parse_span(max_duration, "max_duration")
    check_reading(date_order, decimal)
    for argument, text in (("unit", unit), ("convert_to", convert_to), ("name", name)):
        if text is not None and not isinstance(text, str):
            raise OptionError(f"{option(argument)} takes a text, not {brief_repr(text)}.")
    if isinstance(frame, Dataset):
        raise InputError("This is a prepared dataset already: use it as it is, or give the frame it is made of.")

    source = open_source(frame, time, target, id, date_order)
    columns = choose_columns(source, time, target, id, static, future_covariates, past_covariates, groups)
    table = collect(source, columns)
    as_steps = spec is not None and spec.kind == "integer"
    observations, warnings = read_observations(table, columns, name or source.name, date_order, decimal, as_steps)
    warnings = [*source.warnings, *warnings]
    static_columns = [to_polars(table, name)[observations.rows] for name in columns.static]
    static_table = read_static(static_columns, observations.series, observations.ids, columns.groups)
    _check_distinct(observations, observations.times, table, columns)
    if convert_to is not None:
        factor, summand = find_conversion(unit or stated_unit(observations.names.target), convert_to)
        observations = replace(observations, values=observations.values * factor + summand)

    frequency, observations, grid_warnings = choose_grid(observations, spec, freq, rule)
    bridged = _longest_bridge(max_gap, frequency)

    has_value = ~np.isnan(observations.values)
    observed = observations if has_value.all() else observations.take(has_value)
    _check_any_value(observed)
    check_magnitude(observed)
    points = snap(observed, frequency)
    check_stray_times(points, observed, frequency, at_start=newest is None)
    if points.duplicates.any():
        _check_distinct(observed, frequency.to_step(observed.times), table, columns)
    is_long_enough, dropped_warnings = _find_usable_series(points, observations.ids, frequency)
    points = points.take_series(is_long_enough)
    if newest is not None and fill is None:
        points = points.take_newest(frequency, newest)
    if rule is not None and not rule.is_weekly:
        check_step(points, observed, frequency, option("calendar", rule.text), columns.ids)
    elif spec is not None and (frequency.kind != "integer" or spec.kind == "integer"):
        # a calendar step of integers names them, and merges nothing
        written = option("freq", frequency.alias if isinstance(freq, Frequency) else freq)
        check_step(points, observed, frequency, written, columns.ids)
    check_size(points, observed, frequency)
    fill_warnings: list[DataWarning] = []
    if fill is not None:
        empty = observations.take(~has_value).take_series(is_long_enough)
        points, fill_warnings = fill_absent(points, empty.series, frequency.to_step(empty.times), fill)
        points = points if newest is None else points.take_newest(frequency, newest)  # absent rows count, too

    ids = tuple(name for name, selected in zip(observations.ids, is_long_enough.tolist(), strict=True) if selected)
    warnings += [*grid_warnings, *dropped_warnings, *fill_warnings]
    if not has_value.all() and not columns.future:  # rows after the last value carry covariates
        missing = observations.take(~has_value).take_series(is_long_enough)
        warnings += trimmed_warnings(missing, points, frequency, newest)
    warnings += duplicate_warnings(points, frequency, ids)
    warnings += shift_warnings(points, frequency, ids)
    warnings += gap_warnings(points, frequency, bridged, ids)
    warnings += precision_warnings(points, ids)
    warnings += early_end_warnings(points, frequency, ids)
    warnings += hindsight_warnings(columns.future)

    offsets, steps, values = lay_out(points, len(ids))
    rows = observations.take_series(is_long_enough)
    static_table = static_table.filter(is_long_enough)
    covariates, covariate_warnings = _read_covariates(
        table, columns, rows, frequency, offsets, steps, holidays=holidays, decimal=decimal
    )
    return Dataset(
        ids=ids,
        offsets=offsets,
        time=frequency.to_time(steps),
        values=values,
        frequency=frequency,
        max_gap=bridged,
        time_type=observations.time_type,
        names=_with_unit(observations.names, convert_to or unit),
        warnings=(*warnings, *covariate_warnings),
        covariates=covariates,
        static=static_table if columns.static else None,
        groups=None if columns.groups is None else number_groups(static_table, columns.groups),
    )


def _read_covariates(
    table: nw.DataFrame[Any],
    columns: Columns,
    rows: Observations,
    frequency: Frequency,
    offsets: Int64[np.ndarray, " bounds"],
    steps: Int64[np.ndarray, " rows"],
    *,
    holidays: str | None,
    decimal: str | None,
) -> tuple[Covariates | None, list[DataWarning]]:
    """Lay the named covariates out on the grid of the series, and report repairs; None if there are none."""
    names = [*columns.future, *columns.past]
    if holidays is not None:
        check_country(holidays)
        if frequency.kind == "integer":
            raise OptionError(f"{option('holidays')} needs dates, and the times are steps.")
    elif not names:
        return None, []
    read = [read_covariate(to_polars(table, name)[rows.rows], decimal) for name in names]
    warnings = [warning for _, of_column in read for warning in of_column]
    is_ahead = [name in columns.future for name in names]
    starts, lengths = steps[offsets[:-1]], np.diff(offsets)
    row_steps = frequency.to_step(rows.times)
    if any(is_ahead):
        is_beyond = row_steps >= (starts + lengths)[rows.series]
        warnings += beside_grid_warnings(rows.times[is_beyond], frequency)
    laid_out = lay_out_covariates([c for c, _ in read], is_ahead, rows.series, row_steps, starts, lengths, holidays)
    return laid_out, [*warnings, *constant_covariate_warnings(laid_out)]


def check_reading(date_order: Any, decimal: Any) -> None:
    """Check the options that say how text is read.

    Raises:
        OptionError: If one has a value that makes no sense.
    """
    for argument, choice, choices in (("date_order", date_order, list(DATE_ORDERS)), ("decimal", decimal, DECIMALS)):
        if choice is not None and choice not in choices:
            raise OptionError(f"{option(argument)} takes one of {quoted(choices)}, not {brief_repr(choice)}.")


def _with_unit(names: Names, unit: str | None) -> Names:
    return names if unit is None else replace(names, target=with_unit(names.target, unit))


def _check_distinct(
    observations: Observations, times: Int64[np.ndarray, " rows"], table: nw.DataFrame[Any], columns: Columns
) -> None:
    """Check that rows of one time are no rows of several series; see `check_distinct_series`."""
    check_distinct_series(
        observations.series,
        times,
        columns.ids,
        columns.labels,
        lambda name: to_polars(table, name)[observations.rows],
    )


def _longest_bridge(max_gap: Any, frequency: Frequency) -> int:
    """Return the longest gap, in steps, that forecasters bridge inside a context."""
    if max_gap is None:
        season = frequency.seasons[0] if frequency.seasons else 2 * _LONGEST_BRIDGE
        return max(1, min(_LONGEST_BRIDGE, season // 2))
    if not isinstance(max_gap, (bool, str)) and max_gap == 0:
        return 0
    return parse_span(max_gap, "max_gap").count_steps(frequency, "max_gap")


def _check_any_value(observed: Observations) -> None:
    if not len(observed):
        raise InputError(
            f"Every value of {observed.names.target!r} is missing. Is it the right column? Say with {option('target')}."
        )


def _find_usable_series(
    points: GridPoints, ids: tuple[str, ...], frequency: Frequency
) -> tuple[Bool[np.ndarray, " series"], list[DataWarning]]:
    """Mark the series that have two data points or more, and report the others.

    Raises:
        InputError: If there is no such series.
    """
    sizes = np.bincount(points.series, minlength=len(ids))
    if not (sizes > 1).any():
        subject = "The series has" if len(ids) == 1 else f"Each of the {len(ids):,} series has"
        raise InputError(
            f"{subject} fewer than two data points on a grid of {frequency.describe()}: nothing can be learned from "
            f"that. Give more rows, a finer step with {option('freq')}, or check the columns taken as time and id."
        )
    warnings = dropped_series_warnings("empty_series", np.flatnonzero(sizes == 0), ids)
    warnings += dropped_series_warnings("too_short", np.flatnonzero(sizes == 1), ids)
    return sizes > 1, warnings
