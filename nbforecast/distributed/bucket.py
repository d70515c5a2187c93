"""From a bucket's staged rows to a dataset, without the series that cannot be prepared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from nbforecast.data import prepare
from nbforecast.data.warnings import LEFT_OUT
from nbforecast.distributed.layout import Failure
from nbforecast.errors import InputError

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.distributed.worker import Job


def prepared(rows: pl.DataFrame, job: Job, bucket: int) -> tuple[Dataset | None, list[Failure]]:
    """The series among staged rows that can be prepared, as one dataset, and the others with the reason."""
    failures = [
        Failure(name, bucket, "values", _told(count, first))
        for name, count, first in rows.filter(pl.col("wrong").is_not_null())
        .group_by("unique_id", maintain_order=True)
        .agg(pl.len(), pl.col("wrong").first().alias("first"))
        .sort("unique_id")
        .iter_rows()
    ]
    rows = _without(rows, failures).drop("wrong")
    try:
        data = _prepare(rows, job) if len(rows) else None
    except InputError as reason:
        alone = [_alone(part, job, bucket) for part in rows.partition_by("unique_id", maintain_order=True)]
        odd = [failure for failure in alone if failure is not None]
        if not odd:
            raise InputError(f"The series of bucket {bucket} do not go together: {reason}") from reason
        failures += odd
        rows = _without(rows, odd)
        data = _prepare(rows, job) if len(rows) else None
    if data is not None:
        left = rows.filter(~pl.col("unique_id").is_in(list(data.ids))).group_by("unique_id")
        for name, count in left.agg(pl.col("y").drop_nulls().is_finite().sum()).sort("unique_id").iter_rows():
            failures.append(
                Failure(name, bucket, "data", f"The series has {LEFT_OUT['too_short' if count else 'empty_series']}.")
            )
    return data, failures


def _prepare(rows: pl.DataFrame, job: Job) -> Dataset:
    return prepare(rows, **job.options.preparation)


def _alone(rows: pl.DataFrame, job: Job, bucket: int) -> Failure | None:
    try:
        _prepare(rows, job)
    except InputError as reason:
        return Failure(rows["unique_id"][0], bucket, "data", str(reason))
    return None


def _without(rows: pl.DataFrame, failures: list[Failure]) -> pl.DataFrame:
    gone = [f.unique_id for f in failures]
    return rows.filter(~pl.col("unique_id").is_in(gone)) if gone else rows


def _told(count: int, first: str) -> str:
    return f"{count:,} value{' is' if count == 1 else 's are'} no number, or no time: {first!r}" + (
        " first." if count > 1 else "."
    )
