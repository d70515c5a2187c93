"""Checks of what pages send: it comes from outside the kernel, and whatever was not agreed on is refused."""

from __future__ import annotations

from typing import Any

_LONGEST_NAME = 64


class InvalidMessage(ValueError):
    """A message is none that a page may send; says why."""


def number(content: dict[str, Any], name: str, least: int, most: int) -> int:
    """An integer between two, both included; JavaScript may have made a float of it."""
    value = content.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidMessage(f"{name} is no integer from {least} to {most}")
    return value


def flag(content: dict[str, Any], name: str) -> bool:
    """True or false, and nothing that is like it."""
    value = content.get(name)
    if not isinstance(value, bool):
        raise InvalidMessage(f"{name} is neither true nor false")
    return value


def text(content: dict[str, Any], name: str) -> str:
    """A short text that is not empty."""
    value = content.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NAME:
        raise InvalidMessage(f"{name} is no short text")
    return value


def label(value: Any) -> int | str | None:
    """What comes back with an answer, to tell which one it is: a number or a short text, or nothing."""
    number = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53
    if value is None or number or (isinstance(value, str) and len(value) <= _LONGEST_NAME):
        return value
    raise InvalidMessage("its label is no short name or number")
