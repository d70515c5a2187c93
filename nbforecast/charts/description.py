"""A forecast in words: the alternative text of its picture, and the lines around it."""

import numpy as np

from nbforecast.charts.fan_data import Band, FanData
from nbforecast.charts.labels import clean
from nbforecast.charts.ticks import DAY, HOUR, MINUTE, MONTHS, SECOND, WEEKDAYS, find_zone, offset, parts, time_of_day

_UNITS = ((DAY * 7, "week"), (DAY, "day"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"), (1000, "ms"), (1, "µs"))
_SYMBOLS = ("h", "min", "s", "ms", "µs")
_MONTHS = ((12, "year"), (3, "quarter"), (1, "month"))


def _measure(step: int) -> tuple[int, str]:
    """A step in microseconds as a number of the largest unit that fits."""
    month = DAY * 365.25 / 12
    months = round(step / month)
    # Months and longer are told by their length, since calendar steps differ by days.
    if months and abs(step / month / months - 1) < 0.08 and step % (7 * DAY):
        size, name = next((s, n) for s, n in _MONTHS if months % s == 0)
        return months // size, name
    size, name = next((s, n) for s, n in _UNITS if step % s == 0)
    return step // size, name


def _count(number: int, name: str) -> str:
    plural = "s" if number != 1 and name not in _SYMBOLS else ""
    return f"{number:,} {name}{plural}"


def steps_text(data: FanData) -> str:
    """12 steps of 5 min; without a calendar, 12 steps."""
    steps = _count(len(data.future), "step")
    return f"{steps} of {_count(*_measure(data.step))}" if data.calendar else steps


def ahead_text(data: FanData) -> str:
    """24 h ahead, 12 × 5 min ahead, 48 steps ahead."""
    number, name = _measure(data.step) if data.calendar else (1, "step")
    horizon = len(data.future)
    plain = number == 1 or horizon == 1
    return (_count(number * horizon, name) if plain else f"{horizon} × {_count(number, name)}") + " ahead"


def zone_text(data: FanData) -> str:
    """The zone's abbreviation at the origin (CEST, UTC+03); nothing where times have no zone."""
    if not data.calendar or data.zone is None:
        return ""
    zone = find_zone(data.zone)
    if zone is None:
        return "UTC"
    stamp = data.time[-1].astype("datetime64[us]").astype(object)
    name = stamp.replace(tzinfo=find_zone("UTC")).astimezone(zone).tzname() if hasattr(stamp, "replace") else None
    return ("UTC" + name if name[:1] in "+-" else name) if name else clean(data.zone)


def origin_text(data: FanData) -> str:
    """The origin's time as a person says it, no finer than the step: Mon 1 Jun 2015, 08:35 CEST."""
    at, step = int(data.clock[0][-1]), data.step
    if not data.calendar:
        return f"t = {at:,}".replace("-", "−")
    p = parts(at + offset(at, find_zone(data.zone)))
    month = MONTHS[p.month - 1]
    if step >= 28 * DAY and p.of_day == 0 and p.day == 1:
        return str(p.year) if step >= 360 * DAY and p.month == 1 else f"{month} {p.year}"
    if step >= DAY and p.of_day == 0:
        return f"{WEEKDAYS[p.weekday]} {p.day} {month} {p.year}" if step < 7 * DAY else f"{p.day} {month} {p.year}"
    day = f"{WEEKDAYS[p.weekday]} {p.day} {month} {p.year}"
    return f"{day}, {time_of_day(p.of_day, step)} {zone_text(data)}".strip()


def index_text(data: FanData) -> str:
    return f"index {data.index}".replace("-", "−")


def _iso(data: FanData) -> str:
    at = int(data.clock[0][-1])
    if not data.calendar:
        return f"t = {at}"
    p = parts(at + offset(at, find_zone(data.zone)))
    day = f"{p.year:04d}-{p.month:02d}-{p.day:02d}"
    if p.of_day == 0 and data.step >= DAY:
        return day
    return f"{day} {time_of_day(p.of_day, data.step)} {zone_text(data)}".strip()


def _plain(values: list[float]) -> list[str]:
    """Numbers in words, as precise as telling them apart takes; three digits where they do not differ."""
    known = [abs(v) for v in values if np.isfinite(v)]
    largest = max(known, default=0.0)
    if largest == 0:
        return ["0" for _ in values]
    spread = max(values) - min(values)
    digits = 3 if spread <= largest * 1e-11 else max(3, 2 + int(np.ceil(np.log10(largest / spread))))
    if 1e-4 <= largest < 1e15:
        decimals = max(0, digits - 1 - int(np.floor(np.log10(largest))))
        return [f"{v:,.{decimals}f}" if v or decimals == 0 else "0" for v in values]
    return [f"{v:.{digits - 1}e}" for v in values]


def _band(data: FanData) -> Band | None:
    """The band to tell in one sentence: 80 %, or else the outermost."""
    return next((b for b in data.bands if b.coverage == 80), data.bands[0] if data.bands else None)


def describe(data: FanData) -> str:
    """One full sentence on the forecast, for alternative text and for terminals; warnings follow as further ones."""
    who = clean(data.title) or "Series"
    unit = f" ({clean(data.target)})" if clean(data.target) else ""
    by = f" by {clean(data.model)}" if clean(data.model) else ""
    head = f"{who}{unit}: forecast{by} as of {_iso(data)} (index {data.index}), {steps_text(data)}"
    known = np.flatnonzero(np.isfinite(data.median))
    if not len(known):
        tail = "not calculated yet"
    else:
        first, last, band = int(known[0]), int(known[-1]), _band(data)
        edges = [float(band.low[last]), float(band.high[last])] if band is not None else []
        numbers = [float(data.median[first]), float(data.median[last]), *edges, float(data.actual[last])]
        spoken = [v for v in numbers if np.isfinite(v)]
        text = dict(zip(spoken, _plain(spoken), strict=True))
        tail = f"median {text[numbers[0]]} → {text[numbers[1]]}" if len(known) > 1 else f"median {text[numbers[1]]}"
        if band is not None and np.isfinite(edges).all():
            tail += f", {band.coverage} % band at the end {text[edges[0]]} to {text[edges[1]]}"
        if np.isfinite(numbers[-1]):
            tail += f", observed {text[numbers[-1]]}"
    notes = "".join(f" {note.rstrip('.')}." for note in map(clean, data.notes) if note)
    return f"{head}: {tail}.{notes}"
