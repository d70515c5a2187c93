"""Scores of many shards, read one at a time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import polars as pl

from nbforecast.errors import OptionError
from nbforecast.result_cache import parquet
from nbforecast.result_cache.metadata import Unreadable
from nbforecast.scoring.scores import OriginScores, mean_scores, score_sums

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nbforecast.scoring.scores import By

_log = logging.getLogger("nbforecast.distributed")


def scores(paths: Iterable[Path], by: By | None = None) -> pl.DataFrame:
    """Mean scores over all shards, overall, by "horizon" or by "series"; columns as those of `Run.scores`.

    No more than one shard's scores are in memory at once. A shard that cannot be read is passed over, with a warning.
    """
    if by not in (None, "horizon", "series"):
        raise OptionError(f"by= takes None, 'horizon' or 'series' here, not {by!r}.")
    parts = []
    for path in paths:
        try:
            data, columns = parquet.read_columns(path, OriginScores._fields[:4])
        except Unreadable as reason:
            _log.warning("%s is passed over: %s.", path, reason)
            continue
        parts.append(score_sums(data, OriginScores(**columns), by))
    if not parts:
        raise OptionError("There are no shards to be scored yet.")
    sums = pl.concat(parts)
    if by == "series":
        return mean_scores(sums.sort("unique_id"))
    if by == "horizon":
        return mean_scores(sums.group_by("horizon").sum().sort("horizon"))
    return mean_scores(sums.sum())
