"""Checks of numbers that options and methods take: horizons, probabilities and coverages.

Probabilities lie between 0 and 1, and coverages are in per cent. A coverage of 0.8 and a probability of 95 are taken
for neither: each is an error that names the number that was meant.
"""

from __future__ import annotations

from math import isnan
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from nbforecast.errors import OptionError
from nbforecast.safe_text import brief_repr
from nbforecast.text import option

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_HORIZON = 4096


def check_horizon(steps: Any) -> int:
    """Return a horizon in steps, or raise `OptionError` unless it is a number from 1 to `MAX_HORIZON`."""
    if not is_integer(steps) or not 1 <= steps <= MAX_HORIZON:
        raise OptionError(
            f"{option('horizon')} takes a number of steps from 1 to {MAX_HORIZON}, or a span such as '1h', not "
            f"{brief_repr(steps)}."
        )
    return int(steps)


def check_coverages(values: Iterable[object], name: str) -> None:
    """Raise an error unless all values are coverages of intervals in per cent.

    Args:
        values: Coverages.
        name: Of the parameter, with which the error begins: `coverage`, `levels=`.

    Raises:
        OptionError: A value is no number from 1 to 100, both excluded; for one below 1 the error names its hundredfold.
    """
    for value in values:
        number = _number(value)
        if not 1 < number < 100:
            meant = f": write {100 * number:g} for {100 * number:g} %" if 0 < number < 1 else ""
            raise OptionError(f"{name} takes coverages in per cent, above 1 and below 100, not {value!r}{meant}.")


def check_probabilities(values: Iterable[object], name: str) -> None:
    """Raise an error unless all values are probabilities.

    Args:
        values: Probabilities.
        name: Of the parameter, with which the error begins: `q`, `levels=`.

    Raises:
        OptionError: A value is no number from 0 to 1, both excluded; for one above 1 the error names its hundredth.
    """
    for value in values:
        number = _number(value)
        if not 0 < number < 1:
            meant = f": write {number / 100:g} for {number:g} %" if 1 < number < 100 else ""
            raise OptionError(f"{name} takes probabilities between 0 and 1, not {value!r}{meant}.")


def check_limit(value: object, name: str) -> float:
    """Return the limit of an event as a number; an infinite one is never reached.

    Args:
        value: The limit.
        name: Of the function that takes it, with which the error begins: `any_above()`.

    Raises:
        OptionError: The value is NaN or no number.
    """
    number = _number(value)
    if isnan(number) or isinstance(value, bool):
        raise OptionError(f"{name} takes a number as its limit, in the unit of the data, not {brief_repr(value)}.")
    return number


def _number(value: object) -> float:
    """The value as a number; NaN, which no range contains, for what is none."""
    return float(value) if isinstance(value, Real) else float("nan")


def is_integer(value: object) -> bool:
    """Whether a value is a whole number, and no truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool)
