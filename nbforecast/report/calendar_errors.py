"""Errors and coverage by hour, weekday and month of the time that is forecast, wherever the grid has them (R4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float64

from nbforecast import charts
from nbforecast.report.labels import target_name, with_unit
from nbforecast.report.section import Bullets, Picture, PictureRow, Section
from nbforecast.report.stats import (
    MOST_CALIBRATED,
    calibrated_rows,
    overall_score,
    score_column,
    scored_rows,
    scores_of,
)
from nbforecast.text import number, percent
from nbforecast.time_units import DAY, HOUR

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.run import Run

_NOMINAL = 0.8  # coverage of the band that is shown
_FEWEST = 50  # steps with an actual value, below which a slice has no coverage and is not called the worst
_NEGLIGIBLE = 0.01  # a relative difference of errors, or a deviation of a coverage, that is not worth a word
_WIDTH = 424  # pixels


class Slices(NamedTuple):
    """Scores of the hours, weekdays or months.

    Attributes:
        key: `hour`, `weekday` or `month`.
        names: Of the slices, shape (P,): `08:00`, `Monday`, `January`.
        phrases: The same in a sentence: `at 08:00`, `on Mondays`, `in January`.
        counts: Steps with an actual value, shape (P,).
        mae: Shape (P,), in the data's unit.
        coverage: Share of actual values inside the 80 % band as forecast, shape (P,); NaN without bands, and of few
            values.
        calibrated: The same of the calibrated band; NaN where there is none.
        covered_counts: Steps on which the coverages rest, shape (P,): those of origins with calibrated bands, if any.
    """

    key: str
    names: tuple[str, ...]
    phrases: tuple[str, ...]
    counts: Float64[np.ndarray, " P"]
    mae: Float64[np.ndarray, " P"]
    coverage: Float64[np.ndarray, " P"]
    calibrated: Float64[np.ndarray, " P"]
    covered_counts: Float64[np.ndarray, " P"]


@dataclass(frozen=True)
class CalendarErrors:
    """Errors by parts of the calendar.

    Attributes:
        finding: The worst slices in a sentence.
        details: The range of errors and coverages of each part of the calendar.
        parts: Hours, weekdays and months, those that the grid has.
    """

    finding: str
    details: tuple[str, ...] = ()
    parts: tuple[Slices, ...] = ()


def find_calendar_errors(run: Run) -> CalendarErrors:
    """Compute errors and coverage by hour, weekday and month, and name the worst slices."""
    parts = tuple(part for key in calendar_keys(run.data) if len((part := _slices(run, key)).names) > 1)
    if not parts:
        return CalendarErrors("")
    details = tuple(_describe_part(run, part) for part in parts)
    share = float(calibrated_rows(run).sum() / scored_rows([run]).sum())
    if 0 < share < MOST_CALIBRATED:
        details = (*details, f"Coverage is that of the {percent(share, 0)} of the origins that have calibrated bands.")
    return CalendarErrors(" ".join(filter(None, (_worst_error(run, parts), _worst_band(parts)))), details, parts)


def calendar_errors(run: Run) -> Section:
    """Show errors and coverage by hour, weekday and month of the time that is forecast; nothing without a calendar.

    Args:
        run: A completed run.

    Example:
        >>> report.calendar_errors(run)
    """
    findings = find_calendar_errors(run)
    if not findings.parts:
        return Section("The times have no hours, weekdays or months to compare.")
    rows = tuple(
        PictureRow((_draw_errors(run, part), *([_draw_coverage(part)] if np.isfinite(part.coverage).any() else [])))
        for part in findings.parts
    )
    return Section(findings.finding, (), (Bullets(findings.details), *rows))


def calendar_keys(data: Dataset) -> list[str]:
    """List those of `hour`, `weekday` and `month` that differ along the grid for a reason: months have no weekday."""
    frequency = data.frequency
    match frequency.kind:
        case "integer":
            return []
        case "month":
            return ["month"] if frequency.every < 12 else []
        case "fixed":
            longest = {"hour": DAY - 1, "weekday": DAY, "month": 31 * DAY}
            return [key for key, step in longest.items() if frequency.every <= step]
    return [*(["hour"] if frequency.has_clock else []), "weekday", "month"]


def _slices(run: Run, key: str) -> Slices:
    scores = run.scores(key)
    scores = scores.filter(scores["n"] > 0)
    values = scores[key].to_list()
    names = [f"{hour:02}:00" for hour in values] if key == "hour" else values
    phrases = {
        "hour": [_hour_phrase(run.data, hour) for hour in values] if key == "hour" else [],
        "weekday": [f"on {name}s" for name in values],
        "month": [f"in {name}" for name in values],
    }[key]
    counts = covered_counts = score_column(scores, "n")
    coverage = calibrated = np.full(len(values), np.nan)
    if len(run.quantile_levels) > 1:
        coverage = score_column(scores, "coverage_80")
    rows = calibrated_rows(run)
    if rows.any():  # both at the same origins
        same = scores.select(key).join(scores_of(run, rows, key), on=key, how="left", maintain_order="left")
        coverage, calibrated = score_column(same, "coverage_80"), score_column(same, "calibrated_80")
        covered_counts = score_column(same, "n")
    coverage, calibrated = (np.where(covered_counts >= _FEWEST, c, np.nan) for c in (coverage, calibrated))
    mae = score_column(scores, "mae")
    return Slices(key, tuple(names), tuple(phrases), counts, mae, coverage, calibrated, covered_counts)


def _hour_phrase(data: Dataset, hour: int) -> str:
    """An hour in a sentence: `at 08:00` if it has one step, else `between 08:00 and 09:00`."""
    frequency = data.frequency
    if frequency.kind == "fixed" and frequency.every < HOUR:
        return f"between {hour:02}:00 and {(hour + 1) % 24:02}:00"
    return f"at {hour:02}:00"


def _worst(parts: tuple[Slices, ...], badness: list[Float64[np.ndarray, " P"]]) -> tuple[Slices, int] | None:
    """The slice of the largest badness; None where all are NaN."""
    best: tuple[float, Slices, int] | None = None
    for part, values in zip(parts, badness, strict=True):
        known = np.where(np.isfinite(values), values, -np.inf)
        position = int(known.argmax())
        if np.isfinite(known[position]) and (best is None or known[position] > best[0]):
            best = float(known[position]), part, position
    return None if best is None else best[1:]


def _worst_error(run: Run, parts: tuple[Slices, ...]) -> str:
    overall = overall_score(run, "mae")
    worst = _worst(parts, [np.where(part.counts >= _FEWEST, part.mae, np.nan) for part in parts])
    if worst is None or not overall or worst[0].mae[worst[1]] <= (1 + _NEGLIGIBLE) * overall:
        return ""
    part, position = worst
    return (
        f"Errors of {run.model} are largest {part.phrases[position]}: an MAE of "
        f"{with_unit(run.data, part.mae[position])}, against {with_unit(run.data, overall)} over all times."
    )


def _worst_band(parts: tuple[Slices, ...]) -> str:
    """The slice whose 80 % bands are farthest from 80 %, as forecast, and as calibrated where that is another one."""
    sentences = []
    worst = _worst(parts, [abs(part.coverage - _NOMINAL) for part in parts])
    if worst is not None and abs(worst[0].coverage[worst[1]] - _NOMINAL) > _NEGLIGIBLE:
        part, position = worst
        after = part.calibrated[position]
        calibrated = f", and {percent(after)} once calibrated" if np.isfinite(after) else ""
        sentences.append(
            f"The 80 % bands are farthest from 80 % {part.phrases[position]}: they contain "
            f"{percent(part.coverage[position])} of {int(part.covered_counts[position]):,} actual values as "
            f"forecast{calibrated}."
        )
    last = _worst(parts, [abs(part.calibrated - _NOMINAL) for part in parts])
    if last is not None and last != worst and abs(last[0].calibrated[last[1]] - _NOMINAL) > _NEGLIGIBLE:
        part, position = last
        share = percent(part.calibrated[position])
        sentences.append(f"Calibrated ones are farthest from it {part.phrases[position]}: {share}.")
    return " ".join(sentences)


def _describe_part(run: Run, part: Slices) -> str:
    """The range of errors and coverages of the hours, weekdays or months."""
    least, most = int(np.nanargmin(part.mae)), int(np.nanargmax(part.mae))
    sentence = (
        f"By {part.key}, the MAE is lowest {part.phrases[least]} ({with_unit(run.data, part.mae[least])}) and highest "
        f"{part.phrases[most]} ({with_unit(run.data, part.mae[most])})"
    )
    coverage, state = (part.calibrated, "calibrated ") if np.isfinite(part.calibrated).any() else (part.coverage, "")
    if not np.isfinite(coverage).any():
        return f"{sentence}."
    low, high = int(np.nanargmin(coverage)), int(np.nanargmax(coverage))
    return (
        f"{sentence}; the {state}80 % bands contain the fewest values {part.phrases[low]} ({percent(coverage[low])}) "
        f"and the most {part.phrases[high]} ({percent(coverage[high])})."
    )


def _draw_errors(run: Run, part: Slices) -> Picture:
    rows = tuple(charts.DotRow(*row) for row in zip(part.names, part.mae, map(number, part.mae), strict=True))
    alt = f"MAE by {part.key}: {'; '.join(f'{row.label} {row.text}' for row in rows)}."
    target = target_name(run.data)
    unit = f"MAE, {target}" if target else "MAE"
    mean = overall_score(run, "mae"), "mean"
    return Picture.of(charts.DotChart(f"Error by {part.key}", rows, alt, unit, mean, _WIDTH))


def _draw_coverage(part: Slices) -> Picture:
    has_calibrated = bool(np.isfinite(part.calibrated).any())
    rows = []
    for name, before, after in zip(part.names, part.coverage, part.calibrated, strict=True):
        text = f"{percent(before, 0)} → {percent(after, 0)}" if np.isfinite(after) else percent(before, 0)
        value, ring = (after, before) if np.isfinite(after) else (before, np.nan)
        rows.append(charts.DotRow(name, 100 * value, text, before=100 * ring))
    alt = f"Values inside the 80 % band by {part.key}: {'; '.join(f'{row.label} {row.text}' for row in rows)}."
    unit = "% of the values; ring: as forecast, dot: calibrated" if has_calibrated else "% of the values"
    title = f"Inside the 80 % band, by {part.key}"
    return Picture.of(charts.DotChart(title, tuple(rows), alt, unit, (100 * _NOMINAL, "80 %"), _WIDTH))
