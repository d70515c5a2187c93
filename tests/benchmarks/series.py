"""The series that are measured on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

import nbforecast as nbf

ETTH1 = Path(__file__).parents[3] / "shared" / "data" / "etth1.parquet"


def hourly(points: int | None = None) -> tuple[str, pl.DataFrame]:
    """ETTh1's oil temperature, its newest `points`, where the shared data are here; else the bundled taxi sample."""
    if ETTH1.exists():
        name, frame = "ETTh1 OT", pl.read_parquet(ETTH1).filter(pl.col("unique_id") == "ETTh1_OT")
    else:
        name, frame = "NYC taxi (ETTh1 is not here)", nbf.sample("taxi")
    frame = frame.tail(points) if points else frame
    return f"{name}, {len(frame):,} hourly points", frame


def walk(points: int, series: int = 1, missing: float = 0.0) -> pl.DataFrame:
    """Random walks at five minutes' steps; a share of the rows is left out."""
    random = np.random.default_rng(1)
    each = points // series
    start = np.datetime64("2015-01-01", "us")
    time = start + np.arange(each) * np.timedelta64(300_000_000, "us")
    frame = pl.DataFrame(
        {
            "unique_id": np.repeat([f"series {i:05d}" for i in range(series)], each),
            "ds": np.tile(time, series),
            "y": random.normal(size=(series, each)).cumsum(1).ravel() + 100.0,
        }
    )
    return frame.filter(random.random(len(frame)) >= missing) if missing else frame
