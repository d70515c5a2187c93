"""The table of surprises: a row for each observation that its forecasts made improbable (A1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64, Int64

from nbforecast.scoring.origin_scores import quantiles
from nbforecast.surprises.kinds import KINDS
from nbforecast.surprises.lead_scores import SIDES

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.surprises.changes import Change
    from nbforecast.surprises.lead_scores import LeadScores
    from nbforecast.surprises.p_values import PValues


class Surprises(NamedTuple):
    """Surprises in ascending order of rows.

    Attributes:
        rows: (M,) rows of the observations.
        p: (M,) their p-values.
        leads: (M,) the longest lead at which each was odd; 0 for a gap.
        bands: (M, 3) the lower end, the median and the upper end of the forecast at that lead; NaN for a gap.
        kinds: (M,) numbers of `KINDS`; -1 where the kind is not known.
        decided: (M,) the rows at which the kinds became known.
        begins: (M,) the first row of the event of each.
    """

    rows: Int64[np.ndarray, " M"]
    p: Float64[np.ndarray, " M"]
    leads: Int64[np.ndarray, " M"]
    bands: Float64[np.ndarray, "M 3"]
    kinds: Int64[np.ndarray, " M"]
    decided: Int64[np.ndarray, " M"]
    begins: Int64[np.ndarray, " M"]


def tabulate(data: Dataset, surprises: Surprises) -> pl.DataFrame:
    """The table of some surprises; see `Run.surprises`.

    Args:
        data: The data.
        surprises: The surprises.
    """
    rows, _, leads, bands, kinds, decided, begins = surprises
    series = np.searchsorted(data.offsets, rows, side="right") - 1
    is_known, is_forecast = pl.Series(kinds >= 0), pl.Series(leads > 0)
    table = pl.DataFrame(
        {
            "unique_id": pl.Series([data.ids[number] for number in series.tolist()], dtype=pl.String),
            "ds": data.times(data.time[rows]),
            "index": rows - data.offsets[series + 1] + 1,
            "y": data.values[rows],
            "expected": bands[:, 1],
            "lo": bands[:, 0],
            "hi": bands[:, 2],
            "p": surprises.p,
            "lead": leads,
            "kind": pl.Series([KINDS[number] for number in kinds.tolist()], dtype=pl.String),
            "known_at": data.times(data.time[np.where(kinds >= 0, decided, rows)]),
            "event": np.unique(begins, return_inverse=True)[1].astype(np.int64),
        }
    )
    return table.with_columns(
        pl.col("y", "expected", "lo", "hi").fill_nan(None),
        pl.when(is_forecast).then("lead").alias("lead"),
        pl.when(is_known).then("kind").alias("kind"),
        pl.when(is_known).then("known_at").alias("known_at"),
    )


def by_strangeness(table: pl.DataFrame) -> Int64[np.ndarray, " M"]:
    """The rows of a table of surprises, the strangest first: of equal p-values the one farthest from its band.

    Args:
        table: Surprises, of one series or of several.
    """
    distance = (pl.col("y") - pl.col("expected")).abs() / (pl.col("hi") - pl.col("lo"))
    order = table.with_row_index("row").sort("p", distance.fill_nan(0), descending=[False, True], nulls_last=True)
    return order["row"].to_numpy().astype(np.int64)


def longest_leads(scores: LeadScores, values: PValues, rows: Int64[np.ndarray, " M"]) -> Int64[np.ndarray, " M"]:
    """For each surprise the longest lead at which it was odd, from 1.

    Args:
        scores: The scores of all observations.
        values: Their p-values.
        rows: (M,) the rows of the surprises.
    """
    is_odd = scores.scores[:, rows] > values.limit[rows]
    return len(is_odd) - np.argmax(is_odd[::-1], axis=0)


def surprise_bands(
    draws: Float32[np.ndarray, "M Q"],
    levels: tuple[float, ...],
    values: Float64[np.ndarray, " M"],
    units: Float32[np.ndarray, " M"],
    limits: Float32[np.ndarray, " M"],
) -> Float64[np.ndarray, "M 3"]:
    """The bands beyond which observations are odd, and the medians within.

    Where all draws have one sign, the band keeps it.

    Args:
        draws: (M, Q) the forecast of each observation at one lead.
        levels: The Q probability levels of the draws.
        values: (M,) the observations.
        units: (M,) the unit of each error, as `LeadScores.units` has it for the side of the observation.
        limits: (M,) the score beyond which an observation is odd.

    Returns:
        (M, 3) lower end, median, upper end, in the data's unit.
    """
    low, median, high = quantiles(draws, levels, SIDES).T.astype(np.float64)
    below, above = median - low, high - median
    shared = units - np.where(values > median, above, below)
    lower, upper = median - limits * (shared + below), median + limits * (shared + above)
    lower = np.where(draws[:, 0] >= 0, np.maximum(lower, 0.0), lower)
    upper = np.where(draws[:, -1] <= 0, np.minimum(upper, 0.0), upper)
    return np.stack([lower, median, upper], axis=1)


def tabulate_changes(data: Dataset, changes: list[Change]) -> pl.DataFrame:
    """The table of some changes; see `Run.changes`.

    Args:
        data: The data.
        changes: The changes, by rows of the data, ascending.
    """
    rows = np.array([change.row for change in changes], np.int64)
    series = np.searchsorted(data.offsets, rows, side="right") - 1
    return pl.DataFrame(
        {
            "unique_id": pl.Series([data.ids[number] for number in series.tolist()], dtype=pl.String),
            "ds": data.times(data.time[rows]),
            "index": rows - data.offsets[series + 1] + 1,
            "since": data.times(data.time[np.array([change.since for change in changes], np.int64)]),
            "direction": pl.Series([change.direction for change in changes], dtype=pl.String),
            "evidence": pl.Series([change.evidence for change in changes], dtype=pl.Float64),
        }
    )
