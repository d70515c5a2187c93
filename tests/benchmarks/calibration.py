"""What share of actual values lies in the bands of forecasts from every origin, before and after calibration."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

import nbforecast as nbf
from nbforecast.postprocessing.conformal import CALIBRATED_LEVELS, calibrate, is_covered
from nbforecast.scoring.origin_scores import CALIBRATED_COVERAGES, quantiles
from tests.benchmarks.table import Table, number
from tests.support.requirements import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbforecast.run import Run

NOTE = (
    "Every origin and step of horizon 12 that has calibrated bands (at least 40 past errors of its step). Width: the "
    "mean interval score of the four bands after calibration, relative to before (lower is better): a band may cover "
    "what it says by being wide."
)


def tables(quick: bool) -> Iterator[Table]:
    rows, away = [], []
    for name, frame in _sets(quick):
        for model in ("naive",) if quick else ("auto", "pretrained", "naive"):
            run = nbf.forecast(frame, model, wait=True)
            before, after, width, seconds = _compare(run)
            away.append(np.abs(np.stack([before, after]) - np.array(CALIBRATED_COVERAGES) / 100))
            told = [" · ".join(f"{share:.1%}" for share in shares) for shares in (before, after)]
            rows.append((name, model, f"{len(run.data):,}", *told, f"{width:.3f}", number(seconds)))
    mean, worst = np.mean(away, 0).mean(-1), np.max(away, (0, 2))
    summary = [f"{m:.1%}, at most {w:.1%}" for m, w in zip(mean, worst, strict=True)]
    rows.append(("away from what they say", "", "", *summary, "", ""))
    bands = " · ".join(f"{b} %" for b in CALIBRATED_COVERAGES)
    columns = ("data", "model", "origins", f"in the {bands} bands", "calibrated", "width", "seconds")
    yield Table("Calibration", columns, rows, (NOTE,))


def _compare(run: Run) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Coverage before and after, the ratio of interval scores, and the seconds that calibration takes."""
    data, view = run.data, run.entry_slice
    actual, levels = data.actuals(np.arange(len(data)), run.horizon), view.spec.levels
    start = time.perf_counter()
    after = calibrate(view.array("forecast"), actual, data.lengths, levels)
    seconds = time.perf_counter() - start
    before = quantiles(view.array("forecast"), levels, CALIBRATED_LEVELS)
    before[np.isnan(after)] = np.nan
    shares = [np.nanmean(is_covered(bands, actual), (0, 1)) for bands in (before, after)]
    scores = [_interval_score(bands, actual) for bands in (before, after)]
    return shares[0], shares[1], scores[1] / scores[0], seconds


def _interval_score(bands: np.ndarray, actual: np.ndarray) -> float:
    """Mean over bands of width and penalties (Gneiting & Raftery 2007)."""
    half, alpha = len(CALIBRATED_COVERAGES), 1 - np.array(CALIBRATED_COVERAGES) / 100
    low, high, y = bands[..., :half][..., ::-1], bands[..., half:], actual[..., None]
    return float(np.nanmean(high - low + 2 / alpha * (np.maximum(low - y, 0) + np.maximum(y - high, 0))))


def _sets(quick: bool) -> Iterator[tuple[str, pl.DataFrame]]:
    if quick:
        yield "taxi", nbf.sample("taxi").tail(700)
        return
    yield "taxi, hourly", nbf.sample("taxi")
    yield "glucose, 4 people", nbf.sample("glucose")
    parts = {
        "ETTh1, oil temperature": ("etth1", pl.col("unique_id") == "ETTh1_OT"),
        "glucose (Hall), 10 people": ("cgm_hall", pl.col("unique_id").rank("dense") <= 10),
        "air quality in Beijing, hourly": ("beijing_pm25_hourly", pl.lit(True)),
        "electricity demand, half-hourly": ("vic_elec_30min", pl.lit(True)),
        "M4 hourly, 15 series": ("m4_hourly_shared", pl.col("unique_id").rank("dense") <= 15),
        "carbon dioxide, weekly": ("co2_weekly", pl.lit(True)),
    }
    for name, (file, chosen) in parts.items():
        path = SHARED / "data" / f"{file}.parquet"
        if path.exists():
            yield name, pl.read_parquet(path).filter(chosen).group_by("unique_id", maintain_order=True).tail(12_000)
