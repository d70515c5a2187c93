"""What learning from past errors and covariates gains and costs, beside regressors that read the same columns."""

from __future__ import annotations

import contextlib
import resource
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

import nbforecast as nbf
from nbforecast.learned_run import read_base_forecasts
from nbforecast.postprocessing import residual_features
from nbforecast.postprocessing.conformal import is_covered
from nbforecast.postprocessing.residual_model import BaseForecasts, Learner, learn
from tests.benchmarks.table import Table, number
from tests.support.requirements import SHARED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbforecast.run import Run

SKIPPED = 300  # origins at the beginning that are not scored
NOTE = (
    "Mean pinball loss over all origins but the first 300 and all steps, relative to the base model `pretrained`; "
    "lower is better. Calibrated: the share of actual values in the 80 % bands after learning and calibration. "
    "Seconds: learning and scores, with the base forecasts there."
)
PEER_NOTE = (
    "Peers forecast points, so mean absolute errors are compared, relative to the base's medians, over the first, the "
    "middle and the last step. Boosting is scikit-learn's HistGradientBoosting, one per step, on the last 24 values, "
    "those of one and two seasons before and the covariates, fitted anew every 720 origins on all before. Linear is "
    "least squares on the same columns, fitted as often, which is what Darts' LinearRegressionModel fits. AutoARIMA of "
    "statsforecast reads the covariates, too; it is slow, so there are 4 origins, each after 600 values, and horizons "
    "up to 24: the error of learned, then that of AutoARIMA there."
)
COST_NOTE = (
    "Learning alone, with the base forecasts there: 12 steps of half-hourly electricity. An append is one new origin; "
    "200 of them, three of which begin a new block of fits. Memory: the process's peak above that before."
)
GROUP_NOTE = (
    "Mean pinball loss without a group of features, relative to that with all: 1.01 is a loss that is 1 % higher. The "
    "geometric mean over the series of the first table, their newest 3,000 points."
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
    yield Table(
        "What learning costs",
        ("origins", "covariates", "s", "MB", "append p50, ms", "p95, ms", "appends/s"),
        [_cost(count, covariates) for count in (1_000 if quick else 10_000,) for covariates in (0, 3)],
        (COST_NOTE,),
    )
    yield Table("What a group of features is worth", ("without", "loss"), list(_groups(quick)), (GROUP_NOTE,))
    rows = []
    for name, frame, horizon, options in _covariate_sets(quick):
        base, plain, _ = _learn(frame.select("unique_id", "ds", "y"), horizon)
        _, learned, seconds = _learn(frame, horizon, **options)
        losses = [_loss(run, learned) / _loss(base, learned) for run in (plain, learned)]
        peers = _peers(frame, options.get("future_covariates", []), base, learned, quick=quick)
        rows.append((name, str(horizon), *(f"{x:.3f}" for x in losses), _coverage(learned), *peers, number(seconds)))
    columns = ("data", "steps", "without", "with", "calibrated", "MAE: with", "boosting", "linear", "AutoARIMA", "s")
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


def _coverage(run: Run) -> str:
    actual = run.data.actuals(np.arange(len(run.data)), run.horizon)
    return f"{np.nanmean(is_covered(run.calibrated_bands(), actual)[..., 1]):.1%}"


def _cost(count: int, covariates: int) -> tuple[str, ...]:
    """Seconds and memory of learning from many origins, and of appending some."""
    path = SHARED / "data" / "vic_elec_30min.parquet"
    frame = pl.read_parquet(path) if path.exists() else nbf.sample("taxi")
    random, appended = np.random.default_rng(0), 200
    run = nbf.forecast(frame.select("unique_id", "ds", "y").tail(count + appended), "naive", 12, target="y", wait=True)
    whole = read_base_forecasts(run, ())
    assert whole is not None
    total = len(whole.values)

    def part(size: int) -> BaseForecasts:
        values = random.normal(size=(covariates, total + 12))[:, : size + 12]
        is_future = np.ones(covariates, bool)
        rows = {"draws": whole.draws[:size], "values": whole.values[:size], "offsets": np.array([0, size])}
        return replace(whole, covariates=values, is_future=is_future, prints=None, **rows)

    learner, before, start = Learner(), _peak(), time.perf_counter()
    learner.learn(part(total - appended), np.array([0]))
    seconds, memory, times = time.perf_counter() - start, _peak() - before, []
    for size in range(total - appended + 1, total + 1):
        base, start = part(size), time.perf_counter()
        learner.learn(base, np.array([size - 1]))
        times.append(time.perf_counter() - start)
    middle, late = 1e3 * np.quantile(times, [0.5, 0.95])
    return (
        f"{total - appended:,}",
        str(covariates),
        number(seconds),
        f"{memory:.0f}",
        number(middle),
        number(late),
        f"{len(times) / sum(times):,.0f}",
    )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _groups(quick: bool) -> Iterator[tuple[str, str]]:
    """The loss without each group of features."""
    names = {
        "newest values": "_newest_values",
        "values of the same phase": "_values_of_phase",
        "newest errors": "_newest_errors",
        "errors of the same phase": "_errors_of_phase",
        "calendar": "_calendar",
        "days of the week": "_days",
    }
    runs = [nbf.forecast(f.tail(700 if quick else 3_000), horizon=12, target="y", wait=True) for _, f in _sets(quick)]
    bases = [base for base in (read_base_forecasts(run, ()) for run in runs) if base is not None]
    whole = [_pinball(base, learn(base)) for base in bases]
    for name, function in names.items():
        with _left_out(function):
            ratios = [_pinball(base, learn(base)) / loss for base, loss in zip(bases, whole, strict=True)]
        yield name, f"{np.exp(np.mean(np.log(ratios))):.4f}"


@contextlib.contextmanager
def _left_out(function: str) -> Iterator[None]:
    core, days = residual_features.CORE, residual_features._days
    try:
        if function == "_days":
            residual_features._days = lambda past, origins: iter(())
        else:
            residual_features.CORE = tuple(f for f in core if f.__name__ != function)
        yield
    finally:
        residual_features.CORE, residual_features._days = core, days


def _pinball(base: BaseForecasts, draws: np.ndarray) -> float:
    error, levels = base.actual[SKIPPED:, :, None] - draws[SKIPPED:], np.array(base.levels)
    return float(np.nanmean(np.maximum(levels * error, (levels - 1) * error)))


def _peers(frame: pl.DataFrame, names: list[str], base: Run, learned: Run, *, quick: bool) -> tuple[str, ...]:
    """Mean absolute errors relative to the base: learned, boosting, linear, and learned beside AutoARIMA."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import LinearRegression

    rows, horizon = _scored_rows(learned), learned.horizon
    steps = sorted({1, horizon // 2, horizon})
    actual = learned.data.actuals(rows, horizon)[:, [h - 1 for h in steps]]
    covariates = frame.select(pl.col(names).cast(pl.Float64)).to_numpy()

    def relative(medians: np.ndarray) -> str:
        own = base.take("median", rows)[:, [h - 1 for h in steps]]
        return f"{np.nanmean(np.abs(actual - medians)) / np.nanmean(np.abs(actual - own)):.3f}"

    def regressor(make: Callable[[], Any]) -> np.ndarray:
        season = max(learned.data.frequency.seasons)
        return np.stack([_refitted(learned.data.values, covariates, h, season, make)[rows] for h in steps], 1)

    boosting = regressor(lambda: HistGradientBoostingRegressor(loss="absolute_error", max_iter=50 if quick else 100))
    linear = regressor(LinearRegression)
    ours = learned.take("median", rows)[:, [h - 1 for h in steps]]
    return relative(ours), relative(boosting), relative(linear), _arima(covariates, base, learned, rows, quick=quick)


def _arima(covariates: np.ndarray, base: Run, learned: Run, rows: np.ndarray, *, quick: bool) -> str:
    from statsforecast.models import AutoARIMA

    if learned.horizon > 24:
        return "–"
    values, horizon, season = learned.data.values, learned.horizon, min(learned.data.frequency.seasons)
    chosen, errors = rows[rows >= 600], []
    for row in chosen[np.linspace(0, len(chosen) - 1, 1 if quick else 4).astype(int)]:
        past, ahead = slice(row - 599, row + 1), slice(row + 1, row + 1 + horizon)
        is_used = (covariates[past].std(0) > 0) & np.isfinite(covariates[ahead]).all(0)
        model = AutoARIMA(season_length=season, approximation=True, max_order=3, max_P=1, max_Q=1)
        known = {"X": covariates[past][:, is_used], "X_future": covariates[ahead][:, is_used]} if is_used.any() else {}
        forecast = model.forecast(values[past], horizon, **known)["mean"]
        medians = [run.take("median", np.array([row]))[0] for run in (base, learned)]
        errors.append([np.abs(values[ahead] - each).mean() for each in (*medians, forecast)])
    own, ours, theirs = np.mean(errors, 0)
    return f"{ours / own:.2f}; {theirs / own:.2f}"


def _refitted(values: np.ndarray, covariates: np.ndarray, h: int, season: int, make: Callable[[], Any]) -> np.ndarray:
    """Forecasts of step h from every row, of a regressor that is fitted anew every 720 rows on all before."""
    lags = np.stack([_moved(values, k) for k in range(24)], 1)
    seasonal = [_moved(values, k * season - h) for k in (1, 2)]
    columns = np.column_stack([lags, *seasonal, *(_moved(column, -h) for column in covariates.T)])
    is_missing = np.isnan(columns)
    columns = np.where(is_missing, lags[:, :1], columns)  # before the beginning, and beyond the last covariate
    target, predicted = _moved(values, -h), np.full(len(values), np.nan)
    for start in range(SKIPPED, len(values), 720):
        known = np.arange(24, start - h)
        model = make().fit(columns[known], target[known])
        predicted[start : start + 720] = model.predict(columns[start : start + 720])
    return predicted


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
