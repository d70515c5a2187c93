"""Why an origin is not forecast."""

from __future__ import annotations

import enum


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
