"""Ticks of both axes: their positions, and the labels that people would write there."""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from nbforecast.charts.text_layout import decimal, text_width
from nbforecast.text import integer, minus, number, without_signed_zero
from nbforecast.time_units import DAY, HOUR, MINUTE, SECOND, SHORT_MONTHS, SHORT_WEEKDAYS

_SCALES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_SUPER = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_GAP = 16.0  # clear space between two labels, pixels
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """The format of the numbers of one axis: divided by `scale`, with `decimals` digits, then `suffix`."""

    scale: float
    decimals: int
    suffix: str

    def __call__(self, value: float) -> str:
        """Write a value."""
        text = minus(without_signed_zero(f"{value / self.scale:,.{self.decimals}f}"))
        is_zero = not text.strip("0.")
        return "0" if is_zero and (self.suffix or value) else text + self.suffix


@dataclass(frozen=True, slots=True)
class ValueAxis:
    """Ticks of an axis of values.

    Attributes:
        values: Ticks from low to high.
        step: The distance between them.
        tick_format: Format of their labels.
    """

    values: tuple[float, ...]
    step: float
    tick_format: NumberFormat

    @property
    def labels(self) -> tuple[str, ...]:
        """Texts of the ticks."""
        return tuple(map(self.tick_format, self.values))

    def exact(self, value: float | np.floating) -> str:
        """Write a value between ticks, to a tenth of their distance; one that is nearly zero has digits of its own."""
        shortest = decimal(value)
        shown = shortest if abs(shortest - float(value)) <= self.step / 10 else float(value)
        text = replace(self.tick_format, decimals=_decimals(self.step / 10 / self.tick_format.scale))(shown)
        return number(shown) if shown and text == "0" else text


def nice_step(span: float, count: float) -> float:
    """Return the 1, 2 or 5 (times a power of ten) that comes closest to dividing `span` into `count` steps."""
    raw = span / max(count, 1.0)
    power = 10.0 ** math.floor(math.log10(raw))
    squared = (raw / power) ** 2
    return power * (1.0 if squared < 2 else 2.0 if squared < 10 else 5.0 if squared < 50 else 10.0)


def _number_format(largest: float, step: float) -> NumberFormat:
    """The format of multiples of `step` up to `largest`, without rounding noise and with all differences."""
    if largest >= 1e15 or largest < 1e-3:
        exponent = math.floor(math.log10(largest) + 1e-9)
        return NumberFormat(10.0**exponent, _decimals(step / 10.0**exponent), "×10" + str(exponent).translate(_SUPER))
    scale, suffix = next(((s, x) for s, x in _SCALES if largest >= s * (1 - 1e-9)), (1.0, ""))
    if largest < 1e5 or _decimals(step / scale) > 2:
        scale, suffix = 1.0, ""
    return NumberFormat(scale, _decimals(step / scale), suffix)


def _decimals(step: float) -> int:
    return min(15, max(0, math.ceil(-math.log10(step) - 1e-9)))


def value_axis(low: float, high: float, count: float = 5) -> ValueAxis:
    """Choose about `count` ticks within [low, high], both finite and low < high."""
    largest = max(abs(low), abs(high))
    step = nice_step(max(high - low, largest * 1e-12), count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = tuple(k * step for k in range(first, last + 1))
    return ValueAxis(values, step, _number_format(largest, step))


@dataclass(frozen=True, slots=True)
class TimeTick:
    """A tick of the time axis.

    Attributes:
        time: Microseconds since 1970 (UTC), or a count.
        x: Pixels from the left of the plot.
        label: Text below the tick.
        label_x: Centre of the label.
        context: The day, month or year that the label is part of, below it; empty where it does not change.
        context_x: Centre of the context.
    """

    time: int
    x: float
    label: str
    label_x: float
    context: str
    context_x: float


@lru_cache(maxsize=64)
def find_zone(name: str | None) -> ZoneInfo | None:
    """Return the time zone of a name; None (labels stay in UTC) without a name, or where the name is unknown."""
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, OSError, LookupError):
        return None


def utc_offset(time: int, zone: ZoneInfo | None) -> int:
    """Return the microseconds to add to UTC at an instant, `time` microseconds since 1970."""
    if zone is None:
        return 0
    try:
        delta = (_EPOCH + timedelta(microseconds=time)).astimezone(zone).utcoffset()
    except (OverflowError, ValueError):  # zones are undefined beyond the years 1 to 9999
        return 0
    return round(delta / timedelta(microseconds=1)) if delta else 0


@dataclass(frozen=True, slots=True)
class CalendarFields:
    """Calendar fields of a local time, of any year; `weekday` 0 is Monday, `of_day` is in microseconds."""

    year: int
    month: int
    day: int
    weekday: int
    of_day: int


def calendar_fields(local: int) -> CalendarFields:
    """Return the calendar fields (proleptic Gregorian) of microseconds since 1970 on a local clock.

    Source: H. Hinnant, "chrono-compatible low-level date algorithms", 2013, `civil_from_days`.
    """
    days, of_day = divmod(local, DAY)
    # Years are counted from March in eras of 400, so that the leap day comes last in both.
    era, of_era = divmod(days + 719_468, 146_097)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    march = (5 * of_year + 2) // 153
    month = march + 3 if march < 10 else march - 9
    day = of_year - (153 * march + 2) // 5 + 1
    return CalendarFields(era * 400 + year + (month < 3), month, day, (days + 3) % 7, of_day)


def time_of_day(of_day: int, step: int) -> str:
    """Write a time of day: `08:35`, `08:35:20` where steps are shorter than a minute, or with a fraction.

    Args:
        of_day: Microseconds since midnight.
        step: Microseconds between two times.
    """
    minutes, rest = divmod(of_day, MINUTE)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}"
    if step >= MINUTE:
        return text
    digits = 0 if step >= SECOND else max(1, math.ceil(-math.log10(step / SECOND)))
    return f"{text}:{rest / SECOND:0{3 + digits if digits else 2}.{digits}f}"


# (unit, multiple): sub-day multiples divide a day, so they fall on the hours people name.
_STEPS: tuple[tuple[str, int], ...] = (
    *(("us", m * 10**p) for p in range(6) for m in (1, 2, 5)),
    *(("us", m * SECOND) for m in (1, 2, 5, 10, 15, 30)),
    *(("us", m * MINUTE) for m in (1, 2, 5, 10, 15, 30)),
    *(("us", m * HOUR) for m in (1, 2, 3, 4, 6, 12)),
    *(("D", m) for m in (1, 2, 7, 14)),
    *(("M", m) for m in (1, 2, 3, 6)),
    *(("Y", m * 10**p) for p in range(6) for m in (1, 2, 5)),
)
_LENGTH = {"us": 1, "D": DAY, "M": 30 * DAY, "Y": 365 * DAY}


def _multiples(low: int, high: int, unit: str, multiple: int) -> list[int]:
    """Local times within [low, high] that are multiples of a unit."""
    if unit == "us":
        return list(range(-(-low // multiple) * multiple, high + 1, multiple))
    first = int(np.datetime64(low, "us").astype(f"datetime64[{unit}]").astype(np.int64))
    last = int(np.datetime64(high, "us").astype(f"datetime64[{unit}]").astype(np.int64))
    # Weeks start on Monday (day 4 of 1970 was one), and years are counted from zero rather than from 1970.
    shift = {"D": 4 if multiple % 7 == 0 else 0, "Y": -1970}.get(unit, 0)
    start = first + (shift - first) % multiple
    marks = np.arange(start, last + 1, multiple).astype(f"datetime64[{unit}]").astype("datetime64[us]")
    return [m for m in marks.astype(np.int64).tolist() if low <= m <= high]


def _tick_label(local: int, unit: str, multiple: int) -> tuple[str, str, str]:
    """Label, context, and the shorter context used while the year stays the same."""
    p = calendar_fields(local)
    month = SHORT_MONTHS[p.month - 1]
    if unit == "Y":
        return str(p.year), "", ""
    if unit == "M":
        return month, str(p.year), str(p.year)
    if unit == "D":
        if multiple >= 7:
            return f"{p.day} {month}", str(p.year), str(p.year)
        return f"{SHORT_WEEKDAYS[p.weekday]} {p.day}", f"{month} {p.year}", month
    day = f"{SHORT_WEEKDAYS[p.weekday]} {p.day} {month}"
    return time_of_day(p.of_day, multiple), f"{day} {p.year}", day


def _clamped(x: float, text: str, size: float, width: float, overhang: float) -> float:
    half = text_width(text, size) / 2
    return min(max(x, half - overhang), max(width + overhang - half, half - overhang))


def _have_room(xs: list[float], labels: list[str], size: float, gap: float) -> bool:
    ends = [(x - w / 2, x + w / 2) for x, w in zip(xs, (text_width(t, size) for t in labels), strict=True)]
    return all(b[0] - a[1] >= gap for a, b in pairwise(ends))


def _place_labels(
    marks: list[tuple[int, str, str, str]], start: int, scale: float, width: float, size: float, overhang: float
) -> list[TimeTick] | None:
    """Ticks with the positions of their labels, or None where labels would touch."""
    labels = [label for _, label, _, _ in marks]
    xs = [(time - start) * scale for time, *_ in marks]
    label_xs = [_clamped(x, label, size, width, overhang) for x, label in zip(xs, labels, strict=True)]
    if not _have_room(label_xs, labels, size, _GAP):
        return None
    contexts: list[tuple[str, float]] = []
    current = year = before = ""
    for x, (_, _, full, short) in zip(xs, marks, strict=True):
        text = "" if full == before else full if full[-4:] != year else short
        before = full
        text_x = _clamped(x, text, size, width, overhang)
        if text:
            last = next((i for i in range(len(contexts) - 1, -1, -1) if contexts[i][0]), None)
            if last is not None and not _have_room([contexts[last][1], text_x], [current, text], size, _GAP / 2):
                # Of two contexts that touch the later one applies to more of the axis; it includes the year.
                text, text_x = full, _clamped(x, full, size, width, overhang)
                contexts[last] = ("", 0.0)
                earlier = [c for c in contexts if c[0]]
                if earlier and not _have_room([earlier[-1][1], text_x], [earlier[-1][0], text], size, _GAP / 2):
                    text = ""
            if text:
                current, year = text, full[-4:]
        contexts.append((text, text_x))
    rows = zip(marks, xs, label_xs, contexts, strict=True)
    return [TimeTick(m[0], x, m[1], label_x, *context) for m, x, label_x, context in rows]


def time_ticks(
    start: int, stop: int, width: float, *, calendar: bool, zone: ZoneInfo | None = None,
    size: float = 11.0, overhang: float = 12.0,
) -> tuple[TimeTick, ...]:  # fmt: skip
    """Choose the densest ticks over [start, stop] whose labels do not touch.

    Args:
        start: First time of the axis, in microseconds since 1970 (UTC), or a count.
        stop: Last time of the axis.
        width: Length of the axis in pixels.
        calendar: Whether times are dates rather than counts.
        zone: Time zone of the labels.
        size: Of the font in pixels.
        overhang: How many pixels labels may reach beyond the axis.
    """
    span = max(stop - start, 1)
    scale, most = width / span, max(width / 56.0, 1.0)
    if not calendar:
        return _count_ticks(start, stop, scale, width, size, overhang)
    shifts = [utc_offset(time, zone) for time in (start, (start + stop) // 2, stop)]
    low, high = start + min(shifts), stop + max(shifts)
    best: list[TimeTick] = []
    for unit, multiple in _STEPS:
        expected = span / (_LENGTH[unit] * multiple)
        if expected > most:
            continue
        if expected < 0.1:
            break
        marks = []
        for local in _multiples(low, high, unit, multiple):
            time = local - utc_offset(local - utc_offset(local, zone), zone)
            # An hour that a change of clocks skips is not on the axis.
            if start <= time <= stop and time + utc_offset(time, zone) == local:
                marks.append((time, *_tick_label(local, unit, multiple)))
        ticks = _place_labels(marks, start, scale, width, size, overhang) or []
        if len(ticks) > 1:
            return tuple(ticks)
        best = best or ticks
    return tuple(best)


def slot_ticks(
    times: np.ndarray, start: float, stop: float, width: float, *, size: float = 11.0, overhang: float = 12.0
) -> tuple[TimeTick, ...]:
    """Choose the densest ticks over the slots of a calendar whose labels do not touch.

    A tick is at the first slot of an hour, day, week ... and is labelled with the time of that slot.

    Args:
        times: Times of the slots, shape (n,), in microseconds of the local clock; slot i is at position i.
        start: First position of the axis.
        stop: Last position of the axis.
        width: Length of the axis in pixels.
        size: Of the font in pixels.
        overhang: How many pixels labels may reach beyond the axis.
    """
    first, last = max(math.ceil(start), 0), min(math.floor(stop), len(times) - 1)
    scale, most = width / max(stop - start, 1e-9), max(width / 56.0, 1.0)
    shown = times[first : last + 1]
    if not len(shown):
        return ()
    spacing = int(np.diff(shown).min()) if len(shown) > 1 else DAY
    has_clock = bool((shown % DAY != shown[0] % DAY).any())
    best: list[TimeTick] = []
    for unit, multiple in _STEPS:
        if len(shown) * spacing > most * _LENGTH[unit] * multiple or (unit == "us" and not has_clock):
            continue
        groups = _groups_of(shown, unit, multiple)
        places = np.flatnonzero(np.diff(groups) != 0) + 1
        if len(shown) == 1 or _begins(int(shown[0]), unit, multiple):
            places = np.concatenate([[0], places])
        if len(places) > most:
            continue
        labels = [_tick_label(int(time), unit, multiple) for time in shown[places]]
        # in thousandths of a slot, which are whole numbers as times are
        marks = [(1000 * (first + place), *label) for place, label in zip(places.tolist(), labels, strict=True)]
        ticks = _place_labels(marks, round(1000 * start), scale / 1000, width, size, overhang) or []
        ticks = [replace(tick, time=tick.time // 1000) for tick in ticks]
        if len(ticks) > 1:
            return tuple(ticks)
        best = best or ticks
    return tuple(best)


def _begins(time: int, unit: str, multiple: int) -> bool:
    """Tell whether a local time is a multiple of a unit."""
    return bool(_groups_of(np.array([time - 1]), unit, multiple)[0] != _groups_of(np.array([time]), unit, multiple)[0])


def _groups_of(times: np.ndarray, unit: str, multiple: int) -> np.ndarray:
    """Number the multiples of a unit to which local times belong."""
    if unit == "us":
        return np.asarray(times // multiple)
    numbers = times.astype("datetime64[us]").astype(f"datetime64[{unit}]").astype(np.int64)
    shift = {"D": 4 if multiple % 7 == 0 else 0, "Y": -1970}.get(unit, 0)
    return np.asarray((numbers - shift) // multiple)


def _count_ticks(
    start: int, stop: int, scale: float, width: float, size: float, overhang: float
) -> tuple[TimeTick, ...]:
    for count in range(max(int(width / 60), 1), 0, -1):
        step = max(round(nice_step(max(stop - start, 1), count)), 1)
        marks = [(time, integer(time), "", "") for time in range(-(-start // step) * step, stop + 1, step)]
        ticks = _place_labels(marks, start, scale, width, size, overhang)
        if ticks:
            return tuple(ticks)
    return ()
