"""Periods that people name: years, quarters, months, weeks, days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from nbforecast.report.labels import time_text
from nbforecast.time_units import SHORT_MONTHS, SHORT_WEEKDAYS

if TYPE_CHECKING:
    from nbforecast.data import Dataset

_UNITS = (("Y", 10), ("Y", 1), ("M", 3), ("M", 1), ("W", 1), ("D", 1), ("h", 6), ("h", 1))
_SHIFT = {"W": np.timedelta64(3 * 24 * 3600 * 10**6, "us")}  # the weeks of NumPy begin on Thursdays
_FEWEST, _MOST = 4, 16
_PARTS = 8  # where there is no calendar, or none of its units fits


def time_buckets(data: Dataset, rows: Int64[np.ndarray, " R"]) -> tuple[Int64[np.ndarray, " R"], list[str]]:
    """Divide the rows of a single series into 4 to 16 periods of the largest calendar unit that fits.

    Args:
        data: A dataset of one series.
        rows: Ascending row numbers.

    Returns:
        The number of each row's period, and the names of the periods.
    """
    time: Any = data.time[rows]
    if time.dtype.kind == "M":
        for unit, every in _UNITS:
            shift = _SHIFT.get(unit, 0)
            period = (time + shift).astype(f"datetime64[{unit}]").astype(np.int64) // every
            periods = np.unique(period)
            if _FEWEST <= len(periods) <= _MOST:
                starts = (periods * every).astype(f"datetime64[{unit}]").astype("datetime64[us]") - shift
                return np.searchsorted(periods, period), [_name(start, unit, every) for start in starts.tolist()]
    parts = np.array_split(np.arange(len(rows)), min(_PARTS, len(rows)))
    part = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    return part, [f"{time_text(data, int(rows[p[0]]))} to {time_text(data, int(rows[p[-1]]))}" for p in parts]


def _name(start: Any, unit: str, every: int) -> str:
    month = f"{SHORT_MONTHS[start.month - 1]} {start:%Y}"
    day = f"{start.day} {month}"
    names = {
        "Y": f"{start:%Y}" if every == 1 else f"{start:%Y} to {start.year + every - 1}",
        "M": month if every == 1 else f"quarter {(start.month + 2) // 3} of {start:%Y}",
        "W": f"the week of {day}",
        "D": f"{SHORT_WEEKDAYS[start.weekday()]} {day}",
    }
    return names.get(unit, f"{day}, {start:%H:%M}")
