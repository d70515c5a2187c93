"""What others forecast from every origin, in origins per second; a peer that is not installed is left out."""

from __future__ import annotations

import logging
import warnings
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbforecast.scoring.origin_scores import COVERAGES, QUANTILE_LEVELS
from tests.benchmarks.timing import rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl

WINDOW = 512
SEASON = 24
# model, is compared with ours, what it does at every origin, then whether it is also run with refit=False
STATISTICAL = (
    ("SeasonalNaive", "naive", "repeats the season", False),
    ("DynamicOptimizedTheta", "theta", "optimises one Theta model", True),
    ("AutoTheta", "theta", "optimises 4 Theta models, takes the best", False),
    ("AutoETS", "auto", "optimises up to 15 models, takes the best by AICc", True),
)


class Peer(NamedTuple):
    """ours: the forecaster of ours that does comparable work. windows: measured a repeat."""

    name: str
    ours: tuple[str, ...]
    computes: str
    windows: int
    rate: float


class _Job(NamedTuple):
    name: str
    ours: tuple[str, ...]
    computes: str
    work: Callable[[int], Any]
    most: int
    first: int = 2


def missing() -> list[str]:
    """Peers that are not installed."""
    return [name for name in ("statsforecast", "darts") if find_spec(name) is None]


def peers(frame: pl.DataFrame, horizon: int, quick: bool) -> Iterator[Peer]:
    """Every peer there is, each for some seconds; if `quick`, a few of them for a moment."""
    absent = missing()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, jobs in (("statsforecast", _statsforecast), ("darts", _darts)):
            if name in absent:
                continue
            for job in jobs(frame, horizon, quick):
                repeats, budget = (1, 0.3) if quick else (3, 4.0)
                windows, speed = rate(job.work, budget, job.most, 1 if quick else job.first, repeats)
                yield Peer(job.name, job.ours, job.computes, windows, speed)


def _statsforecast(frame: pl.DataFrame, horizon: int, quick: bool) -> Iterator[_Job]:
    from statsforecast import StatsForecast, models

    most = len(frame) - WINDOW - horizon
    bands = f"point and {', '.join(map(str, COVERAGES))} % intervals"

    def work(windows: int, model: str, **options: Any) -> Any:
        forecaster = StatsForecast([getattr(models, model)(season_length=SEASON)], freq="1h", n_jobs=1)
        return forecaster.cross_validation(
            df=frame, h=horizon, n_windows=windows, step_size=1, input_size=WINDOW, **options
        )

    for model, like, does, frozen in STATISTICAL:
        ours = (like, "theta") if model == "AutoETS" else (like, "auto") if model == "AutoTheta" else (like,)
        levels = list(COVERAGES)
        yield _Job(f"statsforecast {model}", ours, f"{does}: {bands}", partial(work, model=model, level=levels), most)
        if quick:
            continue
        yield _Job(f"statsforecast {model}", ours, f"{does}: point", partial(work, model=model), most)
        if frozen:
            once = partial(work, model=model, level=levels, refit=False)
            yield _Job(f"statsforecast {model}, refit=False", ours, f"optimises once: {bands}", once, most, 20)


def _darts(frame: pl.DataFrame, horizon: int, quick: bool) -> Iterator[_Job]:
    import pandas as pd

    logging.getLogger("darts").setLevel(logging.ERROR)
    from darts import TimeSeries
    from darts.models import LinearRegressionModel

    values = frame["y"].to_numpy().astype(np.float32)
    series = TimeSeries.from_times_and_values(pd.DatetimeIndex(frame["ds"].to_numpy()), values)

    def work(windows: int, model: Any, lags: int, **options: Any) -> Any:
        part = series[-(windows + lags + horizon - 1) :]
        return model.historical_forecasts(
            part, forecast_horizon=horizon, overlap_end=False, last_points_only=False, verbose=False,
            show_warnings=False, **{"retrain": False, **options},
        )  # fmt: skip

    def room(lags: int) -> int:
        return len(series) - lags - horizon

    point = LinearRegressionModel(lags=WINDOW, output_chunk_length=horizon)
    point.fit(series[: min(len(series), 8640)])
    yield _Job(
        f"Darts LinearRegression, {WINDOW} lags", ("ridge",), "applies one fit to all origins: point",
        partial(work, model=point, lags=WINDOW), room(WINDOW), 200,
    )  # fmt: skip
    small = LinearRegressionModel(lags=28, output_chunk_length=horizon)
    yield _Job(
        "Darts LinearRegression, 28 lags, retrain=True", ("ridge",), f"fits the {WINDOW} points before it: point",
        partial(work, model=small, lags=WINDOW, retrain=True, train_length=WINDOW), room(WINDOW),
    )  # fmt: skip
    if quick:
        return
    lags = 168
    fan = LinearRegressionModel(
        lags=lags,
        output_chunk_length=horizon,
        likelihood="quantile",
        quantiles=list(QUANTILE_LEVELS),
        multi_models=True,
    )
    fan.fit(series[:400])  # linear programs, slow to fit; how long the applied part takes does not depend on them
    yield _Job(
        f"Darts LinearRegression, quantile, {lags} lags", ("ridge", "auto"),
        f"applies one fit to all origins: {len(QUANTILE_LEVELS)} quantiles",
        partial(work, model=fan, lags=lags, predict_likelihood_parameters=True), room(lags), 200,
    )  # fmt: skip
    yield _Job(
        f"Darts LinearRegression, quantile, {lags} lags, samples", ("ridge", "auto"),
        "applies one fit to all origins: 10 samples",
        partial(work, model=fan, lags=lags, num_samples=10), room(lags), 200,
    )  # fmt: skip
