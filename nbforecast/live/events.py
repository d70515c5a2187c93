"""Events: they begin when a condition comes to hold, and end when it has not held for a while."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

from nbforecast.atomic_write import atomic_write
from nbforecast.safe_text import escape_controls
from nbforecast.text import brief_number, number, timestamp

if TYPE_CHECKING:
    from pathlib import Path

    from nbforecast.live.conditions import Condition

_log = logging.getLogger("nbforecast.live")


@dataclass(frozen=True)
class Event:
    """The beginning or the end of an event.

    Attributes:
        state: "begin" or "end".
        condition: What has come to hold, or does no longer.
        series: The id of the series; None where the data are one series without an id.
        time: The time of the observation at which it was found, of the type of the data's times.
        value: That observation.
        since: The time at which the event began.
        probability: That of passing the limit, as of `time`; of a surprise that of something at least as odd.
        source: What the source is called.
    """

    state: Literal["begin", "end"]
    condition: Condition
    series: str | None
    time: dt.datetime | dt.date | int
    value: float
    since: dt.datetime | dt.date | int
    probability: float
    source: str

    def __str__(self) -> str:
        at, since = timestamp(_plain(self.time)), timestamp(_plain(self.since))
        odds = f"value {brief_number(self.value)}, probability {number(self.probability, 2)}"
        name = "" if self.series is None else f"{self.series}, "
        happening = f"begins: {self.condition}" if self.state == "begin" else f"ends: {self.condition}, since {since}"
        return escape_controls(f"{name}{at}: {happening} ({odds})")


@dataclass
class SeriesState:
    """How a condition stands for one series; times are grid times as integers.

    Attributes:
        last: The last observation that was looked at.
        since: When the event began that goes on; None if there is none.
        over: Since when its condition has not held; None while it holds.
    """

    last: int
    since: int | None = None
    over: int | None = None

    def update(self, time: int, holds: bool | None, hold: int) -> Literal["begin", "end"] | None:
        """Take an observation.

        Args:
            time: Its time.
            holds: Whether the condition holds; None leaves all as it is.
            hold: For how long the condition must not have held before the event ends.

        Returns:
            What happens at this observation.
        """
        self.last = time
        if holds is None:
            return None
        if holds:
            self.over = None
            if self.since is None:
                self.since = time
                return "begin"
            return None
        if self.since is None:
            return None
        self.over = time if self.over is None else self.over
        return "end" if time - self.over >= hold else None

    def end(self) -> None:
        """Forget the event that has ended."""
        self.since = self.over = None


@dataclass
class EventMemory:
    """What is known of the events of one condition, in a small file that survives restarts.

    Attributes:
        path: The file; None keeps everything in memory.
        series: The state of each series.
    """

    path: Path | None
    series: dict[str, SeriesState] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path | None, key: str) -> EventMemory:
        """Read the memory of a condition.

        Args:
            folder: Where the files are; None for none.
            key: Names source, condition and action.
        """
        if folder is None:
            return cls(None)
        path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
        try:
            states = json.loads(path.read_text("utf-8"))["series"]
            return cls(path, {name: _read_state(state) for name, state in states.items()})
        except FileNotFoundError:
            return cls(path)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            _log.warning("The file %s, which remembers events, is damaged: events may be told again.", path)
            return cls(path)

    def save(self) -> None:
        """Write the file; a failure is told, and stops nothing."""
        if self.path is None:
            return
        content = json.dumps({"version": 1, "series": {name: asdict(state) for name, state in self.series.items()}})
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self.path, 0o600) as file:
                file.write(content.encode())
        except OSError as error:
            _log.warning("Events cannot be remembered in %s: %s", self.path, error)


def _read_state(state: dict[str, int | None]) -> SeriesState:
    last, since, over = state["last"], state["since"], state["over"]
    if last is None or not all(x is None or isinstance(x, int) for x in (last, since, over)):
        raise ValueError("no state")
    return SeriesState(last, since, over)


def _plain(time: object) -> object:
    return time.replace(tzinfo=None) if isinstance(time, dt.datetime) else time
