"""Times as people name them, in the zone and on the clock of the data: text, dates and datetimes."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from nbforecast.data.timestamps import read_times
from nbforecast.errors import InputError, OptionError
from nbforecast.time_units import DAY, SECOND

if TYPE_CHECKING:
    from nbforecast.data.dataset import Dataset

_DAY_TEXT, _MONTH_TEXT = re.compile(r"\d{4}-\d{2}-\d{2}"), re.compile(r"\d{4}-\d{2}")
_EPOCH = dt.datetime(1970, 1, 1)
_MICROSECOND = dt.timedelta(microseconds=1)


@dataclass(frozen=True)
class Moment:
    """A time that a person names.

    Attributes:
        text: How it was written, for messages.
        start: Microseconds since the epoch: of UTC if `is_utc`, else of the local clock.
        end: The last microsecond that the text covers: a day or a month that is named as such is covered to its end.
        is_utc: Whether the time was written with its offset from UTC.
    """

    text: str
    start: int
    end: int
    is_utc: bool = False


def read_moment(value: Any) -> Moment | None:
    """Read a time of any type that people use.

    Args:
        value: Text such as `2025-01-05`, `2025-01-05 18:00` or `2025-01-05T18:00+01:00`; a date or datetime of
            Python, pandas or NumPy.

    Returns:
        The time; None if the value has another type.

    Raises:
        OptionError: Text is no time, or can be read in two ways.
    """
    if isinstance(value, dt.datetime):
        return _from_datetime(value, str(value))
    if isinstance(value, dt.date):
        return _whole_days(str(value), (value - _EPOCH.date()).days, 1)
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else _from_numpy(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if _DAY_TEXT.fullmatch(text) or _MONTH_TEXT.fullmatch(text):
        try:
            return _from_numpy(np.datetime64(text), text)
        except ValueError:
            raise _unreadable(value) from None
    try:
        return _from_datetime(dt.datetime.fromisoformat(text), text)
    except ValueError:
        return _from_other_text(text)


def instants(moment: int, data: Dataset) -> tuple[int, int]:
    """The first and the last grid time that a time of the local clock means.

    They are equal but where clocks change. A time that the clock shows twice means two instants. A time that it skips
    means none: the first is then the instant of the change, and the last the microsecond before.

    Args:
        moment: Microseconds of the local clock.
        data: The dataset, whose grid times are instants or times of the local clock.

    Returns:
        Microseconds as in `Dataset.time`.
    """
    zone = zone_of(data)
    if zone is None or data.frequency.wall_clock:
        return moment, moment
    local = _EPOCH + dt.timedelta(microseconds=moment)
    first, second = (moment - _offset(local.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    if first <= second:
        return first, second
    change = _find_change(zone, second, first)
    return change, change - 1


def to_local(moment: Moment, data: Dataset) -> Moment:
    """A time on the local clock of the data.

    Raises:
        OptionError: The time has an offset from UTC, and the data's times have no zone.
    """
    zone = zone_of(data)
    if not moment.is_utc:
        return moment
    if zone is None:
        raise OptionError(
            f"{moment.text!r} has an offset from UTC, but the times of the data have no zone: write it without one."
        )
    local = moment.start + _offset(_at(moment.start, zone))
    return Moment(moment.text, local, local)


def zone_of(data: Dataset) -> ZoneInfo | None:
    """The zone of the data's times, None where they have none."""
    name = getattr(data.time_type, "time_zone", None)
    return None if name is None else ZoneInfo(name)


def with_offset(instant: int, zone: ZoneInfo) -> str:
    """Write an instant on the local clock with its offset from UTC: `2024-10-27 02:30+02:00`."""
    return _at(instant, zone).isoformat(sep=" ", timespec="auto").replace(":00+", "+").replace(":00-", "-")


def _at(instant: int, zone: ZoneInfo) -> dt.datetime:
    return (_EPOCH + dt.timedelta(microseconds=instant)).replace(tzinfo=dt.UTC).astimezone(zone)


def _offset(time: dt.datetime) -> int:
    """Microseconds by which a time of a local clock is ahead of UTC."""
    return (time.utcoffset() or dt.timedelta()) // _MICROSECOND


def _find_change(zone: ZoneInfo, before: int, after: int) -> int:
    """The first instant, to the second, with another offset than `before`."""
    offset = _offset(_at(before, zone))
    low, high = before // SECOND, -(-after // SECOND)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(_at(middle * SECOND, zone)) == offset else (low, middle)
    return high * SECOND


def _from_datetime(value: dt.datetime, text: str) -> Moment:
    is_utc = value.tzinfo is not None
    naive = value.astimezone(dt.UTC).replace(tzinfo=None) if is_utc else value
    micros = (naive - _EPOCH) // _MICROSECOND
    return Moment(text, micros, micros, is_utc)


def _from_numpy(value: np.datetime64, text: str = "") -> Moment:
    unit = np.datetime_data(value)[0]
    if unit in ("Y", "M", "W", "D"):
        first, after = (int((value + n).astype("datetime64[D]").astype(np.int64)) for n in (0, 1))
        return _whole_days(text or str(value), first, after - first)
    micros = int(value.astype("datetime64[us]").astype(np.int64))
    return Moment(text or str(value), micros, micros)


def _whole_days(text: str, day: int, count: int) -> Moment:
    return Moment(text, day * DAY, (day + count) * DAY - 1)


def _from_other_text(text: str) -> Moment:
    """Read text that is not in ISO format as a column of times would be."""
    import polars as pl

    try:
        column = read_times(pl.Series("index", [text]))
    except InputError:
        raise _unreadable(text) from None
    if not column.has_calendar or column.is_missing.any():
        raise _unreadable(text)
    start = int(column.times[0])
    is_day = column.time_type == pl.Date
    return Moment(text, start, start + DAY - 1 if is_day else start, column.local_times is not None)


def _unreadable(text: str) -> OptionError:
    return OptionError(
        f"{text!r} is no time that can be read in one way. Write it as 2025-01-31 or 2025-01-31 18:00; an integer is "
        "an index."
    )
