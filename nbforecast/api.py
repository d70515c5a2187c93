"""`nbforecast.forecast`, `nbforecast.quickdraw` and `nbforecast.from_long`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack, overload

from nbforecast.data.forecast_table import read_forecasts
from nbforecast.data.span import horizon_steps
from nbforecast.errors import OptionError
from nbforecast.forecasters.registry import resolve
from nbforecast.forecasters.table_forecaster import TableForecaster
from nbforecast.option_keywords import ForecastKeywords, takes_options
from nbforecast.options import DrawOptions, ForecastOptions, Style
from nbforecast.session import current_session, wait_or_cancel

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    import numpy as np

    from nbforecast.data import Dataset
    from nbforecast.data.forecast_draws import ModelForecasts
    from nbforecast.forecast_chart import Chart
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.options import ModelLike
    from nbforecast.run import Run


@overload
def forecast(
    frame: Any,
    model: ModelLike = None,
    horizon: int | str | dt.timedelta = 12,
    *,
    wait: bool = False,
    **options: Unpack[ForecastKeywords],
) -> Run: ...
@overload
def forecast(
    frame: Any,
    model: list[Any] | tuple[Any, ...],
    horizon: int | str | dt.timedelta = 12,
    *,
    wait: bool = False,
    **options: Unpack[ForecastKeywords],
) -> dict[str, Run]: ...
def forecast(
    frame: Any,
    model: ModelLike | list[Any] | tuple[Any, ...] = None,
    horizon: int | str | dt.timedelta = 12,
    *,
    time: str | Sequence[str] | None = None,
    target: str | None = None,
    id: str | Sequence[str] | None = None,
    static: str | Sequence[str] | None = None,
    freq: Any = None,
    calendar: Any = None,
    fill: Any = None,
    minimum: float | None = None,
    maximum: float | None = None,
    max_duration: Any = None,
    date_order: str | None = None,
    decimal: str | None = None,
    unit: str | None = None,
    convert_to: str | None = None,
    future_covariates: str | Sequence[str] | None = None,
    past_covariates: str | Sequence[str] | None = None,
    issued_covariates: Any = None,
    holidays: str | None = None,
    groups: str | Sequence[str] | None = None,
    origins: Any = None,
    every: Any = None,
    at: str | dt.time | None = None,
    seed: int = 0,
    force: bool = False,
    exact: bool = False,
    learn: bool = False,
    calibrate: bool = False,
    wait: bool = False,
    name: str | None = None,
) -> Run | dict[str, Run]:
    """Forecast from every origin of a series or panel, in the background.

    Args:
        frame: The data: a table that narwhals reads (Polars, pandas, PyArrow, DuckDB and others), the path of a CSV or
            Parquet file, a Series, or an array of values (N,).
        model: A name from `nbforecast.models()`; a forecaster; a fitted model of scikit-learn, statsforecast, Darts or
            neuralforecast; or a function of contexts (B, L) and the horizon that returns points (B, H). A function that
            returns draws (B, H, Q) is registered first, with `nbforecast.register`. None is the default model. A list
            of models gives a run of each; with `learn`, one run that corrects the first by all of them.
        horizon: Number of steps to forecast, H, from 1 to 4096; or a span such as "1h" or "28d", which is as many whole
            steps as it holds.
        time: Column of times; found by itself where only one column can be it. A list names a column of dates and one
            of times of day.
        target: Column of values; found by itself where only one column can be it.
        id: Column that names the series of a panel. Several columns make one id together, such as `north/milk`.
        static: Columns of one value a series, such as a region or a type; `run.scores(by="region")` groups by them.
        freq: Step of the grid, such as "5min", "h", "D" or "MS"; inferred by default.
        calendar: Hours, weekdays or dates at which rows occur: "business", "mon-fri 09:30-16:00", "third friday"; with
            closed dates as a pair, ("business", holidays). Found by default, unless `freq` is given. Indices and the
            horizon count its slots, and rows off it are left out.
        fill: What an absent row means: a number such as 0, or "last" for the value before it. By default it is missing.
        minimum: Smallest value of a forecast; lower draws are moved to it.
        maximum: Largest value of a forecast; higher draws are moved to it.
        max_duration: Newest part of the data to use: "18h", "90d", a timedelta or a number of steps.
        date_order: How dates such as 1/2/24 are ordered: "dmy", "mdy" or "ymd"; the whole column decides by default.
        decimal: Decimal sign of values that are text, "." or ","; the whole column decides by default.
        unit: Unit of the values, for titles; by default the one in brackets after the column's name.
        convert_to: Unit to convert the values to, such as "mmol/L" from "mg/dL".
        future_covariates: Columns that are known ahead, of numbers, booleans or categories, such as promotions or
            forecasts of the weather. Rows after the last value carry their future, and an origin without them within
            the horizon is unavailable. A column known in hindsight only, the weather itself, flatters past forecasts.
        past_covariates: Columns that are known up to the origin.
        issued_covariates: A table, or the path of a file, of values as they were issued over time, such as forecasts of
            the weather: `ds` (the time a value is about), `cutoff` (when it was issued), ids if series differ, and the
            values. At each origin the newest value about a time counts whose cutoff is at or before the origin.
        holidays: Country whose public holidays, their eves and bridge days are known ahead: "DE", "DE-BY", "US-CA".
            Covariates imply `learn`.
        groups: Columns of one value a series, such as a region: a model that reads groups, such as Chronos-2, forecasts
            each series from the values of all series of its region up to the origin. "all" makes one group of all
            series, unless a column is called so.
        origins: Origins to forecast from, all by default: "latest" (the newest of each series), a slice or a list of
            indices or times (`slice("2024-12-01", "2024-12-31")`; both ends are included, and a day to its end).
            Nothing else is inferred, but the past origins that `calibrate` needs. Any origin that is read with
            `run.at` is still inferred at once.
        every: Distance of two origins: a span such as "1d", counted back from the newest origin, or a number of steps.
        at: Time of day of the origins, such as "23:45": of each day the last origin at or before it, in the data's
            own zone.
        seed: Seed of models that draw random numbers.
        force: Whether to ignore cached results.
        exact: Whether every forecast is made from this history alone. By default the cache serves a shorter history
            from a longer one with the same end, and the run has a warning that says so. `max_duration` implies it.
        learn: Whether to correct the forecasts by what the model's own past errors teach, as of each origin. This needs
            its forecasts from all origins; `run.base` is the run without it.
        calibrate: Whether to calibrate the prediction intervals at 50, 80, 90 and 95 % with the past forecast errors
            of each series.
        wait: Whether to return only when the run is done; an interrupt (Ctrl-C) then cancels the run.
        name: What to call the data in titles.

    Returns:
        A run, which fills in while it is read; for a list of models without `learn` a dict of runs by the
        models' names.

    Raises:
        InputError: The data cannot be read as time series.
        OptionError: An option has a value that makes no sense.
        UnknownModel: No model has this name.
        NbForecastError: The model failed; only with `wait`, otherwise `run.wait()` raises it.

    Example:
        >>> run = nbf.forecast(df, "naive", horizon=12, wait=True)  # 300 rows
        >>> run.array.shape
        (300, 12, 10)
    """
    # every parameter but `frame` and `wait` is an option; a test compares them
    options = ForecastOptions.from_arguments(locals())
    if isinstance(model, (list, tuple)) and not current_session().learns(options):
        runs = current_session().forecast_each(frame, model, options)
        return {name: wait_or_cancel(run) for name, run in runs.items()} if wait else runs
    run = current_session().forecast(frame, options)
    return wait_or_cancel(run) if wait else run


@takes_options(ForecastKeywords)
def quickdraw(
    frame: Any,
    index: int | str | dt.date | np.datetime64 = 0,
    series: str | None = None,
    model: str | Forecaster | Callable[..., Any] | None = None,
    horizon: int | str | dt.timedelta = 12,
    *,
    style: Style = "bands",
    **options: Unpack[ForecastKeywords],
) -> Chart:
    """Draw the forecast as of one origin at once; the other origins follow in the background, those nearby first.

    Args:
        frame: The data, as for `forecast`.
        index: Index of the origin, 0 for the last data point, -24 for 24 grid steps before it; or a time, such as
            "2025-01-31 18:00", for the last grid point at or before it.
        series: Id of the series of a panel; None is the first one, and a notice names others.
        model: The model, as for `forecast`.
        horizon: Number of steps to forecast, H, or a span.
        style: "bands" for prediction intervals, "density" for densities, "paths" for some joint paths.
        **options: The other options of `forecast`: time, target, id, static, freq, calendar, fill, minimum,
            maximum, max_duration, date_order, decimal, unit, convert_to, future_covariates, past_covariates,
            issued_covariates, holidays, groups, origins, every, at, seed, force, exact, learn, calibrate, name.

    Returns:
        A chart, which shows itself in a notebook. `chart.forecast` has the numbers, `chart.run` the other origins.

    Raises:
        IndexOutOfRange: The series has no such origin; nothing is inferred.
        OriginUnavailable: The origin cannot be forecast; the error states the reason.
        InputError: The data cannot be read as time series.
        OptionError: An option has a value that makes no sense.

    Example:
        >>> chart = nbf.quickdraw(df, -24, model="naive")
        >>> chart.save(folder / "taxi.svg").name
        'taxi.svg'
    """
    draw = DrawOptions(index=index, series=series, style=style)
    return current_session().quickdraw(frame, draw, ForecastOptions(model=model, horizon=horizon, **options))


def from_long(
    frame: Any,
    history: Any = None,
    *,
    models: str | Sequence[str] | None = None,
    model: str | None = None,
    horizon: int | str | dt.timedelta | None = None,
    time: str | None = None,
    cutoff: str | None = None,
    target: str | None = None,
    id: str | Sequence[str] | None = None,
    freq: Any = None,
    date_order: str | None = None,
    decimal: str | None = None,
    learn: bool = False,
    calibrate: bool = False,
    name: str | None = None,
) -> Run | dict[str, Run]:
    """Take forecasts that were made elsewhere as runs, to be scored, explored, compared, calibrated and reported.

    The table has a row per series, origin and step: what `cross_validation` of statsforecast, mlforecast,
    neuralforecast and TimeGPT returns, forecasts of AutoGluon, Chronos and Darts, and plain tables. Nothing is
    inferred: origins that the table does not hold are unavailable.

    Args:
        frame: The table: a frame that narwhals reads, or the path of a CSV, Parquet or Excel file. Each column of
            numbers beside the times, ids and actual values holds forecasts: `MODEL` points, `MODEL-lo-80` and
            `MODEL-hi-80` the ends of central intervals, `MODEL-median`, `MODEL-q-10`, `MODEL_q0.1` or `0.1` quantiles,
            `MODEL-sample-3` or `MODEL_s3` samples, as does a column of lists. A text column `model` names the model of
            each row. A list of tables holds one forecast of each series in each table, made one step before its
            first time.
        history: The series themselves, as for `forecast`, or `run.data` of a run to compare with. They give MASE its
            scale and charts their past, and the forecasts of one table without origins follow their last data points.
            None takes the table's actual values.
        models: The models to take; None takes all.
        model: What to call the only model of the table; by default as its column, or `forecast` if that names none.
        horizon: Steps to take, or a span such as "1d"; None takes all. Runs are compared at equal horizons.
        time: Column of the times that are forecast; by default `ds`, `timestamp`, `time` or `date`.
        cutoff: Column of the origins: the time of the last value that a forecast knows; by default `cutoff`.
        target: Column of actual values; by default `y` or `target`.
        id: Column of series ids, or several that make one together; by default `unique_id`, `item_id` or `id`.
        freq: Step of the grid; inferred by default.
        date_order: How dates such as `1/2/24` are ordered, as for `forecast`.
        decimal: The decimal sign of values that are text, as for `forecast`.
        learn: Whether to correct the forecasts by what their own past errors teach, as for `forecast`; `run.base` has
            those of the table.
        calibrate: Whether to calibrate the prediction intervals with the past forecast errors of each series.
        name: What to call the data in titles.

    Returns:
        The run of the table's model, complete with its scores; where the table holds several, a dict of runs by model.

    Raises:
        InputError: The table cannot be read as forecasts of the series: times off the grid, steps that are missing or
            occur twice, series that the history lacks. The message names the first.

    Example:
        >>> table = nbf.forecast(df, "naive", wait=True).to_long()
        >>> nbf.from_long(table, df).scores()["mae"].item() > 0
        True
    """
    chosen = [models] if isinstance(models, str) else models
    data, tables = read_forecasts(
        frame, history, models=chosen, model=model, time=time, cutoff=cutoff, target=target, id=id, freq=freq,
        date_order=date_order, decimal=decimal, name=name,
    )  # fmt: skip
    session = current_session()
    runs = {}
    for table in tables:
        forecaster = resolve(TableForecaster.from_rows(table.model, table.levels, data, table.rows, table.draws))
        steps = _steps(table, horizon, data)
        options = ForecastOptions(model=forecaster, horizon=steps, learn=learn, calibrate=calibrate)
        own = replace(data, warnings=(*data.warnings, *table.warnings))
        session.log_warnings(own)
        runs[table.model] = session.forecast_data(own, forecaster, options)
    for run in runs.values():
        wait_or_cancel(run)
    return next(iter(runs.values())) if len(runs) == 1 else runs


def _steps(table: ModelForecasts, horizon: int | str | dt.timedelta | None, data: Dataset) -> int:
    """How many steps of a table's forecasts are taken."""
    most = table.draws.shape[1]
    steps = most if horizon is None else horizon_steps(ForecastOptions(horizon=horizon).horizon, data.frequency)
    if steps > most:
        raise OptionError(f"horizon= asks for {steps} steps, and the forecasts of {table.model!r} have {most}.")
    return steps
