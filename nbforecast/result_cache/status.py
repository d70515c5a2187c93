"""How far an origin has come."""

from __future__ import annotations

import enum

import polars as pl

from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.scoring.calculations import COVERAGES, LEVELS


class Status(enum.IntEnum):
    """What stands for an origin; each of the first four includes those before it."""

    PENDING = 0  # nothing yet
    INFERRED = 1  # the forecast
    UNSCORED = 2  # and its quantiles
    SCORED = 3  # and its scores
    UNAVAILABLE = 4  # nothing, ever: the entry's reasons say why


STATUS = pl.Enum([s.name.lower() for s in Status])
FORMER_NAMES = {"waiting": Status.PENDING, "calculated": Status.SCORED}  # of the status column in files of format 1
REASON = pl.Enum([r.name.lower() for r in UnavailableReason if r])

# from which status on a column holds a result
FILLED = {
    "forecast": Status.INFERRED,
    "median": Status.UNSCORED,
    "quantiles": Status.UNSCORED,
    "abs_error": Status.SCORED,
    "crps": Status.SCORED,
    "pinball": Status.SCORED,
    "covered": Status.SCORED,
}


def shapes(horizon: int, draws: int) -> dict[str, tuple[int, ...]]:
    """The shape of one origin's array in each column."""
    return {
        "forecast": (horizon, draws),
        "median": (horizon,),
        "quantiles": (horizon, len(LEVELS)),
        "abs_error": (horizon,),
        "crps": (horizon,),
        "pinball": (horizon,),
        "covered": (horizon, len(COVERAGES)),
    }
