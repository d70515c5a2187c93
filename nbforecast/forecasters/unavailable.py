"""Why an origin is not forecast."""

from __future__ import annotations

import enum
from itertools import pairwise

import numpy as np
from jaxtyping import Int64, UInt8


class UnavailableReason(enum.IntEnum):
    """Why an origin cannot be forecast; 0 if it can."""

    AVAILABLE = 0
    TOO_SHORT = 1
    LONG_GAP = 2
    MISSING = 3
    INCOMPLETE = 4
    NOT_IN_TABLE = 5
    NO_COVARIATES = 6

    @property
    def sentence(self) -> str:
        """The reason in words."""
        return _SENTENCES[self]


_SENTENCES = {
    UnavailableReason.AVAILABLE: "",
    UnavailableReason.TOO_SHORT: "too little history",
    UnavailableReason.LONG_GAP: "nothing was observed shortly before",
    UnavailableReason.MISSING: "more than half of the context is missing",
    UnavailableReason.INCOMPLETE: "the context has a gap that is too long to be bridged",
    UnavailableReason.NOT_IN_TABLE: "the table of forecasts has none as of this time",
    UnavailableReason.NO_COVARIATES: "a covariate that should be known ahead is missing within the horizon",
}


def rows_without_covariates(
    rows: Int64[np.ndarray, " R"], offsets: Int64[np.ndarray, " S"], reasons: UInt8[np.ndarray, " N"]
) -> Int64[np.ndarray, " M"]:
    """The rows that lack a covariate ahead: of those asked for, and of newer ones in whose place older ones were taken.

    Args:
        rows: (R,) the rows asked for, ascending.
        offsets: (S,) the bounds of the series.
        reasons: (N,) why each row cannot be forecast, 0 if it can.
    """
    is_asked = np.zeros(len(reasons), bool)
    is_asked[rows] = True
    for start, end in pairwise(offsets.tolist()):
        asked = np.flatnonzero(is_asked[start:end])
        newer = slice(start + asked[-1] + 1, end) if len(asked) else slice(start, start)
        is_asked[newer] |= (reasons[newer] > 0).all()
    return np.flatnonzero(is_asked & (reasons == UnavailableReason.NO_COVARIATES))
