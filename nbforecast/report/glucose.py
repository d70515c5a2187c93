"""Glucose as its users know it: time in ranges, mean, variation, GMI, and the ambulatory glucose profile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Float64

from nbforecast import charts
from nbforecast.data import Dataset
from nbforecast.data.units import stated_unit
from nbforecast.errors import InputError
from nbforecast.report.labels import target_name
from nbforecast.report.section import Bullets, Picture, Section, Table
from nbforecast.text import UNKNOWN, option, percent, plural
from nbforecast.time_units import DAY, HOUR, MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbforecast.run import Run

_NIGHT = (0, 6)  # hours of the local clock, as the consensus counts nocturnal readings
_PERCENTILES = (5, 25, 50, 75, 95)
_SLOT = 15 * MINUTE  # of the profile
_WINDOW = 30 * MINUTE  # readings this near to a slot's centre count
_LEAST_DAYS = 3  # for a profile
_ENOUGH_DAYS, _ENOUGH_SHARE = 14, 0.7  # of readings that the consensus recommends


@dataclass(frozen=True)
class Ranges:
    """The consensus ranges of glucose in one unit.

    Attributes:
        unit: `mg/dL` or `mmol/L`.
        very_low: Level 2 hypoglycaemia is below it.
        low: Level 1 hypoglycaemia is below it.
        high: Level 1 hyperglycaemia is above it.
        very_high: Level 2 hyperglycaemia is above it.
        per_mg_dl: The size of 1 mg/dL in the unit.
        digits: Decimals of a reading.

    Source:
        Battelino et al. (2019), "Clinical targets for continuous glucose monitoring data interpretation", Diabetes
        Care 42(8).
    """

    unit: str
    very_low: float
    low: float
    high: float
    very_high: float
    per_mg_dl: float
    digits: int

    @property
    def names(self) -> tuple[str, str, str, str, str]:
        """The ranges in words, from the highest to the lowest."""
        step = 10.0**-self.digits

        def text(value: float) -> str:
            return f"{value:.{self.digits}f}"

        return (
            f"very high, above {text(self.very_high)}",
            f"high, {text(self.high + step)} to {text(self.very_high)}",
            f"in range, {text(self.low)} to {text(self.high)}",
            f"low, {text(self.very_low)} to {text(self.low - step)}",
            f"very low, below {text(self.very_low)}",
        )


_RANGES = {
    "mg/dl": Ranges("mg/dL", 54, 70, 180, 250, 1.0, 0),
    "mmol/l": Ranges("mmol/L", 3.0, 3.9, 10.0, 13.9, 1 / 18.0182, 1),
}


def glucose_metrics(data: Dataset | Run) -> pl.DataFrame:
    """Compute the standard metrics of glucose readings, for the whole day, the day and the night.

    Args:
        data: Prepared readings in mg/dL or mmol/L, or a run on them.

    Returns:
        A row per series and part of the day: unique_id, part (`all`, `day`, `night`: 00:00 to 06:00 local time),
        readings, active (share of the steps that have a reading), mean, sd (both in the data's unit), cv (%), gmi (%),
        and the shares of readings very_low (below 54 mg/dL), low (54 to 69), in_range (70 to 180), high (181 to 250)
        and very_high (above 250), in mmol/L below 3.0, 3.0 to 3.8, 3.9 to 10.0, 10.1 to 13.9 and above. Readings in
        mmol/L are rounded to one decimal for the ranges, as devices show them.

    Raises:
        InputError: The unit of the readings is unknown, or is none of glucose.

    Source:
        Ranges, CV and parts of the day: Battelino et al. (2019), Diabetes Care 42(8). GMI = 3.31 + 0.02392 × mean in
        mg/dL: Bergenstal et al. (2018), "Glucose management indicator", Diabetes Care 41(11).

    Example:
        >>> readings = nbf.sample("glucose").tail(200).rename({"y": "glucose (mg/dL)"})
        >>> metrics = report.glucose_metrics(nbf.forecast(readings, "naive", wait=True))
        >>> metrics.filter(part="all")["in_range"].is_between(0, 1).all()
        True
    """
    dataset = _dataset(data)
    ranges = glucose_ranges(dataset)
    hours = _microseconds_of_day(dataset) // HOUR
    is_night = (hours >= _NIGHT[0]) & (hours < _NIGHT[1])
    parts = {"all": np.ones(len(dataset), bool), "day": ~is_night, "night": is_night}
    rows = []
    for number_, name in enumerate(dataset.ids):
        own = slice(int(dataset.offsets[number_]), int(dataset.offsets[number_ + 1]))
        for part, mask in parts.items():
            rows.append({"unique_id": name, "part": part, **_metrics(dataset.values[own][mask[own]], ranges)})
    return pl.DataFrame(rows, infer_schema_length=None)


def glucose_ranges(data: Dataset | Run) -> Ranges:
    """The consensus ranges in the unit of the data.

    Args:
        data: Prepared readings, or a run on them.

    Raises:
        InputError: The unit is unknown, or is none of glucose.

    Example:
        >>> readings = nbf.sample("glucose").tail(200).rename({"y": "glucose (mg/dL)"})
        >>> report.glucose_ranges(nbf.forecast(readings, "naive", wait=True)).high
        180
    """
    target = _dataset(data).names.target
    unit = stated_unit(target)
    ranges = _RANGES.get((unit or "").casefold())
    if ranges is None:
        stated = "states no unit" if unit is None else f"is in {unit}"
        raise InputError(
            f"The column {target!r} {stated}, and glucose is in mg/dL or mmol/L. Name the unit of the "
            f"readings: {option('unit', 'mg/dL')} or {option('unit', 'mmol/L')}."
        )
    return ranges


def glucose(run: Run) -> Section:
    """Show time in ranges, mean, variation and GMI of the readings, and the ambulatory glucose profile of each series.

    Args:
        run: A run on readings of glucose.

    Raises:
        InputError: The unit of the readings is unknown, or is none of glucose.

    Example:
        >>> readings = nbf.sample("glucose").tail(200).rename({"y": "glucose (mg/dL)"})
        >>> report.glucose(nbf.forecast(readings, "naive", wait=True))
    """
    data = run.data
    ranges, metrics = glucose_ranges(data), glucose_metrics(data)
    profiles = tuple(_draw_profile(data, number_, ranges) for number_ in range(len(data.ids)))
    whole = metrics.filter(part="all")
    share = whole["in_range"].to_numpy()
    first = whole.row(0, named=True)
    finding = (
        f"{percent(first['in_range'])} of the readings are in range ({ranges.low:g} to {ranges.high:g} "
        f"{ranges.unit}), {percent(first['low'] + first['very_low'])} below and "
        f"{percent(first['high'] + first['very_high'])} above."
        if len(data.ids) == 1
        else f"Time in range, {ranges.low:g} to {ranges.high:g} {ranges.unit}, is "
        f"{percent(share.min())} to {percent(share.max())} in {len(data.ids)} series."
    )
    details = (
        "The glucose management indicator (GMI) is the HbA1c that is expected from the mean glucose. The consensus "
        "recommends a coefficient of variation (CV) of at most 36 %.",
    )
    tables = [_tabulate(metrics.filter(unique_id=name), ranges, name if len(data.ids) > 1 else "") for name in data.ids]
    parts = [part for pair in zip(tables, profiles, strict=True) for part in pair if part is not None]
    return Section(finding, details, (*parts, Bullets(_limits_of(data, whole), secondary=True)))


def _dataset(data: Dataset | Run) -> Dataset:
    return data if isinstance(data, Dataset) else data.data


def _microseconds_of_day(data: Dataset) -> Float64[np.ndarray, " N"]:
    """The time of day of every row on the local clock, in microseconds."""
    times = data.times(data.time)
    if not isinstance(times.dtype, pl.Datetime):
        raise InputError("A profile of the day needs times of day, and these data have dates or steps.")
    local = times.dt.replace_time_zone(None).dt.cast_time_unit("us").cast(pl.Int64).to_numpy()
    return np.asarray(local % DAY, np.float64)


def _metrics(values: Float64[np.ndarray, " N"], ranges: Ranges) -> dict[str, float | int]:
    readings = values[np.isfinite(values)]
    shown = np.round(readings, ranges.digits) if ranges.digits else readings
    mean = float(readings.mean()) if len(readings) else float("nan")
    sd = float(readings.std(ddof=1)) if len(readings) > 1 else float("nan")

    def share(mask: np.ndarray) -> float:
        return float(mask.mean()) if len(readings) else float("nan")

    return {
        "readings": len(readings),
        "active": len(readings) / len(values) if len(values) else float("nan"),
        "mean": mean,
        "sd": sd,
        "cv": 100 * sd / mean,
        "gmi": 3.31 + 0.02392 * mean / ranges.per_mg_dl,
        "very_low": share(shown < ranges.very_low),
        "low": share((shown >= ranges.very_low) & (shown < ranges.low)),
        "in_range": share((shown >= ranges.low) & (shown <= ranges.high)),
        "high": share((shown > ranges.high) & (shown <= ranges.very_high)),
        "very_high": share(shown > ranges.very_high),
    }


def _tabulate(metrics: pl.DataFrame, ranges: Ranges, name: str) -> Table:
    rows = [metrics.filter(part=part).row(0, named=True) for part in ("all", "day", "night")]

    def line(title: str, text: Callable[[dict[str, float]], str]) -> tuple[str, ...]:
        return (title, *(text(row) if row["readings"] else UNKNOWN for row in rows))

    def share(key: str) -> Callable[[dict[str, float]], str]:
        return lambda row: percent(row[key])

    shares = ("very_high", "high", "in_range", "low", "very_low")
    lines = [line(title, share(key)) for title, key in zip(ranges.names, shares, strict=True)]
    lines.append(line(f"mean, {ranges.unit}", lambda row: f"{row['mean']:.{ranges.digits}f}"))
    lines.append(line("GMI", lambda row: f"{row['gmi']:.1f} %"))
    lines.append(line("CV", lambda row: f"{row['cv']:.0f} %"))
    lines.append(line("sensor active", share("active")))
    return Table((name, "all", "day", "night, 0 to 6 h"), tuple(lines))


def _draw_profile(data: Dataset, series: int, ranges: Ranges) -> Picture | None:
    """Draw the ambulatory glucose profile of a series; None where there are fewer than three days.

    Source:
        Bergenstal et al. (2013), "Recommendations for standardizing glucose reporting and analysis", Diabetes
        Technology & Therapeutics 15(3): percentiles of all days over the time of day. Here each is that of the
        readings within half an hour of the time.
    """
    own = slice(int(data.offsets[series]), int(data.offsets[series + 1]))
    values, of_day = data.values[own], _microseconds_of_day(data)[own]
    is_reading = np.isfinite(values)
    if len(np.unique(data.time[own][is_reading].astype("datetime64[D]"))) < _LEAST_DAYS:
        return None
    values, of_day = values[is_reading], of_day[is_reading]
    centres = np.arange(0, DAY + 1, _SLOT)
    distance = np.abs(of_day - centres[:, None])
    is_near = np.minimum(distance, DAY - distance) <= _WINDOW
    if not is_near.any(1).all():
        return None
    curves = np.array([np.percentile(values[near], _PERCENTILES) for near in is_near]).T
    p5, p25, p50, p75, p95 = curves
    x = centres // MINUTE
    lowest, highest = int(np.argmin(p50)), int(np.argmax(p50))
    clock = [f"{int(x[k]) // 60 % 24:02d}:{int(x[k]) % 60:02d}" for k in (lowest, highest)]
    texts = [f"{p50[k]:.{ranges.digits}f}" for k in (lowest, highest)]
    ends = f"{texts[0]} {ranges.unit} at {clock[0]} and {texts[1]} at {clock[1]}"
    alt = f"Glucose over the day: the median is between {ends}."
    marks = (
        charts.Area(x, p95, p5, 0),
        charts.Area(x, p75, p25, 1),
        charts.ReferenceLine(ranges.low, f"{ranges.low:g}"),
        charts.ReferenceLine(ranges.high, f"{ranges.high:g}"),
        charts.Line(x, p50, "median"),
    )
    title = "A typical day" + (f", {data.ids[series]}" if len(data.ids) > 1 else "")
    unit = f"{target_name(data)}: median, middle half and middle 90 % of all days"
    hours = tuple((60 * hour, f"{hour % 24:02d}:00") for hour in range(0, 25, 3))
    return Picture.of(charts.LineChart(title, marks, alt, unit, "", x_ticks=hours, floor=0.0, height=300))


def _limits_of(data: Dataset, whole: pl.DataFrame) -> tuple[str, ...]:
    """What the metrics rest on, and whether that is enough."""
    sentences = ["The profile takes all readings within half an hour of each time of day. Night is 0 to 6 h."]
    days = data.lengths * data.frequency.microseconds / DAY
    is_short = (days < _ENOUGH_DAYS) | (whole["active"].to_numpy() < _ENOUGH_SHARE)
    if is_short.any():
        subject = "These" if len(data.ids) == 1 else f"Those of {plural(int(is_short.sum()), 'series', 'series')}"
        sentences.append(
            f"{subject} are fewer readings than the consensus recommends: 14 days with the sensor active 70 % of the "
            "time."
        )
    return tuple(sentences)
