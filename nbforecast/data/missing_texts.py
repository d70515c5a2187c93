"""What counts as a missing entry of a column of text or objects."""

from __future__ import annotations

from typing import Any

MISSING_TEXTS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "<NA>")
# Signs for "no value" that people write and programs export; unlike the texts above, they are reported.
MISSING_MARKS = ("-", "--", "---", "–", "—", ".", "..", "...", "…", "?", "*", "n/a", "n.a.", "N.A.", "na", "NAN", "NaT",
                 "#N/A", "#NA", "#NV", "#VALUE!", "#WERT!", "#REF!", "#BEZUG!", "#DIV/0!", "none", "nil", "NIL",
                 "Null", "(null)", "missing", "Missing", "k.A.", "k. A.", "n.d.", "N.D.", "nd", "ND", "s/d",
                 "n.v.")  # fmt: skip


def drop_missing(values: list[Any]) -> list[Any]:
    """Return the values that are neither None, NaN, NaT, NA of pandas nor empty text."""
    return [value for value in values if not _is_missing(value)]


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ == "NAType":  # NA is neither equal nor unequal to anything
        return True
    if hasattr(value, "__len__"):  # text, or a list or array, which is not equal to itself as a whole
        return isinstance(value, str) and value == ""
    return bool(value != value)
