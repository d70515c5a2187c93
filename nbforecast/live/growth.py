"""How data grow from one look at their source to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.data.source import Source
    from nbforecast.options import ForecastOptions

_SETTLED_ROWS = 100  # of a series, from which on its grid stays as it was found


def settled_options(options: ForecastOptions, data: Dataset) -> ForecastOptions:
    """The options for the next rows: the grid stays as it was found (S10), and only the first run is forced."""
    is_open = options.freq is None and options.calendar is None and data.frequency.kind != "integer"
    if is_open and data.lengths.max() >= _SETTLED_ROWS:
        options = replace(options, freq=data.frequency)
    return replace(options, force=False) if options.force else options


def is_short(source: Source) -> bool:
    """Whether a source has so few rows that nothing can be told of their grid."""
    frame: Any = source.frame
    return hasattr(frame, "shape") and frame.shape[0] < 3


def new_rows(before: Dataset | None, data: Dataset) -> Int64[np.ndarray, " R"]:
    """The observed rows of data that are later than all of the same series before; of a first or new series the last.

    Args:
        before: The data before; None at the start.
        data: The data.

    Returns:
        (R,) ascending.
    """
    last = {} if before is None else dict(zip(before.ids, before.time[before.offsets[1:] - 1], strict=True))
    parts = []
    for number, name in enumerate(data.ids):
        start, end = int(data.offsets[number]), int(data.offsets[number + 1])
        first = end - 1 if name not in last else start + int(np.searchsorted(data.time[start:end], last[name], "right"))
        parts.append(first + np.flatnonzero(~np.isnan(data.values[first:end])))
    return np.concatenate(parts).astype(np.int64)
