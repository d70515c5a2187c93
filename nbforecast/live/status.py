"""Whether a source of live data delivers: live, late, or failed."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from nbforecast.text import time_span, timestamp
from nbforecast.time_units import SECOND

if TYPE_CHECKING:
    from nbforecast.data import Dataset

State = Literal["waiting", "live", "late", "failed", "stopped"]


@dataclass(frozen=True)
class LiveStatus:
    """How a source stands.

    Attributes:
        state: "waiting" for the first rows, "live", "late" if a row is overdue, "failed" if the source cannot be read,
            "stopped".
        since: Since when, in seconds since the epoch; None where that has no meaning.
        text: The same as a sentence.
    """

    state: State
    since: float | None
    text: str


def status_now(
    data: Dataset | None,
    *,
    poll: float,
    arrival: float | None,
    failure: tuple[float, BaseException] | None,
    is_stopped: bool,
) -> LiveStatus:
    """Tell how a source stands at present.

    Args:
        data: The data so far.
        poll: Seconds between two looks at the source.
        arrival: When the last new row came, in seconds since the epoch; None if none has come yet.
        failure: Since when the source cannot be read, and why.
        is_stopped: Whether nobody looks at the source any more.
    """
    if is_stopped:
        return LiveStatus("stopped", None, "Stopped.")
    if failure is not None:
        since, error = failure
        return LiveStatus("failed", since, f"Failed since {clock(since)}: {error}")
    if data is None:
        return LiveStatus("waiting", None, "Waiting for the first rows.")
    newest = newest_time(data)
    due = _overdue_since(data, poll, arrival)
    if due is not None and time.time() > due:
        ago = time_span(max(int(time.time() - due), 1) * SECOND)
        return LiveStatus("late", due, f"Late: a row after {newest} is overdue for {ago}.")
    return LiveStatus("live", arrival, f"Live: the newest row is of {newest}.")


def clock(seconds: float) -> str:
    """Write a moment in the time of this machine, with its date if that is not today.

    Args:
        seconds: Seconds since the epoch.
    """
    moment, now = dt.datetime.fromtimestamp(seconds), dt.datetime.fromtimestamp(time.time())
    return f"{moment:%H:%M}" if moment.date() == now.date() else f"{moment:%Y-%m-%d %H:%M}"


def newest_time(data: Dataset) -> str:
    """Write the time of the newest observation of all series."""
    newest = data.times(data.time[[_newest_row(data)]]).item()
    return timestamp(newest.replace(tzinfo=None) if isinstance(newest, dt.datetime) else newest)


def _newest_row(data: Dataset) -> int:
    ends = data.offsets[1:] - 1
    return int(ends[np.argmax(data.time[ends])])


def _overdue_since(data: Dataset, poll: float, arrival: float | None) -> float | None:
    """When a row will be overdue, in seconds since the epoch: two steps after the last one; None if nobody can tell."""
    if data.frequency.kind == "integer":
        return None
    last = data.time[_newest_row(data)]
    upcoming = data.future_times(np.array([_newest_row(data)]), 2)[0]
    step = (upcoming[1] - upcoming[0]) / np.timedelta64(1, "s")
    zone = getattr(data.time_type, "time_zone", None)
    # times without a zone may be those of this machine or of UTC
    is_instant = zone is not None and not data.frequency.wall_clock
    shift = 0.0 if is_instant else max(0.0, -_utc_offset())
    expected = (upcoming[1] - np.datetime64(0, "s")) / np.timedelta64(1, "s") + shift + poll
    if arrival is None:
        return float(expected)
    # rows of the past that are played again come at their own pace
    gap = (upcoming[1] - last) / np.timedelta64(1, "s")
    return max(float(expected), arrival + max(float(gap), 2 * float(step)) + poll)


def _utc_offset() -> float:
    """How far this machine's clock is ahead of UTC, in seconds."""
    return dt.datetime.now().astimezone().utcoffset().total_seconds()  # type: ignore[union-attr]
