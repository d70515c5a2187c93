"""The messages of the explorer's schema on series too long to be sent whole: the overview, and windows of rows."""

from __future__ import annotations

from typing import Annotated

import msgspec

from nbforecast.jupyter.validation import Message, Position, Request
from nbforecast.jupyter.widgets.explorer.buffer_types import (  # noqa: TC001 - msgspec resolves them
    Bytes,
    Doubles,
    Floats,
    Integers,
    Shorts,
)

LONG_SERIES = 1 << 17  # rows; a longer series is sent as overview and windows
WINDOW = 1 << 12  # rows that are sent together
MAX_WINDOWS = 8  # of one request


class WindowRequest(Request, frozen=True):
    """Asks for the observations and the scores of some rows of a long series.

    Attributes:
        first: The first row.
        count: How many rows from there on, those of the horizon after the last one included.
    """

    series: Position
    model: Position
    first: Position
    count: Annotated[int, msgspec.Meta(ge=1, le=MAX_WINDOWS * WINDOW)]


class LongHistoryMessage(Message, frozen=True):
    """A long series, without its values.

    Attributes:
        start: The first time, as in a `HistoryMessage`.
        steps: Runs of equal steps up to the end of the horizon after the last row: the step, and how many. Shape
            (R, 2).
        low: The smallest value; null where there is none.
        high: The largest one.
        overview: 10 % and 90 % quantiles and means of equal parts of the rows, NaN where none is known; shape (B, 3).
    """

    series: int
    start: float
    steps: Doubles
    low: float | None
    high: float | None
    overview: Floats


class LongStatusMessage(Message, frozen=True):
    """How far all origins of a long series have come.

    Attributes:
        ranked_from: As in a `StatusMessage`.
        runs: Runs of equal rows: the code of `Status`, that of `UnavailableReason`, and how many; shape (R, 3).
        lowest: The score of code 1.
        ratio: Of one code's score to that of the code before.
        codes: Of the score of each scored row, rounded down; 0 where it is not known; shape (K,).
        worst: The rows with the largest scores; shape (W,).
        worst_score: Their scores, without loss; shape (W,).
    """

    series: int
    model: int
    ranked_from: int
    runs: Integers
    lowest: float
    ratio: float
    codes: Bytes
    worst: Integers
    worst_score: Floats


class ScatteredStatusMessage(Message, frozen=True):
    """How far some origins have come that lie all over a series.

    Attributes:
        rows: Ascending; shape (K,).
        status: As in a `StatusMessage`, shape (K,).
        reason: Shape (K,).
        score: Shape (K,).
    """

    series: int
    model: int
    rows: Integers
    status: Bytes
    reason: Bytes
    score: Floats


class WindowMessage(Message, frozen=True):
    """The observations and the scores of some rows of a long series, as in a `HistoryMessage` and a `StatusMessage`.

    Attributes:
        value: Shape (count,), NaN after the last row.
        covariates: Shape (C, count).
        score: Shape (count,), NaN after the last row.
    """

    series: int
    model: int
    first: int
    count: int
    value: Doubles
    covariates: Doubles
    score: Floats


class SketchMessage(Message, frozen=True):
    """The forecasts from some origins over all of a series, as exact as a pixel: for a pointer that sweeps over them.

    Attributes:
        rows: Ascending; shape (R,).
        limits: The least and the largest quantile of each origin; shape (R, 2).
        codes: Quantiles at the `levels` of the meta message, as 65535ths of the way from the one to the other; shape
            (R, H, 7).
    """

    series: int
    model: int
    rows: Integers
    limits: Floats
    codes: Shorts
