"""How far an origin has come, and which results that implies."""

from __future__ import annotations

import enum

import polars as pl

from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.scoring.origin_scores import COVERAGES, QUANTILE_LEVELS


class Status(enum.IntEnum):
    """How far an origin has come (C2); each of the first four includes those before it."""

    PENDING = 0  # nothing yet
    INFERRED = 1  # the forecast
    UNSCORED = 2  # and its quantiles
    SCORED = 3  # and its scores
    UNAVAILABLE = 4  # it cannot be forecast: the entry's reasons say why


STATUS = pl.Enum([s.name.lower() for s in Status])
FORMER_NAMES = {"waiting": Status.PENDING, "calculated": Status.SCORED}  # of the status column in files of format 1
REASON = pl.Enum([r.name.lower() for r in UnavailableReason if r])

# the result columns, each with the lowest status at which it holds a result
FIRST_STATUS = {
    "forecast": Status.INFERRED,
    "median": Status.UNSCORED,
    "quantiles": Status.UNSCORED,
    "abs_error": Status.SCORED,
    "crps": Status.SCORED,
    "pinball": Status.SCORED,
    "covered": Status.SCORED,
}


def column_shapes(horizon: int, draws: int) -> dict[str, tuple[int, ...]]:
    """The shape of one origin's array in each result column.

    Args:
        horizon: H, the number of steps forecast.
        draws: Q, the number of draws.

    Returns:
        A shape for each name of `FIRST_STATUS`.
    """
    return {
        "forecast": (horizon, draws),
        "median": (horizon,),
        "quantiles": (horizon, len(QUANTILE_LEVELS)),
        "abs_error": (horizon,),
        "crps": (horizon,),
        "pinball": (horizon,),
        "covered": (horizon, len(COVERAGES)),
    }
