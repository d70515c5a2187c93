"""The messages of the explorer's schema on the series of a panel."""

from __future__ import annotations

from nbforecast.jupyter.validation import Message, Position, Request
from nbforecast.jupyter.widgets.explorer.buffer_types import Bytes, Doubles, Integers  # noqa: TC001 - msgspec resolves them

SPARK_POINTS = 24  # of the small line of a series


class PanelRequest(Request, frozen=True):
    """Asks for a row on each series by a model."""

    model: Position


class PanelMessage(Message, frozen=True):
    """A row on each of the S series, as far as a model's scores are known.

    Attributes:
        mase: The mean absolute errors beside those of a seasonal naive forecast, NaN where not known; shape (S,).
        coverage: The share of observations in the 80 % bands, NaN where not known; shape (S,).
        worst: The row of the origin with the worst score, -1 where none is known; shape (S,).
        worst_time: Its time, as in a `HistoryMessage`; NaN where there is none; shape (S,).
        events: How many events of odd observations there are, -1 where that is not known yet; shape (S,).
        sparks: A small line of each series, from 1 for its lowest value to 255, 0 for a gap; shape (S, SPARK_POINTS).
    """

    model: int
    mase: Doubles
    coverage: Doubles
    worst: Integers
    worst_time: Doubles
    events: Integers
    sparks: Bytes
