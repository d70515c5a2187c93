"""The messages of the explorer's schema on odd observations and changes."""

from __future__ import annotations

from enum import IntEnum

from nbforecast.jupyter.validation import Message
from nbforecast.jupyter.widgets.explorer.buffer_types import Bytes, Doubles, Integers  # noqa: TC001 - msgspec resolves them


class SurpriseKind(IntEnum):
    """What an odd observation turned out to be."""

    UNDECIDED = 0
    SPIKE = 1
    LEVEL_SHIFT = 2
    SPREAD = 3
    RHYTHM = 4
    MISSING = 5


class ChangeDirection(IntEnum):
    """How a series changed."""

    UP = 0
    DOWN = 1
    WIDER = 2
    NARROWER = 3


class SurprisesMessage(Message, frozen=True):
    """The observations of a series that a model's forecasts made improbable, and the changes they add up to.

    Attributes:
        rate: The share of ordinary observations that is named.
        row: The rows of the odd observations, ascending; shape (K,).
        event: The number of the event that each belongs to; shape (K,).
        lead: The longest horizon at which each was odd already, in steps; shape (K,).
        what: Codes of `SurpriseKind`; shape (K,).
        p: The probability of something at least as odd; shape (K,).
        expected: Medians of the forecasts that p belongs to, NaN where none is known; shape (K,).
        low: The lower ends of their bands of 1 - rate; shape (K,).
        high: The upper ends; shape (K,).
        rank: The place of each in the order of strangeness, 0 the strangest; shape (K,).
        alarm: The rows at which the series no longer behaved as forecast, ascending; shape (C,).
        since: The rows from which on that was so, as estimated; shape (C,).
        direction: Codes of `ChangeDirection`; shape (C,).
        value: The odd observations, NaN where one is missing; shape (K,).
    """

    series: int
    model: int
    rate: float
    row: Integers
    event: Integers
    lead: Integers
    what: Bytes
    p: Doubles
    expected: Doubles
    low: Doubles
    high: Doubles
    rank: Integers
    alarm: Integers
    since: Integers
    direction: Bytes
    value: Doubles
