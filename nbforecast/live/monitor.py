"""One condition over live data, its events, and what they call."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from nbforecast.data.span import parse_span
from nbforecast.errors import OptionError
from nbforecast.live.events import Event, EventMemory, SeriesState
from nbforecast.text import option

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from nbforecast.data import Dataset
    from nbforecast.live.actions import Action
    from nbforecast.live.conditions import Condition
    from nbforecast.run import Run

_SAVE_AFTER = 60.0  # seconds after which the last row that was looked at is written again


class Monitor:
    """Looks at each new row once, in the order of time, and calls its action when an event begins or ends.

    Attributes:
        condition: The condition.
        action: What is called.
        key: The same text for the same condition and action in every process.

    Args:
        condition: The condition.
        hold: Microseconds for which it must not have held before an event ends.
        action: What is called.
        source: What the source is called.
    """

    def __init__(self, condition: Condition, hold: int, action: Action, source: str) -> None:
        self.condition = condition
        self.action = action
        self.key = f"{condition}\nhold {hold}\n{action.identity}"
        self._hold = hold
        self._source = source
        self._memory = EventMemory(None)
        self._saved = -np.inf

    def remember(self, folder: Path | None, key: str) -> None:
        """Continue from what a former process knew; see `EventMemory.open`."""
        self._memory = EventMemory.open(folder, key)

    def begin(self, data: Dataset) -> None:
        """Of series that no former process knew, begin with the newest row of some data.

        Args:
            data: The data as they are when the condition is stated.
        """
        for number, name in enumerate(data.ids):
            before_last = int(data.time[data.offsets[number + 1] - 2].astype(np.int64))
            self._memory.series.setdefault(name, SeriesState(before_last))

    def save(self) -> None:
        """Write down which rows were looked at, and which events go on."""
        self._saved = time.monotonic()
        self._memory.save()

    def observe(self, run: Run) -> None:
        """Look at the rows of a run that are new.

        Args:
            run: The run; what is missing of its forecasts is inferred.
        """
        rows = self._new_rows(run.data)
        if not len(rows):
            return
        measures = self.condition.measure(run, rows)
        for row, measure in zip(rows.tolist(), measures.tolist(), strict=True):
            self._observe_row(run.data, row, measure)
        if time.monotonic() - self._saved > _SAVE_AFTER:
            self.save()

    def _observe_row(self, data: Dataset, row: int, measure: float) -> None:
        number, _ = data.locate(row)
        at, states = int(data.time[row].astype(np.int64)), self._memory.series
        state = states.setdefault(data.ids[number], SeriesState(at))
        happening = state.update(at, self.condition.holds(measure), self._hold)
        if happening is None:
            return
        began = np.asarray([state.since]).astype(data.time.dtype)
        event = Event(
            happening,
            self.condition,
            data.ids[number] if data.names.id is not None else None,
            data.times(data.time[[row]]).item(),
            float(data.values[row]),
            data.times(began).item(),
            measure,
            self._source,
        )
        if happening == "end":
            state.end()
        self.save()  # first: an event is told once, whatever comes
        self.action(event)

    def _new_rows(self, data: Dataset) -> Int64[np.ndarray, " R"]:
        """The observed rows that were not looked at yet; the first time the last of each series."""
        parts = []
        for number, name in enumerate(data.ids):
            start, end = int(data.offsets[number]), int(data.offsets[number + 1])
            state, times = self._memory.series.get(name), data.time[start:end].astype(np.int64)
            if state is not None and state.last > times[-1]:  # other data, or cut ones
                state = None
                self._memory.series.pop(name)
            first = end - 1 if state is None else start + int(np.searchsorted(times, state.last, "right"))
            parts.append(first + np.flatnonzero(~np.isnan(data.values[first:end])))
        rows = np.concatenate(parts).astype(np.int64)
        return rows[np.argsort(data.time[rows], kind="stable")] if len(data.ids) > 1 else rows


def hold_microseconds(hold: str | dt.timedelta | None) -> int:
    """Read for how long a condition must not have held before an event ends; None is no time at all.

    Raises:
        OptionError: It is no span of time.
    """
    length = 0 if hold is None else parse_span(hold, "hold").microseconds
    if hold is not None and not length:
        raise OptionError(f"{option('hold', hold)} is no span of time, such as 10min.")
    return length
