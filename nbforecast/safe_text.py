"""Text of unknown origin as messages and terminals may show it: without control characters, and not too long."""

from __future__ import annotations

import re
import reprlib
from typing import Any

# Control characters, line separators, marks that change the direction of text, and halves of characters.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_CONTROLS_BUT_LINES = re.compile(_CONTROLS.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))
_LONGEST_VALUE = 80  # characters


class _BriefRepr(reprlib.Repr):
    """The representation of values, which looks into few levels of lists, and into no subclass of theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 2
        self.maxstring = self.maxother = self.maxlong = _LONGEST_VALUE

    def repr_instance(self, value: Any, level: int) -> str:
        is_container = isinstance(value, (tuple, list, dict, set, frozenset))
        return f"<{type(value).__name__}>" if is_container else super().repr_instance(value, level)


_values = _BriefRepr()


def escape_controls(text: str, *, keep_lines: bool = False) -> str:
    r"""Write control characters, terminal escapes and marks of the direction of text as Python does.

    Args:
        text: Any text, such as a name from a file.
        keep_lines: Whether line ends and tabs stay.

    Example:
        >>> escape_controls("a\x1b[2Jb")
        'a\\x1b[2Jb'
    """
    pattern = _CONTROLS_BUT_LINES if keep_lines else _CONTROLS
    return pattern.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def shorten(text: str, most: int) -> str:
    """Leave out the middle of a text that is too long.

    Args:
        text: Any text.
        most: The number of characters that it may have.

    Example:
        >>> shorten("abcdefghij", 7)
        'abcd…ij'
    """
    if len(text) <= most:
        return text
    tail = (most - 1) // 3
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def brief_repr(value: object) -> str:
    """Write a value as Python does, whatever it is, in a few words."""
    try:
        text = _values.repr(value)
    except Exception:  # of a user's class, or of an integer of too many digits
        text = f"<{type(value).__name__}>"
    return shorten(escape_controls(text), 2 * _LONGEST_VALUE)
