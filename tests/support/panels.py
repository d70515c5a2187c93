"""A panel in Parquet for tests of shards, models that fail or wait, and what shards must hold."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import nbforecast as nbf
from tests.support.cache_files import LastValueModel

ROWS = 60
SHARD = 4


def panel(series: int = 12, rows: int = ROWS, seed: int = 0) -> pl.DataFrame:
    """Hourly series with missing values, rows in no order."""
    rng = np.random.default_rng(seed)
    hours = np.datetime64("2024-01-01T00", "us") + np.arange(rows) * np.timedelta64(1, "h")
    y = rng.standard_normal((series, rows)).cumsum(1) + 50
    y[rng.random(y.shape) < 0.02] = np.nan
    y[:, [0, -1]] = 50
    frame = pl.DataFrame(
        {
            "unique_id": np.repeat([f"s{i:02}" for i in range(series)], rows),
            "ds": np.tile(hours, series),
            "y": y.ravel(),
        }
    )
    return frame.sample(fraction=1.0, shuffle=True, seed=1)


def forecast(source: Any, to: Path, model: Any = None, **options: Any) -> nbf.DatasetRun:
    return nbf.forecast_dataset(
        source, to, model=model or LastValueModel(), horizon=3, series_per_shard=SHARD, wait=True, **options
    )


def states(run: nbf.DatasetRun) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in run.folder.iterdir() if p.suffix == ".parquet"}


def assert_as_forecast(run: nbf.DatasetRun, frame: pl.DataFrame, model: Any, horizon: int = 3) -> None:
    """Series by series what nbf.forecast says of it alone."""
    found = run.frame.select("unique_id", "index", "forecast", "crps").collect()
    for name in frame["unique_id"].unique().sort():
        alone = nbf.forecast(frame.filter(unique_id=name), model, horizon, wait=True, force=True).frame
        mine = found.filter(pl.col("unique_id") == name).sort("index")
        assert mine["index"].equals(alone["index"])
        for column in ("forecast", "crps"):
            np.testing.assert_allclose(mine[column].to_numpy(), alone[column].to_numpy(), rtol=1e-5, atol=1e-5)


class Odd(LastValueModel):
    """Raises where a context holds a value that it does not like."""

    def forecast(self, data: Any, rows: np.ndarray, horizon: int, seed: int = 0) -> np.ndarray:
        if (data.values[rows] == 666).any():
            raise ZeroDivisionError("an unlucky number")
        return super().forecast(data, rows, horizon, seed)


class Slow(LastValueModel):
    """Stops in its second bucket until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.first: Any = None
        self.there, self.go = threading.Event(), threading.Event()

    def forecast(self, data: Any, rows: np.ndarray, horizon: int, seed: int = 0) -> np.ndarray:
        self.first = self.first or data
        if data is not self.first:
            self.there.set()
            assert self.go.wait(30)
        return super().forecast(data, rows, horizon, seed)
