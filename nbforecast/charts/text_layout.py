"""Text in a chart: cleaned, measured, shortened and wrapped. Titles come from data, so none is trusted."""

import re
import unicodedata
from functools import lru_cache
from typing import Any

import numpy as np

# Bidirectional controls are dropped because an unclosed override in a title would turn round the text after it;
# the others are characters that XML 1.0 does not admit, and lone surrogates, which UTF-8 does not.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]")
_NARROW = frozenset(" .,:;'|!ijlI()[]{}/\\`-·°")
_SLIM = frozenset('frt"*')
_BROAD = frozenset("mwMW%@→−—…")


def decimal(value: Any) -> float:
    """Return the number that a value is written as: the shortest decimal one, 0.1, where it is of single precision.

    As a double, the single-precision 0.1 is 0.10000000149, and axes of a narrow range would show the noise.
    """
    return float(str(value)) if isinstance(value, np.float32) else float(value)


def clean(text: str) -> str:
    """Return the text on one line, without control characters."""
    return " ".join(_FORBIDDEN.sub(" ", str(text)).split())


def _em(char: str) -> float:
    """Width of a character in units of the font's size."""
    if char in _NARROW:
        return 0.37
    if char.isdigit() or char.islower():
        return 0.42 if char in _SLIM else 0.98 if char in _BROAD else 0.64
    if char in _BROAD:
        return 0.98
    if char.isascii():
        return 0.42 if char in _SLIM else 0.74
    if unicodedata.combining(char) or unicodedata.category(char) in ("Cf", "Mn", "Me"):
        return 0.0
    return 1.35 if unicodedata.east_asian_width(char) in "WF" else 0.8


@lru_cache(maxsize=4096)
def text_width(text: str, size: float = 11.0, *, bold: bool = False) -> float:
    """Estimate the width of a line in pixels from above, by the broadest of the usual interface fonts.

    Args:
        text: One line.
        size: Of the font in pixels.
        bold: Whether it is bold.
    """
    return size * sum(map(_em, text)) * (1.1 if bold else 1.0)


def shorten(text: str, width: float, size: float = 11.0, *, bold: bool = False) -> str:
    """Cut a text with an ellipsis where it would be wider than `width` pixels."""
    text = clean(text)
    if text_width(text, size, bold=bold) <= width:
        return text
    room = width / size / (1.1 if bold else 1.0) - _em("…")
    length = 0
    for char in text:
        room -= _em(char)
        if room < 0:
            break
        length += 1
    # A joiner at the end would bind the ellipsis to half an emoji.
    return text[:length].rstrip(" \u200d\ufe0f·,") + "…" if length else ""


def wrap(text: str, width: float, size: float, lines: int) -> list[str]:
    """Break a text into at most `lines` lines no wider than `width` pixels, the last shortened."""
    words, out = clean(text).split(" "), [""]
    for position, word in enumerate(words):
        longer = f"{out[-1]} {word}".strip()
        if text_width(longer, size) <= width or not out[-1]:
            out[-1] = longer
        elif len(out) < lines:
            out.append(word)
        else:
            out[-1] = " ".join([out[-1], *words[position:]])
            break
    return [shorten(line, width, size) for line in out if line]
