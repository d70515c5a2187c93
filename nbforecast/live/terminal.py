"""Live data in a terminal: a line a reading, and below it the forecast as bars, which each reading redraws."""

from __future__ import annotations

import datetime as dt
import shutil
from math import floor
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from nbforecast.errors import OriginUnavailable
from nbforecast.live.growth import new_rows
from nbforecast.safe_text import escape_controls
from nbforecast.text import distinct_numbers, minus, percent, plural, time_span, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbforecast.data import Dataset
    from nbforecast.live.conditions import Condition
    from nbforecast.live.events import Event
    from nbforecast.live.live import Live
    from nbforecast.origin_forecast import Forecast

_MOST_BARS = 12
_MOST_LINES = 100  # for rows that come at once
_NEAR = 0.1  # share of the 80 % band by which a median differs that is called near
_COVERAGES = (95, 80, 50)
_SHADES = ("░▒▓█│", "-=#|:")  # of the bands from the outermost, the median and a limit; for any terminal
_MARKS = ({"begin": "▲", "end": "▽"}, {"begin": "[+]", "end": "[-]"})
_ERASE = "\x1b[{}F\x1b[J"  # so many lines up, and everything below
_LOOK = 0.5  # seconds between two looks at the state of the source


class Terminal:
    """Writes live data to a stream.

    Args:
        live: The live data.
        conditions: Those that are watched; their probabilities are written with each reading.
        stream: Where to write.
        width: Columns; None asks the terminal.
    """

    def __init__(self, live: Live, conditions: Sequence[Condition], stream: TextIO, width: int | None = None) -> None:
        self._live = live
        self._conditions = conditions
        self._stream = stream
        self._is_plain = not stream.isatty()
        self._width = width
        self._has_shades = _can_encode(stream, _SHADES[0] + "▲▽")
        self._data: Dataset | None = None
        self._events: list[Event] = []
        self._problem: str | None = None
        self._forecast: Forecast | None = None
        self._bars = 0  # lines of the last chart, which are below the cursor's line

    def mark(self, event: Event) -> None:
        """Have an event written beside its reading."""
        self._events.append(event)

    def follow(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Write what comes until an interrupt, or until something is over."""
        if self._live.has_run:
            self._write_readings()
        while not is_over():
            self._write_problem()
            try:
                self._live.wait(rows=1, timeout=_LOOK)
            except TimeoutError:
                if self._data is not None or not self._live.has_run:
                    continue
            self._write_readings()

    def _write_readings(self) -> None:
        run = self._live.run
        before, self._data = self._data, run.data
        rows = new_rows(before, run.data)
        if not len(rows):
            return
        lines = []
        if before is None:
            lines.append(f"{self._live.name}: {run.model}, {_horizon(run.data, run.horizon)}; Ctrl-C ends")
        if len(rows) > _MOST_LINES:
            lines.append(f"… {plural(len(rows) - _MOST_LINES, 'earlier row')}")
        forecast = None
        for row in rows[-_MOST_LINES:].tolist():
            try:
                forecast = run.forecast_at(row)
            except OriginUnavailable as error:
                lines.append(f"{_time(run.data, row)}  {_value(run.data, row)}  no forecast: {error}")
            else:
                lines.append(self._describe(run.data, row, forecast))
        self._write(lines, forecast)

    def _describe(self, data: Dataset, row: int, forecast: Forecast) -> str:
        """The line of a reading."""
        number, _ = data.locate(row)
        name = f"{data.ids[number]}  " if len(data.ids) > 1 else ""
        parts = [f"{name}{_time(data, row)}  {_value(data, row)}", forecast_words(data, row, forecast)]
        for condition in self._conditions:
            if condition.kind != "surprise":
                beyond = forecast.any_above if condition.kind == "above" else forecast.any_below
                odds = percent(beyond(condition.limit, condition.within), 0)
                parts.append(f"{odds} {condition.kind} {condition.limit:g}")
        signs = _MARKS[0 if self._has_shades else 1]
        time = data.times(data.time[[row]]).item()
        series = data.ids[number] if data.names.id is not None else None
        for event in [each for each in self._events if each.time == time and each.series == series]:
            self._events.remove(event)
            since = "" if event.state == "begin" else f", since {timestamp(_plain(event.since))}"
            what = f"surprise, p = {event.probability:.2g}" if event.condition.kind == "surprise" else _brief(event)
            parts.append(f"{signs[event.state]} {event.state}s: {what}{since}")
        return "  ".join(parts)

    def _write_problem(self) -> None:
        status = self._live.status
        problem = status.text if status.state in ("failed", "late", "waiting") else None
        told = status.state if problem else None
        if told != self._problem:
            self._problem = told
            self._write([problem or "Rows come again."], None)

    def _write(self, lines: Sequence[str], forecast: Forecast | None) -> None:
        text = "" if self._is_plain or not self._bars else _ERASE.format(self._bars)
        text += "".join(escape_controls(line) + "\n" for line in lines)
        bars: list[str] = []
        if not self._is_plain:
            self._forecast = forecast or self._forecast
            if self._forecast is not None:
                width = self._width or shutil.get_terminal_size().columns
                limits = [each.limit for each in self._conditions if each.kind != "surprise"]
                bars = fan_bars(self._forecast, width, limits, _SHADES[0 if self._has_shades else 1])
        self._bars = len(bars)
        self._stream.write(text + "".join(f"{bar}\n" for bar in bars))
        self._stream.flush()


def forecast_words(data: Dataset, row: int, forecast: Forecast) -> str:
    """A forecast in words: where it goes, by when, and its 80 % band there.

    Args:
        data: The data.
        row: The row of the origin.
        forecast: The forecast.
    """
    end, (low, high), value = float(forecast.median[-1]), forecast.interval(80)[-1].tolist(), data.values[row]
    is_near = not abs(end - value) > _NEAR * (high - low)
    verb = "stays near" if is_near else "rises to" if end > value else "falls to"
    texts = distinct_numbers([end, low, high])
    return f"{verb} {texts[0]} in {_span(data, len(forecast.draws))} (80 %: {texts[1]} to {texts[2]})"


def fan_bars(forecast: Forecast, width: int, limits: Sequence[float] = (), shades: str = _SHADES[0]) -> list[str]:
    """Draw a forecast as one bar a step, on a scale of values from left to right.

    Args:
        forecast: The forecast.
        width: Columns of the terminal.
        limits: Values that are marked, where they are near.
        shades: Characters of the 95, 80 and 50 % bands, the median and a limit.

    Returns:
        A line for each of at most twelve steps, and the scale below them; none where the terminal is too narrow.
    """
    steps = np.unique(np.linspace(0, len(forecast.draws) - 1, _MOST_BARS).round().astype(int))
    bands = np.stack([forecast.interval(coverage) for coverage in _COVERAGES])[:, steps]  # (3, S, 2)
    medians = forecast.median[steps]
    times = _short_times(forecast.future[steps.tolist()].to_list())
    if not np.isfinite(bands).all():
        return []
    values = distinct_numbers(medians.tolist())
    left, right = max(map(len, times)) + 2, max(map(len, values)) + 1
    room = width - left - right - 1
    if room < 20:
        return []
    low, high = float(bands[0].min()), float(bands[0].max())
    spread = (high - low) or max(abs(high), 1.0) * 0.1
    near = [limit for limit in limits if low - spread <= limit <= high + spread]
    low, high = min([low, *near]) - 0.02 * spread, max([high, *near]) + 0.02 * spread

    def column(value: float) -> int:
        return min(max(floor((value - low) / (high - low) * room), 0), room - 1)

    lines = []
    for step, (time, value) in enumerate(zip(times, values, strict=True)):
        cells = [" "] * room
        for shade, (start, end) in zip(shades, bands[:, step], strict=False):
            cells[column(start) : column(end) + 1] = shade * (column(end) + 1 - column(start))
        for limit in near:
            cells[column(limit)] = shades[4]
        cells[column(float(medians[step]))] = shades[3]
        lines.append(f"{time.rjust(left - 2)}  {''.join(cells)} {value.rjust(right - 1)}")
    ends = distinct_numbers([low, high])
    scale = list(ends[0] + ends[1].rjust(room - len(ends[0])))
    for limit, text in zip(near, distinct_numbers(near), strict=True):
        start = min(max(column(limit) - len(text) // 2, len(ends[0]) + 1), room - len(ends[1]) - len(text) - 1)
        if start > len(ends[0]):
            scale[start : start + len(text)] = text
    return [*lines, " " * left + "".join(scale)]


def _short_times(times: list[Any]) -> list[str]:
    """Times without the part that all have in common."""
    if times and isinstance(times[0], dt.datetime):
        is_one_day = times[0].date() == times[-1].date()
        texts = [f"{time:%H:%M:%S}" if is_one_day else f"{time:%m-%d %H:%M:%S}" for time in times]
        return [text[:-3] for text in texts] if all(text.endswith(":00") for text in texts) else texts
    return [timestamp(time) for time in times]


def _time(data: Dataset, row: int) -> str:
    return timestamp(_plain(data.times(data.time[[row]]).item()))


def _plain(time: Any) -> Any:
    return time.replace(tzinfo=None) if isinstance(time, dt.datetime) else time


def _value(data: Dataset, row: int) -> str:
    text = minus(f"{data.values[row]:.6g}")
    _, _, unit = data.names.target.partition("(")
    return f"{text} {unit.rstrip(')')}".rstrip()


def _brief(event: Event) -> str:
    within = "" if event.condition.within is None else f" within {event.condition.within}"
    return f"{event.condition.kind} {event.condition.limit:g}{within}"


def _span(data: Dataset, steps: int) -> str:
    if data.frequency.kind != "fixed":
        return plural(steps, "step")
    return time_span(data.frequency.every * steps)


def _horizon(data: Dataset, steps: int) -> str:
    return f"{plural(steps, 'step')} of {data.frequency.describe()}"


def _can_encode(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
