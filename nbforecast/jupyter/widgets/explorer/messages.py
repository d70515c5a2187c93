"""What the explorer's front end is told: JSON with a `kind`, and raw little-endian arrays beside it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.postprocessing.conformal import CALIBRATED_LEVELS, is_covered
from nbforecast.result_cache.status import Status
from nbforecast.scoring.calculations import COVERAGES, LEVELS, quantiles
from nbforecast.scoring.scores import OriginScores, summarise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbforecast.data import Dataset
    from nbforecast.run import Run

VERSION = 1
MOST_ROWS = 4096
MOST_NOTES = 40
_SLICE, _ANSWER = 8 << 20, 64 << 20  # bytes of rows in one message, and in all messages that answer one request
_NEAR = 64  # changed rows that are this close travel together
_MOST_RANGES = 32


class Message(NamedTuple):
    """content: JSON-safe, no NaN. buffers: arrays' bytes."""

    content: dict[str, Any]
    buffers: tuple[bytes, ...] = ()


def names_of(runs: Sequence[Run]) -> list[str]:
    """What the models are called: their names, numbered where two have the same."""
    names: list[str] = []
    for run in runs:
        names.append(run.model if run.model not in names else f"{run.model} ({len(names) + 1})")
    return names


def meta(runs: Sequence[Run], *, live: bool = True, notes: Sequence[str] = ()) -> Message:
    """What there is to explore; `notes` come before those on the data."""
    data, zone = runs[0].data, getattr(runs[0].data.time_type, "time_zone", None)
    number = data.frequency.kind == "integer"
    wall = data.frequency.wall_clock or zone is None
    fixed = data.frequency.kind in ("fixed", "integer")
    models = [
        {"name": name, "draws": run.spec.draws, "levels": [float(p) for p in run.quantile_levels]}
        for name, run in zip(names_of(runs), runs, strict=True)
    ]
    content = {
        "kind": "meta",
        "v": VERSION,
        "live": live,
        "title": data.names.frame or ("" if data.names.target == "y" else data.names.target),
        "target": "" if data.names.target == "y" else data.names.target,
        "zone": None if number or wall else zone,
        "clock": "number" if number else "wall" if wall else "utc",
        "step": data.frequency.every / (1 if number else 1e6) if fixed else None,
        "frequency": data.frequency.describe(),
        "seasons": [int(s) for s in data.frequency.seasons],
        "horizon": runs[0].horizon,
        "levels": list(LEVELS),
        "coverages": list(COVERAGES),
        "calibrated": any(run.calibrate for run in runs),
        "series": [{"id": i, "rows": int(n)} for i, n in zip(data.ids, data.lengths, strict=True)],
        "models": models,
        "notes": [*notes, *_notes(data)],
        "reasons": {str(int(r)): r.sentence for r in UnavailableReason if r},
    }
    return Message(content)


def _notes(data: Dataset) -> list[str]:
    told = [
        f"{w.series}: {w}" if w.series is not None and len(data.ids) > 1 and w.series not in str(w) else str(w)
        for w in data.warnings
    ]
    rest = len(told) - MOST_NOTES
    return told if rest <= 0 else [*told[:MOST_NOTES], f"{rest:,} more notes on the data are in run.warnings."]


def span(data: Dataset, series: int) -> tuple[int, int]:
    """The first row of a series in the data, and the one after its last."""
    return int(data.offsets[series]), int(data.offsets[series + 1])


def history(data: Dataset, series: int) -> Message:
    """Times, in milliseconds since the epoch or plain numbers, and observed values of a series."""
    start, end = span(data, series)
    time = data.time[start:end]
    number = data.frequency.kind == "integer"
    stamps = time.astype(np.float64) if number else time.astype("datetime64[us]").astype(np.int64) / 1e3
    return Message({"kind": "history", "series": series}, (_raw(stamps, "<f8"), _raw(data.values[start:end], "<f8")))


def status(run: Run, series: int, model: int, first: int, stands: UInt8[np.ndarray, " N"]) -> Message:
    """How far the rows from `first` on have come, as `stands` has it, why not, and their mean CRPS."""
    start = span(run.data, series)[0] + first
    rows = np.arange(start, start + len(stands))
    score = np.full(len(rows), np.nan, np.float32)
    scored = stands == Status.SCORED
    score[scored] = _mean(run.take("crps", rows[scored]))
    content = {"kind": "status", "series": series, "model": model, "first": first, "count": len(rows)}
    reasons = run.reasons[start : start + len(rows)]
    return Message(content, (_raw(stands, "u1"), _raw(reasons, "u1"), _raw(score, "<f4")))


def standing(run: Run, series: int) -> UInt8[np.ndarray, " N"]:
    """How far every row of a series has come."""
    start, end = span(run.data, series)
    return run.status[start:end].copy()


def ranges(changed: Bool[np.ndarray, " N"]) -> list[tuple[int, int]]:
    """The rows that changed, as few (first, count), some between them included."""
    at = np.flatnonzero(changed)
    if not len(at):
        return []
    breaks = np.flatnonzero(np.diff(at) > _NEAR)
    if len(breaks) >= _MOST_RANGES:
        breaks = breaks[:0]
    firsts, lasts = at[np.append(0, breaks + 1)], at[np.append(breaks, len(at) - 1)]
    return [(int(a), int(b - a + 1)) for a, b in zip(firsts, lasts, strict=True)]


def rows(run: Run, series: int, model: int, first: int, count: int, request: int | str | None) -> Iterator[Message]:
    """Draws and quantiles of some rows of a series, in slices; where they are too many, of those in the middle."""
    spec = run.spec
    size = spec.horizon * (spec.draws + len(LEVELS)) * 4
    kept = min(count, MOST_ROWS, max(_ANSWER // size, 1))
    first += (count - kept) // 2
    step = max(min(_SLICE // size, kept), 1)
    for at in range(first, first + kept, step):
        number = min(step, first + kept - at)
        draws, ends = shown(run, series, at, number)
        content = {"kind": "rows", "series": series, "model": model, "first": at, "count": number, "request": request}
        yield Message(content, (_raw(draws, "<f4"), _raw(ends, "<f4")))


def shown(
    run: Run, series: int, first: int, count: int
) -> tuple[Float32[np.ndarray, "R H Q"], Float32[np.ndarray, "R H K"]]:
    """Draws of some rows of a series, and the ends of bands at `LEVELS`; NaN where nothing stands yet.

    The ends are calibrated where that was asked for and enough past errors are known.
    """
    start = span(run.data, series)[0] + first
    at = np.arange(start, start + count)
    draws, ends = run.take("forecast", at), run.take("quantiles", at)
    lacking = np.isnan(ends).any((1, 2)) & np.isfinite(draws).all((1, 2))
    if lacking.any():
        ends[lacking] = quantiles(draws[lacking], run.quantile_levels, LEVELS)
    if run.calibrate:
        bands = run.calibrated_bands(slice(start, start + count))
        known = np.isfinite(bands).all((1, 2)) & np.isfinite(draws).all((1, 2))
        for k, level in enumerate(LEVELS):
            if level in CALIBRATED_LEVELS:
                ends[known, :, k] = bands[known][..., CALIBRATED_LEVELS.index(level)]
    return draws, ends


def scores(run: Run, series: int, model: int) -> Message:
    """Mean scores of one series, overall (over `n` origins) and by horizon step, as far as they have come.

    The coverage is that of the bands that are drawn: of calibrated ones once the run is done.
    """
    start, end = span(run.data, series)
    at, data = np.arange(start, end), run.data
    part = replace(
        data,
        ids=(data.ids[series],),
        offsets=np.array([0, end - start]),
        time=data.time[start:end],
        values=data.values[start:end],
    )
    scored = OriginScores(*(run.take(name, at) for name in ("abs_error", "crps", "pinball", "covered")))
    held = "coverage"
    if run.calibrate and run.done:
        known = is_covered(run.calibrated_bands()[at], data.actuals(at, run.horizon))
        scored, held = scored._replace(calibrated=known), "calibrated" if np.isfinite(known).any() else held
    overall = summarise(part, scored).row(0, named=True)
    horizon = summarise(part, scored, "horizon")
    overall |= {f"coverage_{c}": overall[f"{held}_{c}"] for c in COVERAGES}
    horizon = horizon.with_columns(coverage_80=f"{held}_80")
    names = ("mae", "crps", "mase", *(f"coverage_{c}" for c in COVERAGES))
    content = {
        "kind": "scores",
        "series": series,
        "model": model,
        "overall": {**{n: _finite(overall[n]) for n in names}, "n": int(np.isfinite(scored.crps).any(1).sum())},
        "horizon": {n: [_finite(x) for x in horizon[n]] for n in ("mae", "crps", "coverage_80")},
    }
    return Message(content)


def progress(run: Run, model: int) -> Message:
    """How far a run has come, and how it ended."""
    content = {
        "kind": "progress",
        "model": model,
        "available": run.available,
        "inferred": run.inferred,
        "calculated": run.calculated,
        "reused": run.reused,
        "rate": _finite(run.rate) or 0.0,
        "left": _finite(run.eta_seconds),
        "done": run.done,
        "cancelled": run.cancelled,
        "error": None if run.error is None else str(run.error),
    }
    return Message(content)


def fault(text: str) -> Message:
    """Something the front end asked for failed."""
    return Message({"kind": "fault", "text": text})


def _mean(scores: Float32[np.ndarray, "R H"]) -> Float32[np.ndarray, " R"]:
    """Over the steps whose actual value is known; NaN where none is."""
    known = np.isfinite(scores)
    count = known.sum(1)
    total = np.where(known, scores, 0).sum(1, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _finite(number: float | None) -> float | None:
    return None if number is None or not math.isfinite(number) else float(number)


def _raw(values: np.ndarray, kind: str) -> bytes:
    return np.ascontiguousarray(values, kind).tobytes()
