"""Contents of shards: written, checked for completeness, loaded, and scored one at a time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nbforecast.atomic_write import atomic_write
from nbforecast.errors import OptionError, StorageError
from nbforecast.result_cache import parquet
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.metadata import Unreadable
from nbforecast.result_cache.snapshot import has_forecast
from nbforecast.scoring.mean_scores import OriginScores, mean_scores, score_sums
from nbforecast.scoring.origin_scores import calculate
from nbforecast.scoring.score_groups import group_keys
from nbforecast.session import results
from nbforecast.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nbforecast.data import Dataset
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.result_cache.key import ForecastSpec
    from nbforecast.scoring.score_groups import By, Where

_log = logging.getLogger("nbforecast.distributed")


def write_shard(entry: Entry, target: Path) -> None:
    """Write an entry of the result cache as a shard.

    Args:
        entry: Results of whole series.
        target: Path of the shard.

    Raises:
        OSError: The file cannot be written.
    """
    snapshot, _ = entry.snapshot()
    with atomic_write(target) as file:
        parquet.write(snapshot, file, with_index=True)


def is_complete(path: Path, spec: ForecastSpec, *, exact: bool = False) -> bool:
    """Return whether a shard has every result that can be calculated, by the same specification.

    Args:
        path: The shard.
        spec: The specification.
        exact: Whether forecasts that were made from a longer history do not count.
    """
    try:
        header = parquet.read_metadata(path)
        if header.spec != spec or header.facts["calculated"] != header.facts["available"]:
            return False
        outline = parquet.read_outline(path) if exact else None
    except Unreadable:
        return False
    if outline is None:
        return True
    is_other = outline.contexts != outline.fingerprints.contexts(spec.context)
    return not (is_other & has_forecast(outline.status)).any()


def load_shard(path: Path) -> EntrySlice:
    """Return the results of a shard in the cache of this process, read unless it has them.

    Args:
        path: The shard.

    Raises:
        StorageError: The shard cannot be read.
    """
    cache = results()
    try:
        entry_slice = cache.peek(parquet.read_metadata(path).key)
        if entry_slice is None or not entry_slice.complete:
            entry_slice = cache.adopt(Entry.from_snapshot(parquet.read(path)))
            cache.trim()
    except Unreadable as reason:
        raise StorageError(f"{path} cannot be read: {reason}.") from reason
    return entry_slice


def shard_scores(paths: Iterable[Path], by: By | None = None, where: Where | None = None) -> pl.DataFrame:
    """Compute mean scores over all shards; one shard's scores are in memory at a time.

    A shard that cannot be read is skipped with a warning.

    Args:
        paths: Files of shards.
        by: As for `Run.scores`, but neither "index" nor a Series, which belong to one dataset.
        where: As for `Run.scores`, an expression.

    Returns:
        A frame with the columns of `Run.scores`.

    Raises:
        OptionError: `by` or `where` is impossible, or there are no shards.
    """
    if any(isinstance(key, pl.Series) or (isinstance(key, str) and key == "index") for key in group_keys(by)):
        raise OptionError(
            "by= takes neither 'index' nor a Series for a panel in shards: open(ID) gives one shard's run."
        )
    if where is not None and not isinstance(where, pl.Expr):
        raise OptionError("where= takes an expression for a panel in shards, such as pl.col('time').dt.hour() < 6.")
    parts = []
    for path in paths:
        try:
            data, scores = _read_scores(path)
        except Unreadable as reason:
            _log.warning("%s is skipped: %s.", path, reason)
            continue
        parts.append(score_sums(data, scores, by, where))
    if not parts:
        raise OptionError("There are no shards to score yet.")
    sums = pl.concat(parts)
    labels = sums.columns[: sums.columns.index("n")]
    return mean_scores(sums.group_by(labels).sum().sort(labels, nulls_last=True) if labels else sums.sum())


def _read_scores(path: Path) -> tuple[Dataset, OriginScores]:
    """The scores in a shard; those of a former version of the calculations are calculated anew from the forecasts."""
    names = OriginScores._fields[:4]
    metadata = parquet.read_metadata(path)
    if metadata.has_current_scores:
        data, columns = parquet.read_columns(path, names)
        return data, OriginScores(**columns)
    data, columns = parquet.read_columns(path, ("forecast",))
    draws, batch, spec = columns["forecast"], settings().batch, metadata.spec
    actual = data.actuals(np.arange(len(data)), spec.horizon)
    actual[~np.isfinite(draws[:, 0, 0])] = np.nan
    batches = [slice(start, start + batch) for start in range(0, len(data), batch)]
    parts = [calculate(draws[rows], actual[rows], spec.levels, batch) for rows in batches]
    return data, OriginScores(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
