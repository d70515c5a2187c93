"""Scores of joint forecasts: of one number for each path, of events, and of whole paths (J4)."""

from __future__ import annotations

import numpy as np
import polars as pl
from jaxtyping import Float, Float32, Float64

from nbforecast.scoring.origin_scores import COVERAGES, draw_levels, quantiles

_PIECE = 1 << 22  # differences in memory at a time


def score_values(
    values: Float64[np.ndarray, "R n"], actual: Float64[np.ndarray, " R"]
) -> dict[str, Float64[np.ndarray, " R"]]:
    """Scores of one number for each origin, from equally likely values.

    Args:
        values: (R, n) ascending, NaN where there is no forecast.
        actual: (R,) what the number was, NaN where it is not known.

    Returns:
        (R,) each: mae (error of the median), rmse (its square), crps and coverage_50, coverage_80, coverage_95 (1 where
        the number lay in the central interval); NaN where unknown.

    Source:
        CRPS: twice the mean quantile loss at the values' levels, as for single steps (Gneiting & Raftery 2007).
    """
    levels = draw_levels(None, values.shape[1])
    tau, error = np.array(levels), actual[:, None] - values
    scores = {"crps": 2 * np.maximum(tau * error, (tau - 1) * error).mean(1)}
    tails = [(100 - coverage) / 200 for coverage in COVERAGES]
    ends = quantiles(values, levels, (0.5, *tails, *(1 - tail for tail in tails)))
    median_error = np.abs(actual - ends[:, 0])
    scores |= {"mae": median_error, "rmse": median_error**2}
    for i, coverage in enumerate(COVERAGES):
        is_inside = (ends[:, 1 + i] <= actual) & (actual <= ends[:, 1 + len(COVERAGES) + i])
        scores[f"coverage_{coverage}"] = np.where(np.isnan(median_error), np.nan, is_inside)
    return scores


def energy_scores(paths: Float32[np.ndarray, "R n H"], actual: Float64[np.ndarray, "R H"]) -> Float64[np.ndarray, " R"]:
    """The energy score of paths: the CRPS of vectors, in the data's unit. Lower is better.

    Args:
        paths: (R, n, H) equally likely paths.
        actual: (R, H) what was observed, NaN where it is not known.

    Returns:
        (R,) NaN where a value is not known.

    Source:
        Gneiting & Raftery (2007), "Strictly proper scoring rules", with the spread over all pairs of different paths.
    """
    count = paths.shape[1]
    scores = np.empty(len(paths))
    piece = max(1, _PIECE // (count * count))
    for start in range(0, len(paths), piece):
        part = slice(start, start + piece)
        relative = paths[part] - actual[part, None]
        squares = (relative**2).sum(-1)
        distances = squares[:, :, None] + squares[:, None, :] - 2 * relative @ relative.transpose(0, 2, 1)
        distances[:, np.arange(count), np.arange(count)] = 0
        spread = np.sqrt(np.maximum(distances, 0)).sum((1, 2)) / max(count * (count - 1), 1)
        scores[part] = np.sqrt(squares).mean(1) - spread / 2
    return scores


def variogram_scores(
    paths: Float32[np.ndarray, "R n H"], actual: Float64[np.ndarray, "R H"]
) -> Float64[np.ndarray, " R"]:
    """The variogram score of paths, which tells how well differences between steps are forecast. Lower is better.

    Args:
        paths: (R, n, H) equally likely paths.
        actual: (R, H) what was observed, NaN where it is not known.

    Returns:
        (R,) NaN where a value is not known; 0 for a single step.

    Source:
        Scheuerer & Hamill (2015), "Variogram-based proper scoring rules", of order 0.5; weights of pairs are the
        inverse of their distance in steps.
    """
    count, horizon = paths.shape[1:]
    scores = np.where(np.isnan(actual).any(1), np.nan, 0.0)
    piece = max(1, _PIECE // (count * horizon))
    for start in range(0, len(paths), piece):
        part = slice(start, start + piece)
        for lag in range(1, horizon):
            expected = np.sqrt(np.abs(paths[part, :, lag:] - paths[part, :, :-lag])).mean(1)
            observed = np.sqrt(np.abs(actual[part, lag:] - actual[part, :-lag]))
            scores[part] += ((expected - observed) ** 2).sum(1) / lag
    return scores


def score_events(
    probability: Float64[np.ndarray, " R"], outcome: Float[np.ndarray, " R"]
) -> dict[str, Float64[np.ndarray, " R"]]:
    """Scores of the probability of an event.

    Args:
        probability: (R,) of the event, NaN where there is no forecast.
        outcome: (R,) 1 where it came, 0 where not, NaN where it is not known.

    Returns:
        (R,) each: brier (squared error), probability and frequency (the outcome); NaN where unknown.

    Source:
        Brier (1950), "Verification of forecasts expressed in terms of probability".
    """
    is_unknown = np.isnan(probability + outcome)
    scores = {"brier": (probability - outcome) ** 2, "probability": probability, "frequency": outcome}
    return {name: np.where(is_unknown, np.nan, values) for name, values in scores.items()}


def reliability_table(
    probability: Float64[np.ndarray, " R"], outcome: Float[np.ndarray, " R"], bins: int = 10
) -> pl.DataFrame:
    """How often an event came, by the probability that was given to it: equal for reliable forecasts.

    Args:
        probability: (R,) of the event, NaN where there is no forecast.
        outcome: (R,) 1 where it came, 0 where not, NaN where it is not known.
        bins: Number of equal parts of [0, 1].

    Returns:
        A row for each part in which there are forecasts: low and high (its bounds), n, probability (mean) and frequency
        (share of origins at which the event came).
    """
    is_known = ~np.isnan(probability + outcome)
    table = pl.DataFrame({"probability": probability[is_known], "frequency": outcome[is_known].astype(np.float64)})
    number = (pl.col("probability") * bins).floor().clip(0, bins - 1).cast(pl.Int64).alias("number")
    means = table.group_by(number).agg(n=pl.len(), **{name: pl.col(name).mean() for name in table.columns})
    bounds = (pl.col("number") / bins).alias("low"), ((pl.col("number") + 1) / bins).alias("high")
    return means.sort("number").select(*bounds, "n", "probability", "frequency")
