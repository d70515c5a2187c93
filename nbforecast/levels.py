"""Checks of probabilities, which lie between 0 and 1, and of coverages, which are in per cent.

A coverage of 0.8 and a probability of 95 are taken for neither: each is an error that names the number that was meant.
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

from nbforecast.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable


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


def _number(value: object) -> float:
    """The value as a number; NaN, which no range contains, for what is none."""
    return float(value) if isinstance(value, Real) else float("nan")
