"""What learning from past errors and covariates gains, beside the base forecasts and a regressor with the same lags."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

import nbforecast as nbf
from nbforecast.postprocessing.conformal import is_covered
from tests.benchmarks.table import Table, number
from tests.support.requirements import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbforecast.run import Run

SKIPPED = 300  # origins at the beginning that are not scored
NOTE = (
    "Mean pinball loss over all origins but the first 300 and all steps, relative to the base model `pretrained`; "
    "lower is better. Calibrated: the share of actual values in the 80 % bands after learning and calibration. "
    "Seconds: learning and scores, with the base forecasts there."
)
PEER_NOTE = (
    "The regressor is scikit-learn's histogram gradient boosting, one per step, with the last 24 values, those of one "
    "and two seasons before and the covariates, fitted anew every 720 origins on all before. Its forecasts are points, "
    "so the losses compared are mean absolute errors, relative to the base's medians."
)


def tables(quick: bool) -> Iterator[Table]:
    rows, ratios = [], []
    for name, frame in _sets(quick):
        base, learned, seconds = _learn(frame, 12)
        ratio = _loss(learned, learned) / _loss(base, learned)
        ratios.append(ratio)
        rows.append((name, f"{len(base.data):,}", f"{ratio:.3f}", _coverage(learned), number(seconds)))
    rows.append(("geometric mean", "", f"{np.exp(np.mean(np.log(ratios))):.3f}", "", ""))
    yield Table(
        "Learning from past errors, horizon 12", ("data", "origins", "learned", "calibrated", "s"), rows, (NOTE,)
    )
    rows = []
    for name, frame, horizon, options in _covariate_sets(quick):
        base, plain, _ = _learn(frame.select("unique_id", "ds", "y"), horizon)
        _, learned, seconds = _learn(frame, horizon, **options)
        losses = [_loss(run, learned) / _loss(base, learned) for run in (plain, learned)]
        errors = [_error(run, learned) for run in (base, learned)]
        peer = _peer_error(frame, horizon, options, learned) / errors[0] if horizon <= 24 else np.nan
        text = f"{peer:.3f}" if np.isfinite(peer) else "–"
        ours = f"{errors[1] / errors[0]:.3f}"
        rows.append(
            (name, str(horizon), *(f"{x:.3f}" for x in losses), _coverage(learned), ours, text, number(seconds))
        )
    columns = ("data", "steps", "without", "with", "calibrated", "MAE: with", "MAE: regressor", "s")
    yield Table("Covariates", columns, rows, (NOTE, PEER_NOTE))


def _learn(frame: pl.DataFrame, horizon: int, **options: Any) -> tuple[Run, Run, float]:
    base = nbf.forecast(frame, horizon=horizon, target="y", wait=True)
    start = time.perf_counter()
    run = nbf.forecast(frame, horizon=horizon, target="y", learn=True, calibrate=True, wait=True, **options)
    return base, run, time.perf_counter() - start


def _scored_rows(run: Run) -> np.ndarray:
    actual = run.data.actuals(np.arange(len(run.data)), run.horizon)
    rows = np.flatnonzero(np.isfinite(actual).all(1) & np.isfinite(run.array).all((1, 2)))
    return rows[rows >= SKIPPED]


def _loss(run: Run, scored: Run) -> float:
    rows = _scored_rows(scored)
    error = run.data.actuals(rows, run.horizon)[..., None] - run.array[rows]
    levels = np.array(run.quantile_levels)
    return float(np.maximum(levels * error, (levels - 1) * error).mean())


def _error(run: Run, scored: Run) -> float:
    rows = _scored_rows(scored)
    median = run.take("median", rows)
    return float(np.abs(run.data.actuals(rows, run.horizon) - median).mean())


def _coverage(run: Run) -> str:
    actual = run.data.actuals(np.arange(len(run.data)), run.horizon)
    return f"{np.nanmean(is_covered(run.calibrated_bands(), actual)[..., 1]):.1%}"


def _peer_error(frame: pl.DataFrame, horizon: int, options: dict[str, Any], scored: Run) -> float:
    from sklearn.ensemble import HistGradientBoostingRegressor

    data, season = scored.data, max(scored.data.frequency.seasons)
    values, rows = data.values, _scored_rows(scored)
    names = options.get("future_covariates", [])
    covariates = frame.select(pl.col(names).cast(pl.Float64)).to_numpy()
    lags = np.stack([_moved(values, k) for k in range(24)], 1)
    errors = []
    for h in range(1, horizon + 1):
        seasonal = [_moved(values, k * season - h) for k in (1, 2)]
        columns = np.column_stack([lags, *seasonal, *(_moved(column, -h) for column in covariates.T)])
        target = _moved(values, -h)
        predicted = np.full(len(values), np.nan)
        for start in range(SKIPPED, len(values), 720):
            known = np.arange(24, start - h)
            used = columns[:, np.isfinite(columns[known]).any(0)]
            model = HistGradientBoostingRegressor(loss="absolute_error", max_iter=100)
            model.fit(used[known], target[known])
            predicted[start : start + 720] = model.predict(used[start : start + 720])
        errors.append(np.abs(target - predicted)[rows].mean())
    return float(np.mean(errors))


def _moved(values: np.ndarray, rows: int) -> np.ndarray:
    """The values some rows later, or earlier if negative; NaN where there is none."""
    if rows < 0:
        return np.concatenate([values[-rows:], np.full(-rows, np.nan)])
    return np.concatenate([np.full(rows, np.nan), values[: len(values) - rows]])


def _sets(quick: bool) -> Iterator[tuple[str, pl.DataFrame]]:
    if quick:
        yield "taxi", nbf.sample("taxi").tail(700)
        return
    files = {
        "ETTh1, oil temperature": ("etth1", "ETTh1_OT"),
        "ETTh1, HUFL": ("etth1", None),
        "electricity, half-hourly": ("vic_elec_30min", None),
        "air quality in Beijing": ("beijing_pm25_hourly", None),
        "taxi, hourly": ("demo/taxi_demo", None),
        "glucose": ("cgm_iglu5", None),
        "NAB": ("nab_shared", None),
        "daily": ("daily_misc", None),
    }
    for name, (file, series) in files.items():
        path = SHARED / "data" / f"{file}.parquet"
        if path.exists():
            frame = pl.read_parquet(path)
            chosen = frame["unique_id"][0] if series is None else series
            yield name, frame.filter(unique_id=chosen).select("unique_id", "ds", "y").tail(6_000)


def _covariate_sets(quick: bool) -> Iterator[tuple[str, pl.DataFrame, int, dict[str, Any]]]:
    if quick:
        frame = nbf.sample("taxi").tail(700)
        yield (
            "taxi, noise",
            frame.with_columns(noise=np.random.default_rng(0).normal(size=700)),
            3,
            {"future_covariates": ["noise"]},
        )
        return
    folder = SHARED / "data" / "covariates"
    if not folder.exists():
        return
    electricity = pl.read_parquet(folder / "vic_elec.parquet").tail(8_000)
    for horizon in (12, 48):
        options = {"future_covariates": ["temperature", "holiday"]}
        yield "electricity, temperature and holidays", electricity, horizon, options
    prices = pl.read_parquet(folder / "epf_short.parquet")
    for market in ("DE", "NP", "FR", "BE"):
        options = {"future_covariates": ["load_forecast", "generation_forecast"]}
        yield f"day-ahead prices, {market}", prices.filter(unique_id=market).sort("ds"), 24, options
