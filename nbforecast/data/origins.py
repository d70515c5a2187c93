"""Origins as people name them, by index or by time, and the rows of a dataset that they mean (Q4)."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from nbforecast.data.frequency import parse_frequency
from nbforecast.data.named_times import Moment, instants, read_moment, to_local, with_offset, zone_of
from nbforecast.errors import IndexOutOfRange, OptionError
from nbforecast.options import index_or_time
from nbforecast.text import option, timestamp
from nbforecast.time_units import DAY, HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    from nbforecast.data.dataset import Dataset
    from nbforecast.data.frequency_alias import FrequencySpec

Index = int | str | dt.date | np.datetime64
LATEST = "latest"
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


def find_row(data: Dataset, index: Index, series: str | None = None) -> int:
    """Find the row of an origin.

    Args:
        data: The dataset.
        index: The origin's index (0 is the last data point, -1 the one before it), or a time, which means the last
            grid point at or before it: text such as `2025-01-05 18:00`, a date or a datetime. Times without an offset
            are of the data's own zone.
        series: The id of its series; None stands for the first one.

    Returns:
        The row number in the flat arrays.

    Raises:
        IndexOutOfRange: The series has no such origin; the message states the valid range, in times for a time.
        OptionError: No series has that id, the text is no time, or the clock shows the time twice.
    """
    named: Any = _parse_index(index)
    moment = None if isinstance(named, bool) else read_moment(named)
    if moment is None:
        return data.row(named, series)
    number = data.position(series)
    if data.frequency.kind == "integer":
        raise OptionError(f"The times of the data are integers: name the origin by its index, not {moment.text!r}.")
    earliest, latest = _instants(moment, moment.start, data)
    row = _row_at(data, number, latest)
    if earliest < latest and _row_at(data, number, earliest) != row:
        zone = zone_of(data)
        assert zone is not None
        raise OptionError(
            f"The clock of {zone.key} shows {moment.text} twice: write {with_offset(earliest, zone)} or "
            f"{with_offset(latest, zone)}."
        )
    if row is None:
        first, end = int(data.offsets[number]), int(data.offsets[number + 1])
        of_series = f" of series {data.ids[number]!r}" if len(data.ids) > 1 else ""
        raise IndexOutOfRange(
            f"The time {moment.text} is outside the data{of_series}: valid times run from {time_label(data, first)} to "
            f"{time_label(data, end - 1)}."
        )
    return row


def time_label(data: Dataset, row: int) -> str:
    """Write the time of a row in ISO format, without a time of day where it is midnight."""
    time = data.times(data.time[[row]]).item()
    return timestamp(time.replace(tzinfo=None) if isinstance(time, dt.datetime) else time)


def select_rows(
    data: Dataset,
    reasons: UInt8[np.ndarray, " N"],
    origins: Any = None,
    every: Any = None,
    at: Any = None,
    *,
    argument: str = "origins",
) -> Int64[np.ndarray, " R"] | None:
    """Find the rows of the origins that a request names.

    Args:
        data: The dataset.
        reasons: (N,) for every row why it cannot be forecast, 0 where it can.
        origins: "latest" (the newest origin of each series that can be forecast), a slice of indices or times with
            both ends included, a list of them, or text as in a shell: `a..b`, `a,b`. A day or a month that ends a
            slice belongs to it to its end. None are all.
        every: The distance of two origins: a span such as "1d", counted back from the newest origin, or a number of
            steps.
        at: The time of day, such as "23:45": of each day the last origin at or before it.
        argument: The name of the caller's argument that gives `origins`, for messages.

    Returns:
        (R,) ascending rows; None stands for all.

    Raises:
        IndexOutOfRange: No series has such an origin.
        OptionError: An option makes no sense, here or for these data.
    """
    origins = parse_origins(origins)
    if origins is None and every is None and at is None:
        return None
    is_chosen = np.ones(len(data), bool)
    if isinstance(origins, slice):
        is_chosen = _in_span(data, origins, argument)
    elif isinstance(origins, list):
        is_chosen = _in_list(data, origins)
    if every is not None or at is not None:
        is_chosen &= _thinned(data, np.flatnonzero(is_chosen), every, at)
    if origins == LATEST:
        is_chosen = _newest_available(data, is_chosen, reasons)
    rows = np.flatnonzero(is_chosen)
    if not len(rows):
        named = {argument: _written(origins), "every": every, "at": at}
        text = ", ".join(option(name, value) for name, value in named.items() if value is not None)
        ends = np.array([data.time[data.offsets[:-1]].argmin(), data.time[data.offsets[1:] - 1].argmax()])
        first, last = data.offsets[ends[0]], data.offsets[ends[1] + 1] - 1
        raise IndexOutOfRange(
            f"No origin is chosen by {text}. Valid indices run from {1 - int(data.lengths.max())} to 0, valid times "
            f"from {time_label(data, int(first))} to {time_label(data, int(last))}."
        )
    return rows


def parse_origins(origins: Any) -> Any:
    """Check the form of `origins`, and convert what a shell would give.

    Returns:
        None, "latest", a slice or a list.

    Raises:
        OptionError: It is none of these.
    """
    if isinstance(origins, str):
        text = origins.strip()
        if text.lower() == LATEST:
            return LATEST
        if ".." in text:
            ends = [_parse_index(end.strip()) if end.strip() else None for end in text.split("..")]
            if len(ends) == 2:
                return slice(*ends)
        elif text:
            return [_parse_index(word.strip()) for word in text.split(",") if word.strip()]
    elif isinstance(origins, slice):
        if origins.step is None:
            return slice(_parse_index(origins.start), _parse_index(origins.stop))
        raise OptionError(
            f"A slice of origins has no step: thin it with {option('every')}, a span or a number of steps."
        )
    elif origins is None:
        return None
    elif isinstance(origins, (int, np.integer, dt.date, np.datetime64)) and not isinstance(origins, bool):
        return [origins]
    elif isinstance(origins, (list, tuple, range, set, np.ndarray)) or hasattr(origins, "to_list"):
        items = origins.to_list() if hasattr(origins, "to_list") else list(origins)
        if items:
            return [_parse_index(item) for item in items]
    raise OptionError(
        f"{option('origins')} takes 'latest', slice(a, b) with both ends (a..b in a shell), or a list of indices or "
        f"times, not {origins!r}."
    )


def _written(origins: Any) -> Any:
    """Origins as a shell takes them: `a..b` for a slice."""
    if not isinstance(origins, slice):
        return origins
    return "..".join("" if end is None else str(end) for end in (origins.start, origins.stop))


def _parse_index(value: Any) -> Any:
    return index_or_time(value) if isinstance(value, str) else value


def _in_list(data: Dataset, origins: list[Any]) -> Bool[np.ndarray, " N"]:
    """The rows of single origins, in every series that has them; each is in one at least."""
    is_chosen = np.zeros(len(data), bool)
    for origin in origins:
        error: IndexOutOfRange | None = None
        count = 0
        for name in data.ids:
            try:
                is_chosen[find_row(data, origin, name)] = True
                count += 1
            except IndexOutOfRange as problem:
                error = error or problem
        if error is not None and not count:
            raise error
    return is_chosen


def _in_span(data: Dataset, span: slice, argument: str) -> Bool[np.ndarray, " N"]:
    """The rows between two ends, which are indices or times."""
    is_chosen = np.ones(len(data), bool)
    for end, is_start in ((span.start, True), (span.stop, False)):
        if end is None:
            continue
        if isinstance(end, (int, np.integer)) and not isinstance(end, bool):
            if end > 0:
                raise IndexOutOfRange(f"Indices run up to 0, the last data point; {end} is in the future.")
            values, limit = data.index(), int(end)
        else:
            moment = read_moment(end)
            if moment is None or data.frequency.kind == "integer":
                raise OptionError(f"{option(argument)} names origins by index or time, not by {end!r}.")
            values = data.time.astype("datetime64[us]").astype(np.int64)
            limit = _instants(moment, moment.start, data)[0] if is_start else _instants(moment, moment.end, data)[1]
        is_chosen &= values >= limit if is_start else values <= limit
    return is_chosen


def newest_rows(data: Dataset, candidates: Bool[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
    """Mark the newest candidate of each series; a series without one has no mark."""
    last = np.maximum.reduceat(np.where(candidates, np.arange(len(data)), -1), data.offsets[:-1])
    newest = np.zeros(len(data), bool)
    newest[last[last >= 0]] = True
    return newest


def _newest_available(
    data: Dataset, is_chosen: Bool[np.ndarray, " N"], reasons: UInt8[np.ndarray, " N"]
) -> Bool[np.ndarray, " N"]:
    """Mark the newest chosen row of each series that can be forecast; the newest one where none can."""
    newest = newest_rows(data, is_chosen & (reasons == 0))
    has_one = np.add.reduceat(newest.astype(np.int64), data.offsets[:-1]) > 0
    return newest | newest_rows(data, is_chosen & ~np.repeat(has_one, data.lengths))


def _thinned(data: Dataset, rows: Int64[np.ndarray, " R"], every: Any, at: Any) -> Bool[np.ndarray, " N"]:
    """The rows that are the last at or before one of regular times of the local clock."""
    if not len(rows):
        return np.zeros(len(data), bool)
    if at is None and isinstance(every, (int, np.integer)) and not isinstance(every, bool):
        return _each_step(data, rows, int(every))
    if data.frequency.kind == "integer":
        raise OptionError(f"The times of the data are integers: {option('every')} takes a number of steps.")
    step = _parse_every("1d" if every is None else every)
    local = _local_times(data)
    newest = int(local[rows].max())
    anchor = newest
    if at is not None:
        clock = _parse_clock(at)
        if data.frequency.microseconds >= DAY:
            raise OptionError(f"{option('at')} needs times of day, but the step is {data.frequency.describe()}.")
        last = rows[local[rows].argmax()]
        anchor = (newest - clock) // DAY * DAY + clock
        if anchor + DAY < _next_local_times(data, last[None]).item():
            anchor += DAY
    group = _groups(local, anchor, step)
    series = np.repeat(np.arange(len(data.ids)), data.lengths)
    # the last row of each group; a clock that is set back returns to an earlier group
    order = np.lexsort((np.arange(len(data)), group, series))
    is_last = np.ones(len(data), bool)
    is_last[:-1] = (series[order][1:] != series[order][:-1]) | (group[order][1:] != group[order][:-1])
    is_chosen = np.zeros(len(data), bool)
    is_chosen[order[is_last]] = group[order[is_last]] <= 0
    ends = data.offsets[1:] - 1
    numbers, place = np.unique(group[ends], return_inverse=True)
    targets = np.array([_target(number, anchor, step) for number in numbers.tolist()])[place]
    is_chosen[ends[targets >= _next_local_times(data, ends)]] = False  # a series that has not come to its time yet
    return is_chosen


def _each_step(data: Dataset, rows: Int64[np.ndarray, " R"], every: int) -> Bool[np.ndarray, " N"]:
    """Each so many rows, counted back from the newest of each series."""
    if every < 1:
        raise OptionError(f"{option('every')} takes a span such as '1d' or a positive number of steps, not {every}.")
    series = np.searchsorted(data.offsets, rows, side="right") - 1
    newest = np.full(len(data.ids), -1)
    np.maximum.at(newest, series, rows)
    is_chosen = np.zeros(len(data), bool)
    is_chosen[rows[(newest[series] - rows) % every == 0]] = True
    return is_chosen


def _parse_every(every: Any) -> FrequencySpec:
    try:
        spec = parse_frequency(every)
    except OptionError:
        spec = None
    if spec is None or spec.kind not in ("fixed", "month"):
        raise OptionError(f"{option('every')} takes a span such as '1d' or '1mo', or a number of steps, not {every!r}.")
    return spec


def _parse_clock(at: Any) -> int:
    """Microseconds since midnight."""
    if isinstance(at, dt.time):
        return at.hour * HOUR + at.minute * MINUTE + at.second * SECOND + at.microsecond
    match = _CLOCK.fullmatch(at.strip()) if isinstance(at, str) else None
    hour, minute, second = (int(part or 0) for part in match.groups()) if match else (-1, 0, 0)
    if not (0 <= hour < 24 and minute < 60 and second < 60):
        raise OptionError(f"{option('at')} takes a time of day such as 23:45, not {at!r}.")
    return hour * HOUR + minute * MINUTE + second * SECOND


def _groups(local: Int64[np.ndarray, " N"], anchor: int, step: FrequencySpec) -> Int64[np.ndarray, " N"]:
    """For each time the number of the regular time at or after it: 0 for the anchor, negative before it."""
    if step.kind == "fixed":
        return -((anchor - local) // step.every)
    count = int((anchor - local.min()) // (28 * DAY * step.every)) + 2
    targets = np.array([_target(-k, anchor, step) for k in range(count, -1, -1)])
    return np.where(local > anchor, 1, np.searchsorted(targets, local, side="left") - count)


def _target(group: int, anchor: int, step: FrequencySpec) -> int:
    """The regular time of a group; of months, the anchor's day or the last of the month."""
    if step.kind == "fixed":
        return anchor + group * step.every
    time = np.datetime64(anchor, "us")
    month = time.astype("datetime64[M]")
    day = (time.astype("datetime64[D]") - month.astype("datetime64[D]")).astype(int)
    target = month + group * step.every
    last = ((target + 1).astype("datetime64[D]") - target.astype("datetime64[D]")).astype(int) - 1
    midnight = (target.astype("datetime64[D]") + min(day, last)).astype("datetime64[us]").astype(np.int64)
    return int(midnight) + anchor % DAY


def _local_times(data: Dataset) -> Int64[np.ndarray, " N"]:
    """The local clock at every row, in microseconds."""
    if zone_of(data) is None or data.frequency.wall_clock:
        return data.time.astype("datetime64[us]").astype(np.int64)
    import polars as pl

    return data.times(data.time).dt.replace_time_zone(None).cast(pl.Int64).to_numpy()


def _next_local_times(data: Dataset, rows: Int64[np.ndarray, " R"]) -> Int64[np.ndarray, " R"]:
    """The local clock at the grid point after each row, in microseconds."""
    import polars as pl

    times = data.times(data.future_times(rows, 1))
    if isinstance(times.dtype, pl.Datetime):
        times = times.dt.replace_time_zone(None)
    return times.cast(pl.Datetime("us")).cast(pl.Int64).to_numpy()


def _instants(moment: Moment, micros: int, data: Dataset) -> tuple[int, int]:
    """The grid times that one end of a moment means; see `instants`."""
    if moment.is_utc and zone_of(data) is not None and not data.frequency.wall_clock:
        return micros, micros
    local = to_local(moment, data)
    return instants(local.start + micros - moment.start, data)


def _row_at(data: Dataset, number: int, instant: int) -> int | None:
    """The last row of a series at or before a grid time; None before the first, and from the next grid point on."""
    first, end = int(data.offsets[number]), int(data.offsets[number + 1])
    time = np.datetime64(instant, "us")
    row = first + int(np.searchsorted(data.time[first:end], time, side="right")) - 1
    if row < first or (row == end - 1 and time >= data.future_times(np.array([row]), 1)[0, 0]):
        return None
    return row
