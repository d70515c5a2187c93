"""Why an origin is not forecast."""

from __future__ import annotations

import enum


class Reason(enum.IntEnum):
    """Why an origin is not forecast (0: it is)."""

    AVAILABLE = 0
    TOO_SHORT = 1
    LONG_GAP = 2
    MISSING = 3
    INCOMPLETE = 4

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    Reason.AVAILABLE: "",
    Reason.TOO_SHORT: "too little history",
    Reason.LONG_GAP: "nothing was observed shortly before",
    Reason.MISSING: "more than half of the context is missing",
    Reason.INCOMPLETE: "the context has a gap that is too long to be bridged",
}
