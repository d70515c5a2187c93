"""Units of values: those that a column's name states, and conversion where it is known."""

from __future__ import annotations

import re

from nbforecast.errors import OptionError
from nbforecast.text import option, quoted

_MG_PER_MMOL = 18.0182  # of glucose, in mg/dL for each mmol/L
# (from, to) -> (factor, summand)
_CONVERSIONS = {
    ("mg/dL", "mmol/L"): (1 / _MG_PER_MMOL, 0.0), ("mmol/L", "mg/dL"): (_MG_PER_MMOL, 0.0),
    ("°C", "°F"): (1.8, 32.0), ("°F", "°C"): (1 / 1.8, -32 / 1.8), ("kWh", "MWh"): (1e-3, 0.0),
    ("MWh", "kWh"): (1e3, 0.0), ("W", "kW"): (1e-3, 0.0), ("kW", "W"): (1e3, 0.0), ("kW", "MW"): (1e-3, 0.0),
    ("MW", "kW"): (1e3, 0.0),
}  # fmt: skip
_STATED = re.compile(r"^(.*?)\s*[(\[]([^()\[\]]+)[)\]]$")


def stated_unit(name: str) -> str | None:
    """Return the unit in brackets at the end of a column's name, or None.

    Example:
        >>> stated_unit("glucose (mg/dL)"), stated_unit("load")
        ('mg/dL', None)
    """
    match = _STATED.match(name)
    return match[2] if match else None


def with_unit(name: str, unit: str) -> str:
    """Return a column's name with a unit; a unit that it states already is replaced, other brackets stay.

    Example:
        >>> with_unit("glucose (mg/dL)", "mmol/L"), with_unit("load (mean)", "kWh")
        ('glucose (mmol/L)', 'load (mean) (kWh)')
    """
    match = _STATED.match(name)
    units = {each.casefold() for pair in _CONVERSIONS for each in (*pair, unit)}
    return f"{match[1] if match and match[2].casefold() in units else name} ({unit})"


def find_conversion(unit: str | None, convert_to: str) -> tuple[float, float]:
    """Return the factor and the summand that convert values.

    Raises:
        OptionError: If the unit of the data is not known, or its conversion is not.
    """
    if unit is None:
        raise OptionError(
            f"{option('convert_to', convert_to)} needs the unit of the data: name it with {option('unit')}."
        )
    if unit.casefold() == convert_to.casefold():
        return 1.0, 0.0
    pairs = {tuple(map(str.casefold, pair)): numbers for pair, numbers in _CONVERSIONS.items()}
    conversion = pairs.get((unit.casefold(), convert_to.casefold()))
    if conversion is None:
        known = [f"{source} to {target}" for source, target in _CONVERSIONS]
        raise OptionError(
            f"No conversion from {unit} to {convert_to} is known, only {quoted(known)}. Multiply the column first."
        )
    return conversion
