"""The file of series without forecasts."""

from __future__ import annotations

import secrets
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

import polars as pl

from nbforecast.distributed.layout import FAILURES, PART, Failure

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_SCHEMA = {"unique_id": pl.String, "shard": pl.Int64, "kind": pl.String, "message": pl.String}


def table(failures: Iterable[Failure]) -> pl.DataFrame:
    """unique_id, shard (its bucket), kind, message; in order of ids."""
    return pl.DataFrame([asdict(f) for f in failures], schema=_SCHEMA).sort("unique_id", "shard")


def read(folder: Path) -> list[Failure]:
    """The failures that a folder tells of; none where the file is missing or is no such file."""
    try:
        found = pl.read_parquet(folder / FAILURES).select(f.name for f in fields(Failure))
    except (OSError, pl.exceptions.PolarsError):
        return []
    return [Failure(**row) for row in found.iter_rows(named=True)]


def write(folder: Path, failures: list[Failure]) -> None:
    """Put a folder's failures in the place of those before; no failures, no file."""
    target = folder / FAILURES
    if not failures:
        target.unlink(missing_ok=True)
        return
    part = folder / f".{FAILURES}.{secrets.token_hex(8)}{PART}"
    table(failures).write_parquet(part)
    part.replace(target)
