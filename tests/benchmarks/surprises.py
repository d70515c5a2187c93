"""Surprises and changes: false alarms beside the stated rate, labelled anomalies beside other detectors, speed.

Precision is counted twice: in points (the share of alarms that lie inside a labelled window) and in events (alarms at
most 12 steps apart are one; the share of events that reach into a window). Every detector is compared at the threshold
at which it reaches the same number of windows.

What was tried for the score of an observation, on the 37 windows of NAB's 16 series: points inside a window at the
thresholds that reach 15, 20, 25 and 28 windows. Each is ranked among the newest 10,000 of its own past.

    one step ahead, by half the width of the forecast's interval              38 %  35 %  34 %  26 %
    12 steps ahead, the same                                                  50 %  47 %  42 %  38 %
    largest of 1 to 12 steps, the same                                        43 %  42 %  39 %  35 %
    largest, by the mean error of the newest thousand                         55 %  54 %  45 %  40 %
    largest, by width plus mean error                                         62 %  56 %  46 %  39 %
    largest, by width plus mean error plus that of the phase (as it is)       64 %  58 %  50 %  41 %
    second largest of the leads, by width plus mean error                     48 %  43 %  39 %  32 %
    mean over the leads, the same                                             56 %  48 %  40 %  36 %
    mean of the log p-values of four leads, ranked again                      31 %  31 %  30 %  25 %
    mean of the last 48 errors of 12 steps (level)                            74 %  57 %  44 %  43 %
    largest of that and the largest over the leads                            70 %  63 %  52 %  47 %

The last two have no phase in their unit. With it they have more points inside (75, 65, 58, 48 %) and fewer right events
(53 % at 15 windows, 42 % at 20, beside 54 and 45 %), and the band of an observation then depends on the errors before
it: `Run.changes` has that role. Means of two and eight seasons, of one step at the phase, and of the longest season
were no better.
"""

from __future__ import annotations

import importlib.util
import logging
import time
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

import nbforecast as nbf
from nbforecast.scoring.origin_scores import quantiles
from nbforecast.surprises.changes import find_changes
from nbforecast.surprises.detector import SurpriseDetector
from nbforecast.surprises.events import event_begins
from nbforecast.surprises.lead_scores import SIDES, lead_scores
from nbforecast.surprises.p_values import p_values
from tests.benchmarks.learn import _sets
from tests.benchmarks.table import Table, number
from tests.support.requirements import SHARED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbforecast.run import Run

HORIZON, RATES = 12, (0.01, 0.001)
NULLS = ("independent", "autoregressive", "heavy tails (t3)", "random walk", "season of spread", "GARCH", "counts")
WINDOW = 288  # steps of the rolling z-score
REACHED = (10, 15, 18, 20, 23, 25, 28)  # windows of 37
NULL_NOTE = (
    "The share of observations named, divided by the rate; 1 is right. Forecasts know the process, not its changing "
    "spread; leads overlap. Means over four seeds, of observations with at least 11,000 before them. "
    "The last columns have fewer before them: as p is a multiple of 1 / (past + 1), it is below the rate there."
)
MODEL_NOTE = "The same of 12,000 observations forecast by `pretrained`, with 2,000 or more before them."
REAL_NOTE = (
    "All observations that have enough before them for the rate. Real series hold surprises: a share above the rate is "
    "no error. The horizon is 12."
)
NAB_NOTE = (
    "In points · in events (number of them). Peers: a z-score over the 288 values before, thresholds in its own units, "
    "then the same with its rank among the past 10,000, as surprises have it; Darts' forecasting-based scorers with a "
    "linear model fitted to the first 15 % of a series, by their rank in the whole series, which looks ahead."
)
CHANGE_NOTE = (
    "False alarms in 120,000 observations of the null series at rate 1/10,000, where at most 12 are stated. Delays, in "
    "steps, of 20 changes after 4,000 independent normal errors."
)


def tables(quick: bool) -> Iterator[Table]:
    yield Table(
        "False alarms of null series, relative to the rate",
        ("series", "1 %", ".1 %", "1 %, 500 to 1,000 before", "1 %, 2,000 to 4,000", ".1 %, 2,000 to 4,000"),
        [_null_rates(kind, quick) for kind in NULLS],
        (NULL_NOTE,),
    )
    yield Table(
        "The same with a model's forecasts",
        ("series", "1 %", ".1 %"),
        [_model_rates(kind, quick) for kind in NULLS[1 : 2 if quick else None]],
        (MODEL_NOTE,),
    )
    yield Table(
        "Real series",
        ("data", "observations", "named at 1 %", "at .1 %", "events at .1 %"),
        list(_real(quick)),
        (REAL_NOTE,),
    )
    yield from _nab(quick)
    yield Table("Changes: false alarms and delays", ("what", "figure"), list(_changes(quick)), (CHANGE_NOTE,))
    yield Table("Speed", ("what", "seconds", "CPU seconds"), list(_speed(quick)))


def null_series(kind: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Values, and the quantiles at `SIDES` that somebody who knows the process forecasts for 1 to 12 steps ahead."""
    from scipy.signal import lfilter
    from scipy.stats import poisson

    random = np.random.default_rng(seed)
    phase = np.arange(count + HORIZON) * 2 * np.pi / 24
    if kind == "counts":
        rate = np.exp(0.5 + 0.8 * np.sin(phase))
        ahead = np.stack([rate[h : h + count] for h in range(1, HORIZON + 1)])
        sides = np.stack([poisson.ppf(level, ahead) for level in SIDES])
        return random.poisson(rate[:count]).astype(float), sides.astype(np.float32)
    noise = random.standard_t(3, count) if kind.startswith("heavy") else random.standard_normal(count)
    if kind == "GARCH":
        variance = 1.0
        for row in range(count):
            variance = 0.1 + (0.2 * noise[row - 1] ** 2 if row else 0) + 0.7 * variance
            noise[row] *= np.sqrt(variance)
    factor = {"independent": 0.0, "random walk": 1.0}.get(kind, 0.6)
    values = lfilter([1], [1, -factor], noise)
    if kind == "season of spread":
        values *= 1.2 + np.sin(phase[:count])
    powers = factor ** np.arange(1, HORIZON + 1)[:, None]
    width = 1.28 * np.sqrt(np.cumsum(np.append(1.0, powers[:-1, 0] ** 2)))[:, None]
    return values, np.stack([powers * values - width, powers * values, powers * values + width]).astype(np.float32)


def _p(values: np.ndarray, sides: np.ndarray) -> np.ndarray:
    bounds, steps = np.array([0, len(values)]), np.arange(len(values))
    return p_values(lead_scores(sides, values, bounds, steps, 24).highest, bounds, steps).p


def _null_rates(kind: str, quick: bool) -> tuple[str, ...]:
    count, seeds = (5_000, 1) if quick else (120_000, 4)
    far = [_p(*null_series(kind, count, seed))[count // 11 :] for seed in range(seeds)]
    near = [_p(*null_series(kind, 4_000, 100 + seed)) for seed in range(10 * seeds)]
    ratios = [np.mean([p <= rate for p in far]) / rate for rate in RATES]
    parts = (500, 1000, 0.01), (2000, 4000, 0.01), (2000, 4000, 0.001)
    ratios += [np.mean([p[start:stop] <= rate for p in near]) / rate for start, stop, rate in parts]
    return kind, *(f"{ratio:.2f}" for ratio in ratios)


def _model_rates(kind: str, quick: bool) -> tuple[str, ...]:
    count, past = (1_500, 500) if quick else (12_000, 2_000)
    values = null_series(kind, count, 9)[0]
    if kind != "counts":
        values = values + 100 + 5 * np.sin(np.arange(count) * 2 * np.pi / 24)
    hours = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2026, 1, 1), "1h", eager=True)[:count]
    run = nbf.forecast(pl.DataFrame({"ds": hours, "y": values}), "naive" if quick else "pretrained", wait=True)
    p = SurpriseDetector(run.entry_slice).p_values(0.01).p[past:]
    return kind, *(f"{np.mean(p <= rate) / rate:.2f}" for rate in RATES)


def _real(quick: bool) -> Iterator[tuple[str, ...]]:
    for name, frame in _sets(quick):
        run = nbf.forecast(frame, "naive" if quick else None, wait=True)
        detector, cells = SurpriseDetector(run.entry_slice), []
        for rate in RATES:
            values = detector.p_values(rate)
            is_judged = np.isfinite(values.p) & ((values.past + 1) * rate >= 1)
            share = np.mean(values.p[is_judged] <= rate) if is_judged.any() else np.nan
            cells.append(f"{100 * share:.2f} %" if is_judged.any() else "too few")
        table = run.surprises(RATES[1])
        yield name, f"{np.isfinite(run.data.values).sum():,}", *cells, str(table["event"].n_unique())


class Labelled(NamedTuple):
    """A series of NAB: its run, and for each labelled window which rows lie in it."""

    run: Run
    windows: list[np.ndarray]


def _nab(quick: bool) -> Iterator[Table]:
    path, labels = SHARED / "data" / "nab_shared.parquet", SHARED / "data" / "anomalies" / "nab_windows.parquet"
    if quick or not path.exists() or not labels.exists():
        return
    frame, windows, series = pl.read_parquet(path), pl.read_parquet(labels), []
    for name in windows["unique_id"].unique(maintain_order=True):
        run = nbf.forecast(frame.filter(unique_id=name), wait=True)
        times, own = run.data.times(run.data.time), windows.filter(unique_id=name)
        bounds = own.select("begin", "end").iter_rows()
        series.append(Labelled(run, [times.is_between(begin, end).to_numpy() for begin, end in bounds]))
    detectors: dict[str, list[np.ndarray]] = {
        "surprises": [-SurpriseDetector(one.run.entry_slice).p_values(0.001).p for one in series],
        "one step alone": [-_ranked(_one_step(one.run)) for one in series],
        "z-score": [_z_score(one.run.data.values) for one in series],
        "z-score, ranked": [-_ranked(_z_score(one.run.data.values)) for one in series],
        **_darts(series),
    }
    rows = [(name, *(_precision(scores, series, reached) for reached in REACHED)) for name, scores in detectors.items()]
    count = sum(len(one.windows) for one in series)
    columns = ("detector", *(f"{reached} of {count} windows" for reached in REACHED))
    missing = () if importlib.util.find_spec("darts") else ("Darts is not installed here and left out.",)
    yield Table("NAB: precision at equal recall", columns, rows, (NAB_NOTE, *missing))
    yield Table(
        "NAB at stated rates",
        ("rate", "windows reached", "points named", "inside", "events", "inside", "median delay, % of the window"),
        [_at_rate(detectors["surprises"], series, rate) for rate in (0.01, 0.003, 0.001)],
    )
    missed = [
        (
            one.run.data.ids[0],
            str(one.run.data.times(one.run.data.time)[int(np.argmax(window))]),
            f"{least:.3f}" if least < 1 else "no forecasts",
        )
        for one, scores in zip(series, detectors["surprises"], strict=True)
        for window in one.windows
        if (least := -float(np.nanmax(scores[window], initial=-1.0))) > RATES[0] / 3
    ]
    yield Table("NAB: windows without a surprise at .3 %", ("series", "window begins", "least p"), missed)


def _one_step(run: Run) -> np.ndarray:
    return np.abs(SurpriseDetector(run.entry_slice)._scores.one_step)


def _ranked(scores: np.ndarray) -> np.ndarray:
    return p_values(scores.astype(np.float32), np.array([0, len(scores)]), np.arange(len(scores))).p


def _z_score(values: np.ndarray) -> np.ndarray:
    known = pl.Series(values).fill_nan(None)
    mean, spread = (f(WINDOW, min_samples=50).shift(1) for f in (known.rolling_mean, known.rolling_std))
    scores = ((known - mean) / spread).fill_null(0).fill_nan(0).to_numpy()
    return np.where(np.isfinite(scores), np.abs(scores), 0)


def _darts(series: list[Labelled]) -> dict[str, list[np.ndarray]]:
    """Scores by Darts where it is installed: the norm of errors, and their distance from clusters of usual ones."""
    if importlib.util.find_spec("darts") is None:
        return {}
    logging.disable(logging.CRITICAL)
    try:
        from darts import TimeSeries
        from darts.ad import ForecastingAnomalyModel, KMeansScorer, NormScorer
        from darts.models import LinearRegressionModel

        found: dict[str, list[np.ndarray]] = {"Darts, NormScorer": [], "Darts, KMeansScorer": []}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for one in series:
                values = one.run.data.values
                filled = pl.Series(values).fill_nan(None).interpolate().to_numpy().astype(np.float32)
                first, whole = max(300, int(0.15 * len(values))), TimeSeries.from_values(filled)
                linear = LinearRegressionModel(lags=min(48, first // 4), output_chunk_length=1)
                model = ForecastingAnomalyModel(linear, [NormScorer(), KMeansScorer(window=10, k=8)])
                model.fit(whole[:first], allow_model_training=True, start=0.3)
                for scores, part in zip(found.values(), model.score(whole, start=first), strict=True):
                    own = np.full(len(values), np.nan)
                    own[part.time_index.to_numpy()] = part.values()[:, 0]
                    own[np.isnan(values)] = np.nan
                    ranks = pl.Series(own).fill_nan(None).rank() / len(own)
                    scores.append(ranks.fill_null(0).to_numpy())
        return found
    finally:
        logging.disable(logging.NOTSET)


def _precision(scores: list[np.ndarray], series: list[Labelled], reached: int) -> str:
    highest = [np.nanmax(s[w], initial=-np.inf) for s, one in zip(scores, series, strict=True) for w in one.windows]
    points, inside, events, right = _count(scores, series, float(np.sort(highest)[-reached]))
    return f"{inside / points:.0%} · {right / events:.0%} ({events})"


def _count(scores: list[np.ndarray], series: list[Labelled], threshold: float) -> tuple[int, int, int, int]:
    """Points named, those of them inside a window; events, those of them that reach into one."""
    totals = np.zeros(4, int)
    for score, one in zip(scores, series, strict=True):
        rows, in_window = np.flatnonzero(score >= threshold), np.any(one.windows, axis=0)
        begins = event_begins(rows, np.array([0, len(score)]), HORIZON, len(score))
        totals += len(rows), in_window[rows].sum(), len(np.unique(begins)), len(np.unique(begins[in_window[rows]]))
    return tuple(totals.tolist())


def _at_rate(scores: list[np.ndarray], series: list[Labelled], rate: float) -> tuple[str, ...]:
    points, inside, events, right = _count(scores, series, -rate)
    pairs = [(score[window] >= -rate) for score, one in zip(scores, series, strict=True) for window in one.windows]
    delays = [np.argmax(odd) / len(odd) for odd in pairs if odd.any()]
    cells = (f"{len(delays)} of {len(pairs)}", f"{points:,}", f"{inside / points:.0%}")
    return f"{rate:.1%}", *cells, str(events), f"{right / events:.0%}", f"{np.median(delays):.0%}"


def _changes(quick: bool) -> Iterator[tuple[str, str]]:
    count = 5_000 if quick else 120_000
    for kind in NULLS:
        values, sides = null_series(kind, count, 1)
        bounds, steps = np.array([0, count]), np.arange(count)
        errors = lead_scores(sides, values, bounds, steps, 24).one_step
        yield f"{kind}: false alarms", str(len(find_changes(errors, steps, 1e-4)))
    shifts: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "mean up by one standard deviation": lambda x: x + 1,
        "mean up by two": lambda x: x + 2,
        "spread 1.5 times": lambda x: 1.5 * x,
        "spread twice": lambda x: 2 * x,
        "spread half": lambda x: x / 2,
    }
    for name, shift in shifts.items():
        delays = []
        for seed in range(3 if quick else 20):
            errors = np.random.default_rng(seed).normal(size=6000)
            errors[4000:] = shift(errors[4000:])
            alarms = [c.row for c in find_changes(errors.astype(np.float32), np.arange(6000), 1e-4) if c.row >= 4000]
            delays.append(alarms[0] - 3999 if alarms else 2000)
        yield f"{name}: delay, median and 90 %", " · ".join(f"{x:.0f}" for x in np.quantile(delays, [0.5, 0.9]))


def _speed(quick: bool) -> Iterator[tuple[str, ...]]:
    count, levels = 20_000 if quick else 1_000_000, tuple(np.arange(0.05, 1, 0.1).tolist())
    random = np.random.default_rng(0)
    draws = np.sort(random.standard_normal((count, HORIZON, 10), dtype=np.float32), -1)
    values, bounds, steps = random.standard_normal(count), np.array([0, count]), np.arange(count)

    def judge() -> np.ndarray:
        sides = np.empty((3, HORIZON, count), np.float32)
        for first in range(0, count, 512):
            part = slice(first, first + 512)
            sides[..., part] = quantiles(draws[part], levels, SIDES).transpose(2, 1, 0)
        return p_values(lead_scores(sides, values, bounds, steps, 24).highest, bounds, steps, 0.01).p

    judge()
    wall, cpu = time.perf_counter(), time.process_time()
    judge()
    label = f"p of {count:,} observations, {HORIZON} leads of 10 draws"
    yield label, number(time.perf_counter() - wall), number(time.process_time() - cpu)
    hours = pl.datetime_range(pl.datetime(2020, 1, 1), pl.datetime(2023, 1, 1), "1h", eager=True)[: min(count, 20_000)]
    run = nbf.forecast(pl.DataFrame({"ds": hours, "y": values[: len(hours)]}), "naive", wait=True)
    for name, action in (
        (f"run.surprises() of {len(hours):,}", lambda: SurpriseDetector(run.entry_slice).table(0.01)),
        (f"run.changes() of {len(hours):,}", lambda: SurpriseDetector(run.entry_slice).changes(1e-4)),
        ("p of the newest observation", lambda: SurpriseDetector(run.entry_slice).newest_p(1)),
    ):
        action()
        wall, cpu = time.perf_counter(), time.process_time()
        action()
        yield name, number(time.perf_counter() - wall), number(time.process_time() - cpu)
