"""Stretches of time that people would name: years, quarters, months, weeks, days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from nbforecast.report.words import when

if TYPE_CHECKING:
    from nbforecast.data import Dataset

_UNITS = (("Y", 10), ("Y", 1), ("M", 3), ("M", 1), ("W", 1), ("D", 1), ("h", 6), ("h", 1))
_SHIFT = {"W": np.timedelta64(3 * 24 * 3600 * 10**6, "us")}  # the weeks of NumPy begin on Thursdays
_FEWEST, _MOST = 4, 16
_PARTS = 8  # where there is no calendar, or none of its units fits


def stretches(data: Dataset, rows: Int64[np.ndarray, " R"]) -> tuple[Int64[np.ndarray, " R"], list[str]]:
    """For each row of a single series the number of its stretch, and what the stretches are called."""
    time: Any = data.time[rows]
    if time.dtype.kind == "M":
        for unit, every in _UNITS:
            step = (time + _SHIFT.get(unit, 0)).astype(f"datetime64[{unit}]").astype(np.int64) // every
            starts = np.unique(step)
            if _FEWEST <= len(starts) <= _MOST:
                first = (starts * every).astype(f"datetime64[{unit}]").astype("datetime64[us]") - _SHIFT.get(unit, 0)
                return np.searchsorted(starts, step), [_called(at, unit, every) for at in first.tolist()]
    parts = np.array_split(np.arange(len(rows)), min(_PARTS, len(rows)))
    where = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    return where, [f"{when(data, int(rows[p[0]]))} to {when(data, int(rows[p[-1]]))}" for p in parts]


def _called(start: Any, unit: str, every: int) -> str:
    day = f"{start.day} {start:%b %Y}"
    return {
        "Y": f"{start:%Y}" if every == 1 else f"{start:%Y} to {start.year + every - 1}",
        "M": f"{start:%b %Y}" if every == 1 else f"quarter {(start.month + 2) // 3} of {start:%Y}",
        "W": f"the week of {day}",
        "D": f"{start:%a} {day}",
    }.get(unit, f"{day}, {start:%H:%M}")
