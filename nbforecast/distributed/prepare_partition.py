"""From the staged rows of a partition to a dataset, without the series that cannot be prepared."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import polars as pl

from nbforecast.data import prepare
from nbforecast.data.warnings import LEFT_OUT
from nbforecast.distributed.destination import Failure
from nbforecast.distributed.source import read_partition
from nbforecast.errors import InputError
from nbforecast.result_cache import parquet
from nbforecast.result_cache.metadata import Unreadable
from nbforecast.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nbforecast.data import Dataset, Frequency
    from nbforecast.distributed.destination import Shard
    from nbforecast.options import ForecastOptions

_SAMPLED_PARTITIONS = 4  # from which the frequency of a panel is inferred at first


def prepare_partition(
    rows: pl.DataFrame, options: ForecastOptions, partition: int
) -> tuple[Dataset | None, list[Failure]]:
    """Prepare the series among staged rows as one dataset.

    Args:
        rows: unique_id, ds, y, unreadable.
        options: Of the request.
        partition: Number of the partition, for failures.

    Returns:
        The dataset, None without series, and the series that cannot be prepared with the reason.

    Raises:
        InputError: Each series can be prepared, but all of them have no common grid.
    """
    failures = [
        Failure(name, partition, "values", _describe_unreadable(count, first))
        for name, count, first in rows.filter(pl.col("unreadable").is_not_null())
        .group_by("unique_id", maintain_order=True)
        .agg(pl.len(), pl.col("unreadable").first().alias("first"))
        .sort("unique_id")
        .iter_rows()
    ]
    rows = _without(rows, failures).drop("unreadable")
    try:
        data = _prepare(rows, options) if len(rows) else None
    except InputError as reason:
        failing = _find_failing(rows, options, partition)
        if not failing:
            raise InputError(f"The series of partition {partition} have no common grid: {reason}") from reason
        failures += failing
        rows = _without(rows, failing)
        data = _prepare(rows, options) if len(rows) else None
    if data is not None:
        failures += _describe_missing(rows, data, partition)
    return data, failures


def choose_frequency(staging: Path, options: ForecastOptions, partitions: list[int], shards: Iterable[Shard]) -> Any:
    """One frequency for all shards, as `freq=`: that of shards that exist, else that of the data.

    Args:
        staging: Folder of the sorted rows.
        options: Of the request; its `freq` and `calendar` go before the shards that exist.
        partitions: Numbers of the partitions with rows.
        shards: The shards that exist.

    Returns:
        The frequency, its grid included; the requested one where no series can be prepared.
    """
    frequency = None
    for shard in shards if options.freq is None and options.calendar is None else ():
        with contextlib.suppress(Unreadable):
            frequency = parquet.read_metadata(shard.path).frequency
            break
    frequency = frequency or _infer_frequency(staging, partitions, options)
    return options.freq if frequency is None else frequency.nominal or frequency


def _infer_frequency(staging: Path, partitions: list[int], options: ForecastOptions) -> Frequency | None:
    """The frequency of the first partitions that can be prepared; None where no series can be."""
    for first in range(0, len(partitions), _SAMPLED_PARTITIONS):
        sampled = partitions[first : first + _SAMPLED_PARTITIONS]
        rows = pl.concat(read_partition(staging, partition) for partition in sampled)
        data, _ = prepare_partition(rows, options, sampled[0])
        if data is not None:
            return data.frequency
    return None


def _prepare(rows: pl.DataFrame, options: ForecastOptions) -> Dataset:
    return prepare(rows, **options.preparation)


def _find_failing(rows: pl.DataFrame, options: ForecastOptions, partition: int) -> list[Failure]:
    """The series that cannot be prepared alone."""
    failing = []
    for series in rows.partition_by("unique_id", maintain_order=True):
        try:
            _prepare(series, options)
        except InputError as reason:
            failing.append(Failure(series["unique_id"][0], partition, "data", str(reason)))
    return failing


def _describe_missing(rows: pl.DataFrame, data: Dataset, partition: int) -> list[Failure]:
    """The series that preparation has left out."""
    missing = rows.filter(~pl.col("unique_id").is_in(list(data.ids))).group_by("unique_id")
    counts = missing.agg(pl.col("y").drop_nulls().is_finite().sum()).sort("unique_id")
    return [
        Failure(name, partition, "data", f"The series has {LEFT_OUT['too_short' if count else 'empty_series']}.")
        for name, count in counts.iter_rows()
    ]


def _without(rows: pl.DataFrame, failures: list[Failure]) -> pl.DataFrame:
    failed = [f.unique_id for f in failures]
    return rows.filter(~pl.col("unique_id").is_in(failed)) if failed else rows


def _describe_unreadable(count: int, first: str) -> str:
    values = plural(count, "value is", "values are")
    return f"{values} not a number, or not a time: {first!r}{' first' if count > 1 else ''}."
