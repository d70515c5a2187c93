"""`nbforecast.watch`: from a source to live forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from nbforecast.live.live import Live
from nbforecast.option_keywords import ForecastKeywords, takes_options
from nbforecast.options import ForecastOptions

if TYPE_CHECKING:
    import datetime as dt


@takes_options(ForecastKeywords)
def watch(
    source: Any,
    model: Any = None,
    horizon: int | str | dt.timedelta = 12,
    *,
    poll: str | float | dt.timedelta = "30s",
    **options: Unpack[ForecastKeywords],
) -> Live:
    """Forecast data that grow: each new row infers one origin, is scored, learned from, calibrated and saved.

    Rows that come late, and rows that are corrected, infer what they touch. A source that fails is tried again with
    growing pauses: `live.error` says why, and a warning is logged. Nothing that was read is lost.

    Args:
        source: A CSV or Parquet file, or a folder of them, which is looked at when it changes (with the `watch` extra;
            without it, when it is polled); a query of DuckDB that begins with SELECT, FROM or WITH; or a function
            without arguments that returns a frame of all rows, or of new ones: rows of the same series and time replace
            earlier ones. A last line of a text file that has no line end yet is not read.
        model: The model, as for `forecast`; several with `learn`.
        horizon: Number of steps to forecast, H, or a span.
        poll: Time between two looks at a source that announces no changes, such as "30s", or seconds.
        **options: The other options of `forecast`.

    Returns:
        The live run. In a cell it is an explorer that follows the newest origin. `live.run` is the run as of now,
        `live.when` calls a function or a command at events, `live.wait` waits for rows, `live.stop` ends it.

    Raises:
        InputError: What the source holds cannot be read as time series.
        OptionError: An option has a value that makes no sense, or the source is none.
        MissingExtra: The source is a query, and the library duckdb is not installed.

    Example:
        >>> live = nbf.watch("glucose.csv", horizon="1h", calibrate=True)
        >>> live.run.at(0).interval(80)
        >>> live.stop()
    """
    return Live(source, ForecastOptions(model=model, horizon=horizon, **options), poll)
