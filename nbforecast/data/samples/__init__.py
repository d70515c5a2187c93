"""Small real datasets to try things on; SOURCES.md beside this file states their origins and licences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nbforecast.errors import OptionError
from nbforecast.text import did_you_mean, quoted

if TYPE_CHECKING:
    import polars as pl

# name -> (file, title)
SAMPLES = {
    "glucose": ("cgm_demo.parquet", "Glucose, mg/dL"),
    "taxi": ("taxi_demo.parquet", "Taxi passengers an hour"),
    "retail": ("retail_demo.parquet", "US retail sales, million $"),
}
SALES = Path(__file__).parent / "sales.csv"  # the table of the guides, with a plan for the days ahead


def sample_path(name: str) -> Path:
    """Return the Parquet file of a sample.

    Args:
        name: A key of `SAMPLES`.

    Raises:
        OptionError: If there is no such sample.
    """
    if name not in SAMPLES:
        raise OptionError(
            f"No sample is called {name!r}.{did_you_mean(name, SAMPLES)} There are: {quoted(list(SAMPLES))}."
        )
    return Path(__file__).parent / SAMPLES[name][0]


def sample(name: str) -> pl.DataFrame:
    """Read a bundled dataset.

    Args:
        name: `"glucose"` (every 5 minutes, four people), `"taxi"` (hourly) or `"retail"` (monthly).

    Returns:
        A frame with the columns `unique_id`, `ds` and `y`.

    Raises:
        OptionError: If there is no such sample.

    Example:
        >>> nbf.sample("retail").columns
        ['unique_id', 'ds', 'y']
    """
    import polars as pl

    return pl.read_parquet(sample_path(name))
