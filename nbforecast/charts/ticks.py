"""Ticks of both axes: where they stand, and what people would write there."""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from nbforecast.charts.labels import text_width

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SCALES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_SUPER = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_GAP = 16.0  # clear space between two labels, pixels
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Numbers:
    """One way to write the numbers of one axis: divided by `scale`, `decimals` digits, then `suffix`."""

    scale: float
    decimals: int
    suffix: str

    def __call__(self, value: float) -> str:
        text = f"{value / self.scale:,.{self.decimals}f}"
        if text.startswith("-"):
            text = "−" + text[1:] if text.strip("-0.,") else text[1:]
        return text if text in ("0", "0." + "0" * self.decimals) and self.suffix[:1] == "×" else text + self.suffix


@dataclass(frozen=True, slots=True)
class ValueAxis:
    """Ticks from low to high, how to label them (`ticks`), and how to write a value between them (`exact`)."""

    at: tuple[float, ...]
    ticks: Numbers
    exact: Numbers

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(map(self.ticks, self.at))


def nice_step(span: float, count: float) -> float:
    """The one of 1, 2, 5 (times a power of ten) that comes closest to dividing `span` into `count` steps."""
    raw = span / max(count, 1.0)
    power = 10.0 ** math.floor(math.log10(raw))
    lead = raw / power
    return power * (1.0 if lead < 1.4142 else 2.0 if lead < 3.1623 else 5.0 if lead < 7.0711 else 10.0)


def _numbers(largest: float, step: float) -> Numbers:
    """How to write multiples of `step` up to `largest` without float noise and without losing the difference."""
    if largest >= 1e15 or largest < 1e-3:
        exponent = math.floor(math.log10(largest) + 1e-9)
        return Numbers(10.0**exponent, _decimals(step / 10.0**exponent), "×10" + str(exponent).translate(_SUPER))
    scale, suffix = next(((s, x) for s, x in _SCALES if largest >= s * (1 - 1e-9)), (1.0, ""))
    if largest < 1e5 or _decimals(step / scale) > 2:
        scale, suffix = 1.0, ""
    return Numbers(scale, _decimals(step / scale), suffix)


def _decimals(step: float) -> int:
    return min(15, max(0, math.ceil(-math.log10(step) - 1e-9)))


def value_axis(low: float, high: float, count: float = 5) -> ValueAxis:
    """About `count` ticks within [low, high] (low < high, both finite)."""
    largest = max(abs(low), abs(high))
    step = nice_step(max(high - low, largest * 1e-12), count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    at = tuple(k * step for k in range(first, last + 1))
    ticks = _numbers(largest, step)
    return ValueAxis(at, ticks, replace(ticks, decimals=_decimals(step / 10 / ticks.scale)))


@dataclass(frozen=True, slots=True)
class TimeTick:
    """A tick at time `at`, `x` pixels from the left: a label, and the context beneath it ("" where unchanged)."""

    at: int
    x: float
    label: str
    label_x: float
    under: str
    under_x: float


@lru_cache(maxsize=64)
def find_zone(name: str | None) -> ZoneInfo | None:
    """The time zone of that name; None (labels stay in UTC) without a name, or where the name is not known."""
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, OSError, LookupError):
        return None


def offset(at: int, zone: ZoneInfo | None) -> int:
    """Microseconds to add to UTC at that instant."""
    if zone is None:
        return 0
    try:
        delta = (_EPOCH + timedelta(microseconds=at)).astimezone(zone).utcoffset()
    except (OverflowError, ValueError):  # beyond the years 1 to 9999 zones mean nothing
        return 0
    return round(delta / timedelta(microseconds=1)) if delta else 0


@dataclass(frozen=True, slots=True)
class Parts:
    """Calendar fields of a local time, for any year."""

    year: int
    month: int
    day: int
    weekday: int
    of_day: int


def parts(local: int) -> Parts:
    """The calendar fields of microseconds since 1970 on a local clock (proleptic Gregorian, of any year)."""
    days, of_day = divmod(local, DAY)
    # Years are counted from March in eras of 400, so that the leap day comes last in both.
    era, of_era = divmod(days + 719_468, 146_097)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    march = (5 * of_year + 2) // 153
    month = march + 3 if march < 10 else march - 9
    return Parts(era * 400 + year + (month < 3), month, of_year - (153 * march + 2) // 5 + 1, (days + 3) % 7, of_day)


def time_of_day(of_day: int, step: int) -> str:
    """08:35, or 08:35:20 where steps are shorter than a minute, or with a fraction."""
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


def _marks(low: int, high: int, unit: str, multiple: int) -> list[int]:
    """Local times of the ticks of one kind within [low, high]."""
    if unit == "us":
        return list(range(-(-low // multiple) * multiple, high + 1, multiple))
    first = int(np.datetime64(low, "us").astype(f"datetime64[{unit}]").astype(np.int64))
    last = int(np.datetime64(high, "us").astype(f"datetime64[{unit}]").astype(np.int64))
    # Weeks start on Monday (day 4 of 1970 was one), and years are counted from zero rather than from 1970.
    shift = {"D": 4 if multiple % 7 == 0 else 0, "Y": -1970}.get(unit, 0)
    start = first + (shift - first) % multiple
    marks = np.arange(start, last + 1, multiple).astype(f"datetime64[{unit}]").astype("datetime64[us]")
    return [m for m in marks.astype(np.int64).tolist() if low <= m <= high]


def _label(local: int, unit: str, multiple: int) -> tuple[str, str, str]:
    """Label, context beneath, and the shorter context used while the year stays the same."""
    p = parts(local)
    month = MONTHS[p.month - 1]
    if unit == "Y":
        return str(p.year), "", ""
    if unit == "M":
        return month, str(p.year), str(p.year)
    if unit == "D":
        if multiple >= 7:
            return f"{p.day} {month}", str(p.year), str(p.year)
        return f"{WEEKDAYS[p.weekday]} {p.day}", f"{month} {p.year}", month
    day = f"{WEEKDAYS[p.weekday]} {p.day} {month}"
    return time_of_day(p.of_day, multiple), f"{day} {p.year}", day


def _clamped(x: float, text: str, size: float, width: float, overhang: float) -> float:
    half = text_width(text, size) / 2
    return min(max(x, half - overhang), max(width + overhang - half, half - overhang))


def _fits(xs: list[float], labels: list[str], size: float, gap: float) -> bool:
    ends = [(x - w / 2, x + w / 2) for x, w in zip(xs, (text_width(t, size) for t in labels), strict=True)]
    return all(b[0] - a[1] >= gap for a, b in pairwise(ends))


def _place(
    marks: list[tuple[int, str, str, str]], start: int, scale: float, width: float, size: float, overhang: float
) -> list[TimeTick] | None:
    """Ticks with their labels placed, or None where the labels would touch."""
    labels = [label for _, label, _, _ in marks]
    xs = [(at - start) * scale for at, *_ in marks]
    placed = [_clamped(x, label, size, width, overhang) for x, label in zip(xs, labels, strict=True)]
    if not _fits(placed, labels, size, _GAP):
        return None
    unders: list[tuple[str, float]] = []
    shown = year = before = ""
    for x, (_, _, full, short) in zip(xs, marks, strict=True):
        text = "" if full == before else full if full[-4:] != year else short
        before = full
        at = _clamped(x, text, size, width, overhang)
        if text:
            last = next((i for i in range(len(unders) - 1, -1, -1) if unders[i][0]), None)
            if last is not None and not _fits([unders[last][1], at], [shown, text], size, _GAP / 2):
                # The later of two contexts that touch holds for more of the axis; it inherits the year if need be.
                text, at = full, _clamped(x, full, size, width, overhang)
                unders[last] = ("", 0.0)
                kept = [u for u in unders if u[0]]
                if kept and not _fits([kept[-1][1], at], [kept[-1][0], text], size, _GAP / 2):
                    text = ""
            if text:
                shown, year = text, full[-4:]
        unders.append((text, at))
    rows = zip(marks, xs, placed, unders, strict=True)
    return [TimeTick(m[0], x, m[1], label_x, under, under_x) for m, x, label_x, (under, under_x) in rows]


def time_ticks(
    start: int, stop: int, width: float, *, calendar: bool, zone: ZoneInfo | None = None,
    size: float = 11.0, overhang: float = 12.0,
) -> tuple[TimeTick, ...]:  # fmt: skip
    """Ticks over [start, stop], drawn `width` pixels wide: microseconds since 1970 (UTC), or counts.

    The densest kind of tick whose labels keep clear of each other wins; labels stay within `overhang` of the axis.
    """
    span = max(stop - start, 1)
    scale, most = width / span, max(width / 56.0, 1.0)
    if not calendar:
        return _count_ticks(start, stop, scale, width, size, overhang)
    shifts = [offset(at, zone) for at in (start, (start + stop) // 2, stop)]
    low, high = start + min(shifts), stop + max(shifts)
    best: list[TimeTick] = []
    for unit, multiple in _STEPS:
        expected = span / (_LENGTH[unit] * multiple)
        if expected > most:
            continue
        if expected < 0.1:
            break
        marks = []
        for local in _marks(low, high, unit, multiple):
            at = local - offset(local - offset(local, zone), zone)
            # An hour that a change of clocks skips has no place on the axis.
            if start <= at <= stop and at + offset(at, zone) == local:
                marks.append((at, *_label(local, unit, multiple)))
        ticks = _place(marks, start, scale, width, size, overhang) or []
        if len(ticks) > 1:
            return tuple(ticks)
        best = best or ticks
    return tuple(best)


def _count_ticks(
    start: int, stop: int, scale: float, width: float, size: float, overhang: float
) -> tuple[TimeTick, ...]:
    for count in range(max(int(width / 60), 1), 0, -1):
        step = max(round(nice_step(max(stop - start, 1), count)), 1)
        marks = [(at, f"{at:,}".replace("-", "−"), "", "") for at in range(-(-start // step) * step, stop + 1, step)]
        ticks = _place(marks, start, scale, width, size, overhang)
        if ticks:
            return tuple(ticks)
    return ()
