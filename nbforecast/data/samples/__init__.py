"""Small real datasets to try things on; SOURCES.md beside this file has their origins and licences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nbforecast.errors import OptionError

if TYPE_CHECKING:
    import polars as pl

SAMPLES = {
    "glucose": ("cgm_demo.parquet", "Glucose, mg/dL"),
    "taxi": ("taxi_demo.parquet", "Taxi passengers an hour"),
    "retail": ("retail_demo.parquet", "US retail sales, million $"),
}


def path(name: str) -> Path:
    """The Parquet file of a sample."""
    if name not in SAMPLES:
        raise OptionError(f"There is no sample {name!r}; there are: {', '.join(SAMPLES)}.")
    return Path(__file__).parent / SAMPLES[name][0]


def sample(name: str) -> pl.DataFrame:
    """A bundled dataset, columns `unique_id, ds, y`: "glucose" (5 minutes, 4 people), "taxi" (hourly) or "retail"
    (monthly).
    """
    import polars as pl

    return pl.read_parquet(path(name))
