"""The table of surprises: a row for each observation that its forecasts made improbable (A1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64, Int64

from nbforecast.scoring.origin_scores import quantiles
from nbforecast.surprises.lead_scores import SIDES

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.surprises.lead_scores import LeadScores
    from nbforecast.surprises.p_values import PValues


def event_numbers(
    rows: Int64[np.ndarray, " M"], offsets: Int64[np.ndarray, " bounds"], distance: int
) -> Int64[np.ndarray, " M"]:
    """Number events: surprises of one series that are at most some steps apart belong to one.

    Args:
        rows: (M,) ascending rows of surprises.
        offsets: (S + 1,) the bounds of the series.
        distance: The most steps from one surprise to the next of its event.
    """
    series = np.searchsorted(offsets, rows, side="right")
    return np.cumsum(np.append(0, (np.diff(rows) > distance) | (np.diff(series) != 0)))[: len(rows)]


def tabulate(
    data: Dataset,
    rows: Int64[np.ndarray, " M"],
    leads: Int64[np.ndarray, " M"],
    p: Float64[np.ndarray, " M"],
    bands: Float64[np.ndarray, "M 3"],
    events: Int64[np.ndarray, " M"],
) -> pl.DataFrame:
    """The table of some surprises.

    Args:
        data: The data.
        rows: (M,) the ascending rows of the surprises.
        leads: (M,) the longest lead at which each was odd.
        p: (M,) its p-value.
        bands: (M, 3) the lower end, the median and the upper end of the forecast at that lead.
        events: (M,) the number of its event.
    """
    series = np.searchsorted(data.offsets, rows, side="right") - 1
    columns = {
        "unique_id": pl.Series([data.ids[number] for number in series.tolist()], dtype=pl.String),
        "ds": data.times(data.time[rows]),
        "index": rows - data.offsets[series + 1] + 1,
        "y": data.values[rows],
        "expected": bands[:, 1],
        "lo": bands[:, 0],
        "hi": bands[:, 2],
        "p": p,
        "lead": leads,
        "kind": pl.Series([None] * len(rows), dtype=pl.String),
        "known_at": pl.Series([None] * len(rows), dtype=data.time_type),
        "event": events,
    }
    return pl.DataFrame(columns).with_columns(pl.col("y").fill_nan(None))


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
