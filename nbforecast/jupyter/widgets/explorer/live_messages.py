"""The messages of the explorer's schema that live data add."""

from __future__ import annotations

from typing import Literal

from nbforecast.jupyter.validation import Message
from nbforecast.jupyter.widgets.explorer.buffer_types import Doubles  # noqa: TC001 - msgspec resolves them


class ExtendMessage(Message, frozen=True):
    """A series has grown, or has been corrected, from a row on; what was sent of it before stays.

    Attributes:
        rows: How many rows the series has now.
        first: The first row that is new or different; `rows` where a page has not opened the series: then only the
            count is of use, and all arrays are empty.
        time: As in a `HistoryMessage`, from row `first` on; shape (rows - first + H,).
        value: From row `first` on; shape (rows - first,).
        covariates: From row `first` on; shape (C, rows - first + H).
    """

    series: int
    rows: int
    first: int
    time: Doubles
    value: Doubles
    covariates: Doubles


class LiveMessage(Message, frozen=True):
    """How the source of live data stands.

    Attributes:
        since: Since when, in milliseconds since the epoch; null where that has no meaning.
        text: The same as a sentence.
    """

    state: Literal["waiting", "live", "late", "failed", "stopped"]
    since: float | None
    text: str
