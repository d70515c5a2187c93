"""How data grow from one look at their source to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from nbforecast.data import prepare
from nbforecast.data.frequency import Frequency
from nbforecast.errors import InputError, NbForecastError, SourceError
from nbforecast.session import current_session

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.data.source import Source
    from nbforecast.options import ForecastOptions

_OVERLAP = 64  # rows that are prepared again with new ones, to see that they fit
_EDGE = 4  # of these, which may lack the rows that they are merged with
_MOST_CONTINUED = 64  # times that new rows alone are prepared, before all are: warnings count what was repaired
_FEWEST_ROWS = 3  # that tell a grid
_SETTLED_ROWS = 100  # of a series, from which on its grid stays as it was found


def settled_options(options: ForecastOptions, data: Dataset) -> ForecastOptions:
    """The options for the next rows: the grid stays as it was found (S10), and only the first run is forced."""
    is_open = not isinstance(options.freq, Frequency) and options.calendar is None and data.frequency.kind != "integer"
    if is_open and data.lengths.max() >= _SETTLED_ROWS:
        options = replace(options, freq=data.frequency)
    return replace(options, force=False) if options.force else options


class Preparation:
    """Prepares all rows of a source, or of one that has grown the new ones alone.

    Args:
        name: What the source is called.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._data: Dataset | None = None
        self._rows = 0  # of the source that the data are made of
        self._continued = 0  # times since all rows were prepared

    def prepare(self, source: Source, options: ForecastOptions) -> Dataset:
        """Prepare a source.

        Args:
            source: Its rows; `has_grown` compares them with those of the call before.
            options: The options of the request.

        Raises:
            SourceError: There are too few rows yet.
            InputError: The rows cannot be read as time series.
        """
        before, rows = self._data, row_count(source)
        if before is not None and source.has_grown and self._continued < _MOST_CONTINUED:
            data = continue_data(before, source, rows - self._rows, options)
            if data is not None:
                self._data, self._rows, self._continued = data, rows, self._continued + 1
                return data
        try:
            data = current_session().prepare(source, options)
        except InputError as error:
            if before is None and 0 < rows < _FEWEST_ROWS:
                raise SourceError(f"{self._name} holds too few rows yet.") from error
            raise
        self._data, self._rows, self._continued = data, rows, 0
        return data


def row_count(source: Source) -> int:
    """How many rows a source has; 0 if that takes reading it."""
    shape: tuple[int, ...] = getattr(source.frame, "shape", (0,))
    return shape[0]


def continue_data(before: Dataset, source: Source, added: int, options: ForecastOptions) -> Dataset | None:
    """Prepare the new rows of a single series, and put them behind what is prepared already.

    Some rows before the new ones are prepared with them. Where these are as they were, and on the same grid, the result
    is that of preparing everything, but for the warnings, which are those of before.

    Args:
        before: The data before.
        source: All rows.
        added: How many at the end are new.
        options: The options of the request; their grid is settled.

    Returns:
        The data; None where all rows have to be prepared.
    """
    is_plain = options.fill is options.max_duration is options.static is options.issued_covariates is None
    is_single = len(before.ids) == 1 and before.names.id is None and options.id is None
    is_settled = isinstance(options.freq, Frequency) and options.freq == before.frequency
    is_fixed = is_settled and before.frequency.kind == "fixed"
    reads_more = options.has_covariates or options.groups is not None
    if not (is_plain and is_single and is_fixed) or reads_more or added < 1:
        return None
    if row_count(source) < added + _OVERLAP:
        return None
    frame: Any = source.frame
    ends = frame.tail(added + _OVERLAP)
    try:
        known, tail = (prepare(replace(source, frame=rows), **options.preparation) for rows in (ends[:_OVERLAP], ends))
    except NbForecastError:
        return None
    start = int(np.searchsorted(before.time, known.time[0]))
    shared = len(before) - start
    is_aligned = tail.frequency == before.frequency and tail.ids == before.ids and tail.time_type == before.time_type
    if not is_aligned or shared != len(known) or shared <= _EDGE or before.time[start] != tail.time[0]:
        return None
    if not np.array_equal(before.values[start + _EDGE :], known.values[_EDGE:], equal_nan=True):
        return None  # they are read in another way without the rows before them
    if not np.array_equal(known.values, tail.values[:shared], equal_nan=True):
        return None  # new rows are about times before
    return replace(
        before,
        offsets=np.array([0, start + len(tail)]),
        time=np.concatenate([before.time, tail.time[shared:]]),
        values=np.concatenate([before.values, tail.values[shared:]]),
    )


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
