"""A forecast in words: the alternative text of its chart, and the lines around it."""

import numpy as np

from nbforecast.charts.fan_data import Band, FanData
from nbforecast.charts.text_layout import clean, decimal
from nbforecast.charts.ticks import calendar_fields, find_zone, time_of_day, utc_offset
from nbforecast.text import distinct_numbers, integer, minus, plural
from nbforecast.time_units import DAY, HOUR, MINUTE, SECOND, SHORT_MONTHS, SHORT_WEEKDAYS, WEEK

_UNITS = ((WEEK, "week"), (DAY, "day"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"), (1000, "ms"), (1, "µs"))
_SYMBOLS = ("h", "min", "s", "ms", "µs")
_MONTH_UNITS = ((12, "year"), (3, "quarter"), (1, "month"))
_CHART_MONTH = DAY * 365.25 / 12


def _largest_unit(step: int) -> tuple[int, str]:
    """A step in microseconds as a number of the largest unit that fits, calendar units included."""
    months = round(step / _CHART_MONTH)
    # Months and longer are recognised by their approximate length, since calendar steps differ by days.
    if months and abs(step / _CHART_MONTH / months - 1) < 0.08 and step % WEEK:
        length, unit = next((length, unit) for length, unit in _MONTH_UNITS if months % length == 0)
        return months // length, unit
    length, unit = next((length, unit) for length, unit in _UNITS if step % length == 0)
    return step // length, unit


def _quantity(count: int, unit: str) -> str:
    return plural(count, unit, unit if unit in _SYMBOLS else "")


def steps_text(data: FanData) -> str:
    """Describe the horizon: `12 steps of 5 min`, or `12 steps` without a calendar."""
    steps = plural(len(data.future), "step")
    has_length = data.calendar and data.slot != 0
    return f"{steps} of {_quantity(*_largest_unit(data.step))}" if has_length else steps


def ahead_text(data: FanData) -> str:
    """Describe how far the forecast reaches: `24 h ahead`, `12 × 5 min ahead`, `48 steps ahead`."""
    if data.slot is not None:
        return f"{steps_text(data)} ahead"  # closed times do not count
    count, unit = _largest_unit(data.step) if data.calendar else (1, "step")
    horizon = len(data.future)
    if count == 1 or horizon == 1:
        return f"{_quantity(count * horizon, unit)} ahead"
    return f"{horizon} × {_quantity(count, unit)} ahead"


def zone_text(data: FanData) -> str:
    """Return the zone's abbreviation at the origin (`CEST`, `UTC+03`), or nothing where times have no zone."""
    if not data.calendar or data.zone is None:
        return ""
    zone = find_zone(data.zone)
    if zone is None:
        return "UTC"
    stamp = data.time[-1].astype("datetime64[us]").astype(object)
    name = stamp.replace(tzinfo=find_zone("UTC")).astimezone(zone).tzname() if hasattr(stamp, "replace") else None
    return ("UTC" + name if name[:1] in "+-" else name) if name else clean(data.zone)


def origin_text(data: FanData) -> str:
    """Write the origin's time as people do, no finer than the step: `Mon 1 Jun 2015, 08:35 CEST`."""
    origin, step = int(data.clock[0][-1]), data.step
    if not data.calendar:
        return f"t = {integer(origin)}"
    local = calendar_fields(origin + utc_offset(origin, find_zone(data.zone)))
    month = SHORT_MONTHS[local.month - 1]
    if step >= 28 * DAY and local.of_day == 0 and local.day == 1:
        return str(local.year) if step >= 360 * DAY and local.month == 1 else f"{month} {local.year}"
    date = f"{local.day} {month} {local.year}"
    day = f"{SHORT_WEEKDAYS[local.weekday]} {date}"
    if step >= DAY and local.of_day == 0:
        return day if step < WEEK else date
    return f"{day}, {time_of_day(local.of_day, step)} {zone_text(data)}".strip()


def index_text(data: FanData) -> str:
    """Write the origin's index: `index −3`."""
    return minus(f"index {data.index}")


def _iso_origin(data: FanData) -> str:
    origin = int(data.clock[0][-1])
    if not data.calendar:
        return f"t = {origin}"
    local = calendar_fields(origin + utc_offset(origin, find_zone(data.zone)))
    day = f"{local.year:04d}-{local.month:02d}-{local.day:02d}"
    if local.of_day == 0 and data.step >= DAY:
        return day
    return f"{day} {time_of_day(local.of_day, data.step)} {zone_text(data)}".strip()


def _described_band(data: FanData) -> Band | None:
    """The band that the sentence names: 80 %, or else the outermost."""
    return next((b for b in data.bands if b.coverage == 80), data.bands[0] if data.bands else None)


def describe(data: FanData) -> str:
    """Describe a forecast in one sentence, for alternative text and for terminals; warnings follow as further ones.

    Args:
        data: The forecast and its surroundings.

    Returns:
        `Taxi (trips): forecast by theta as of 2015-01-31 (index 0), 12 steps of 1 h: median 9,870 → 6,210, ….`
    """
    series = clean(data.title) or "Series"
    unit = f" ({clean(data.target)})" if clean(data.target) else ""
    model = f" by {clean(data.model)}" if clean(data.model) else ""
    head = f"{series}{unit}: forecast{model} as of {_iso_origin(data)} (index {data.index}), {steps_text(data)}"
    calculated = np.flatnonzero(np.isfinite(data.median))
    if not len(calculated):
        values = "not calculated yet"
    else:
        first, last, band = int(calculated[0]), int(calculated[-1]), _described_band(data)
        edges = [decimal(band.low[last]), decimal(band.high[last])] if band is not None else []
        numbers = [decimal(data.median[first]), decimal(data.median[last]), *edges, float(data.actual[last])]
        finite = [v for v in numbers if np.isfinite(v)]
        text = dict(zip(finite, distinct_numbers(finite), strict=True))
        start = f"{text[numbers[0]]} → " if len(calculated) > 1 else ""
        values = f"median {start}{text[numbers[1]]}"
        if band is not None and np.isfinite(edges).all():
            values += f", {band.coverage} % band at the end {text[edges[0]]} to {text[edges[1]]}"
        if np.isfinite(numbers[-1]):
            values += f", observed {text[numbers[-1]]}"
    odd = f" {plural(len(data.odd), 'odd observation is', 'odd observations are')} marked." if data.odd else ""
    notes = odd + "".join(f" {note.rstrip('.')}." for note in map(clean, data.notes) if note)
    return f"{head}: {values}.{notes}"
