"""Configurations of networks from JSON files: each field is checked, and its limits are named."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from nbforecast.errors import WeightsError
from nbforecast.safe_text import brief_repr, shorten
from nbforecast.text import did_you_mean, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LARGEST_FILE = 1 << 20  # bytes
_LARGEST = 1 << 31
_LONGEST_REASON = 200  # characters


class Config:
    """The fields of a configuration.

    Every method raises `WeightsError` for a value that makes no sense, with the file, the field and what may be there.

    Args:
        fields: The values by name.
        path: The file, for messages.
    """

    def __init__(self, fields: Mapping[str, Any], path: Path | str) -> None:
        self._fields = fields
        self._path = path

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def section(self, name: str) -> Config | None:
        """Returns the object under a name; None if there is none."""
        section = self._fields.get(name)
        return Config(section, self._path) if isinstance(section, dict) else None

    def integer(self, name: str, low: int = 1, high: int = _LARGEST, default: int | None = None) -> int:
        """Returns a whole number between two limits, both included."""
        value = self._fields.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            limits = f"a positive int up to {high:,}" if low == 1 else f"an int from {low:,} to {high:,}"
            raise self.error(name, limits, value)
        return value

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """Returns a finite number of at least `low` and below `high`."""
        value = self._fields.get(name, default)
        if not _is_number(value) or not low <= value < high:
            raise self.error(name, f"a float from {low:g} to below {high:g}", value)
        return float(value)

    def flag(self, name: str) -> bool:
        """Returns true or false; a field that is missing or null is false."""
        value = self._fields.get(name)
        if value not in (None, True, False) or not isinstance(value, (bool, type(None))):
            raise self.error(name, "true or false")
        return bool(value)

    def choice(self, name: str, choices: Sequence[str], default: str | None = None) -> str:
        """Returns one of several texts."""
        value = self._fields.get(name, default)
        if not isinstance(value, str) or value not in choices:
            raise self.error(name, f"one of {', '.join(map(repr, choices))}")
        return value

    def numbers(self, name: str, count: int | None = None, default: Sequence[float] | None = None) -> tuple[float, ...]:
        """Returns a list of finite numbers.

        Args:
            name: The name of the field.
            count: How many there must be; None allows any number but 0.
            default: What is returned if the field is missing.
        """
        values = self._fields.get(name, default)
        if not isinstance(values, (list, tuple)) or not values or not all(map(_is_number, values)):
            raise self.error(name, "a list of numbers")
        if count is not None and len(values) != count:
            raise self.error(name, f"a list of {count} numbers")
        return tuple(values)

    def levels(self, name: str) -> tuple[float, ...]:
        """Returns a list of ascending probability levels."""
        levels = tuple(map(float, self.numbers(name)))
        if list(levels) != sorted(set(levels)) or not all(0 < level < 1 for level in levels):
            raise self.error(name, "ascending numbers between 0 and 1")
        return levels

    def check_names(self, names: Sequence[str]) -> None:
        """Check that there are no fields but these."""
        for name in self._fields:
            if name not in names:
                hint = did_you_mean(name, names)
                raise WeightsError(f"{self._path}: {brief_repr(name)} is not known, only {quoted(names)}.{hint}")

    def error(self, name: str, allowed: str, value: object = None) -> WeightsError:
        """Returns an error that says what a field may be.

        Args:
            name: The name of the field.
            allowed: What may be there.
            value: What counts instead, if the field is missing.
        """
        return WeightsError(f"{self._path}: {name!r} is {brief_repr(self._fields.get(name, value))}, not {allowed}.")


def read_config(path: Path) -> Config:
    """Returns a configuration.

    Args:
        path: A JSON file that holds an object.

    Raises:
        WeightsError: If it holds none.
    """
    try:
        size = path.stat().st_size
        if size > _LARGEST_FILE:
            raise WeightsError(f"{path} is no configuration: it has {size:,} bytes.")
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, WeightsError):
            raise
        reason = shorten(str(error), _LONGEST_REASON)
        raise WeightsError(f"{path} cannot be read as a configuration: {reason}.") from None
    if not isinstance(config, dict):
        raise WeightsError(f"{path} is no configuration: it holds a {type(config).__name__}, not an object.")
    return Config(config, path)


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and abs(value) < _LARGEST and math.isfinite(value)
