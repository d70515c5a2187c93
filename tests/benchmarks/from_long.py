"""The time from a table of forecasts that another tool has made to a run with its scores."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

import nbforecast as nbf
from nbforecast.data.forecast_table import read_forecasts
from tests.benchmarks.series import walk
from tests.benchmarks.table import Table, milliseconds, number, ratio
from tests.benchmarks.timing import compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HORIZON = 24
COLUMNS = ("model", "model-lo-80", "model-hi-80")


def tables(quick: bool) -> Iterator[Table]:
    series, origins, repeats = (5, 40, 1) if quick else (100, 417, 3)
    history = walk(series * (origins + 100 + HORIZON), series=series)
    table = backtest(history, series, origins)
    pandas = table.to_pandas()
    disordered = pandas.sample(frac=1, random_state=0)

    def run() -> Any:
        nbf.cache.flush()
        return nbf.from_long(table, history)

    calls: dict[str, Callable[[], Any]] = {
        "reading, with the history": lambda: read_forecasts(table, history),
        "reading, without": lambda: read_forecasts(table),
        "reading, from pandas in disorder": lambda: read_forecasts(disordered, history),
        "`from_long`: a run with every score, saved": run,
        "pandas: MAE, RMSE, pinball and coverage by series, by hand": lambda: evaluate(pandas),
    }
    if find_spec("utilsforecast"):
        calls["utilsforecast: the same four, by series"] = lambda: evaluate_with_utilsforecast(table)
    seconds = compare(calls, repeats)
    reference = seconds["reading, with the history"]
    rows = [(name, milliseconds(t), number(1e9 * t / len(table)), ratio(t / reference)) for name, t in seconds.items()]
    note = (
        "A run has nine scores of every origin and step, by origin, series and horizon, and is in the cache afterwards."
    )
    yield Table(f"A table of {len(table):,} forecasts", ("", "ms", "ns a row", "to reading"), rows, (note,))


def backtest(history: pl.DataFrame, series: int, origins: int) -> pl.DataFrame:
    """Forecasts of the last value, with an interval, as of many origins of each series."""
    y = history["y"].to_numpy().reshape(series, -1)
    ds = history["ds"].to_numpy().reshape(series, -1)
    at = np.arange(100, 100 + origins)
    steps = at[:, None] + np.arange(1, HORIZON + 1)
    cutoffs = np.repeat(ds[:, at, None], HORIZON, axis=2)
    point = np.repeat(y[:, at, None], HORIZON, axis=2)
    ids = history["unique_id"].unique(maintain_order=True)
    return pl.DataFrame(
        {
            "unique_id": ids.gather(np.repeat(np.arange(series), origins * HORIZON)),
            "ds": ds[:, steps].ravel(),
            "cutoff": cutoffs.ravel(),
            "y": y[:, steps].ravel(),
            **{name: (point + shift).ravel() for name, shift in zip(COLUMNS, (0, -3, 3), strict=True)},
        }
    )


def evaluate(frame: Any) -> Any:
    """Four scores by series, as one writes them with pandas."""
    actual, (point, low, high) = frame["y"], (frame[name] for name in COLUMNS)
    error = actual - point
    losses = [np.maximum(q * (actual - f), (q - 1) * (actual - f)) for q, f in ((0.1, low), (0.5, point), (0.9, high))]
    columns = {
        "mae": error.abs(),
        "rmse": error**2,
        "pinball": sum(losses) / 3,
        "coverage": actual.between(low, high),
    }
    return frame[["unique_id"]].assign(**columns).groupby("unique_id").mean()


def evaluate_with_utilsforecast(table: pl.DataFrame) -> Any:
    """The same scores with the losses of utilsforecast."""
    from utilsforecast import losses

    quantiles = {COLUMNS[0]: [COLUMNS[1], COLUMNS[0], COLUMNS[2]]}
    return (
        losses.mae(table, COLUMNS[:1]),
        losses.rmse(table, COLUMNS[:1]),
        losses.mqloss(table, quantiles, np.array([0.1, 0.5, 0.9])),
        losses.coverage(table, COLUMNS[:1], 80),
    )
