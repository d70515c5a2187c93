"""Sums and extremes over a horizon: coverage of their bands and scores of paths, beside other dependences; speed."""

from __future__ import annotations

import time
import tracemalloc
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

import nbforecast as nbf
from nbforecast.joint.forecasts import MARGINAL_LEVELS, JointForecasts
from nbforecast.postprocessing.path_statistics import maximum, total
from nbforecast.postprocessing.rank_templates import PATHS, arrange
from nbforecast.scoring.path_scores import energy_scores, variogram_scores
from tests.benchmarks.learn import _sets
from tests.benchmarks.table import Table, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbforecast.run import Run

SKIPPED = 300  # origins at the beginning that are not scored
EVERY = 7  # origins between two of which paths of all kinds are made
REFIT = 40  # of these origins, for which a Gaussian copula is used before it is estimated anew
COVERAGES = (50, 80, 95)
OTHERS = ("independent", "comonotone", "Gaussian copula")
COVERAGE_NOTE = (
    "`pretrained`, 100 paths: share of sums and maxima over the horizon inside the bands, raw at every seventh origin "
    "but the first 300, and calibrated (conformal, from past errors of the same number) at every one. Others: the raw "
    "80 % bands of the same quantiles put together independently, in the same order at each step, and by a Gaussian "
    "copula of all errors known so far."
)
SCORE_NOTE = (
    "Energy and variogram scores of the paths, relative to those of the others; below 1 the templates are better. "
    "Every seventh origin."
)


class Joint(NamedTuple):
    """Paths of one dependence, what came, and the rows that are scored."""

    values: dict[str, np.ndarray]
    energy: np.ndarray
    variogram: np.ndarray


def tables(quick: bool) -> Iterator[Table]:
    coverages, ratios = [], []
    rows, score_rows = [], []
    for horizon in (6,) if quick else (12, 28, 48):
        for name, frame in _sets(quick):
            run = nbf.forecast(frame, "naive" if quick else "pretrained", horizon=horizon, target="y", wait=True)
            templates, others, scored, calibrated = _compare(run)
            cells = [name, str(horizon)]
            for of in ("total", "maximum"):
                raw = _coverage(templates.values[of], scored[of])
                cells += [_shares(raw), _shares(calibrated[of])]
                cells.append(_shares([_coverage(other.values[of], scored[of])[1] for other in others]))
                coverages.append((horizon, of, calibrated[of][1] - 0.8))
            rows.append(tuple(cells))
            energy = [float(templates.energy.mean() / other.energy.mean()) for other in others]
            variogram = [float(templates.variogram.mean() / other.variogram.mean()) for other in others]
            ratios.append((*energy, *variogram))
            score_rows.append((name, str(horizon), *(f"{ratio:.3f}" for ratio in (*energy, *variogram))))
    for horizon in dict.fromkeys(entry[0] for entry in coverages):
        away = [
            np.array([100 * entry[2] for entry in coverages if entry[:2] == (horizon, of)])
            for of in ("total", "maximum")
        ]
        texts = [f"mean {points.mean():+.1f}, at most {np.abs(points).max():.1f}" for points in away]
        rows.append(("points from 80 %, calibrated", str(horizon), "", texts[0], "", "", texts[1], ""))
    columns = ["data", "steps"]
    for of in ("sums", "maxima"):
        columns += [f"{of}: 50 · 80 · 95 %", f"{of}, calibrated", f"{of}: independent · comonotone · Gaussian"]
    yield Table("Sums and maxima over a horizon", tuple(columns), rows, (COVERAGE_NOTE,))
    score_rows.append(("mean", "", *(f"{ratio:.3f}" for ratio in np.mean(ratios, 0))))
    scores = tuple(f"{score} / {other}" for score in ("energy", "variogram") for other in OTHERS)
    yield Table("Paths beside other dependences", ("data", "steps", *scores), score_rows, (SCORE_NOTE,))
    yield Table("Paths", ("what", "seconds", "paths/s", "MiB at most"), _speed(quick))


def _compare(run: Run) -> tuple[Joint, list[Joint], dict[str, np.ndarray], dict[str, np.ndarray]]:
    joint, horizon = JointForecasts(run.entry_slice), run.horizon
    actual = run.data.actuals(np.arange(len(run.data)), horizon)
    is_known = np.isfinite(actual).all(1) & np.isfinite(run.array).all((1, 2))
    rows = np.flatnonzero(is_known)[SKIPPED:]
    if not len(rows):
        rows = np.flatnonzero(is_known)
    some = rows[::EVERY]
    draws, levels = run.take("forecast", some), run.quantile_levels
    random = np.random.default_rng(0)
    count = len(some)
    orders = {
        "independent": random.random((count, PATHS, horizon), dtype=np.float32),
        "comonotone": np.broadcast_to(np.arange(PATHS, dtype=np.float32)[:, None], (count, PATHS, horizon)),
        "Gaussian copula": _gaussian(joint, some, horizon),
    }
    templates = _joint(joint.paths(some), actual[some])
    others = [_joint(arrange(draws, levels, order), actual[some]) for order in orders.values()]
    calibrated = {}
    for name, of in (("total", total), ("maximum", maximum)):
        ends = joint.calibrated_values(of, slice(0, horizon), rows)
        has_ends = np.isfinite(ends).all(1)
        known = of(actual[rows[has_ends]])
        calibrated[name] = np.array([_inside(ends[has_ends], known, coverage) for coverage in COVERAGES])
    return templates, others, {"total": total(actual[some]), "maximum": maximum(actual[some])}, calibrated


def _joint(paths: np.ndarray, actual: np.ndarray) -> Joint:
    values = {"total": total(paths), "maximum": maximum(paths)}
    return Joint(values, energy_scores(paths, actual), variogram_scores(paths, actual))


def _gaussian(joint: JointForecasts, rows: np.ndarray, horizon: int) -> np.ndarray:
    """The order of paths by the correlation of normal scores of all outcomes known at each origin."""
    from scipy.special import ndtri

    steps = joint.usable_steps(0)
    scores = ndtri(np.clip(joint.positions(0, steps), 1e-4, 1 - 1e-4))
    first = int(joint.part.data.frequency.to_step(joint.part.data.time[:1])[0])
    random = np.random.default_rng(1)
    order = np.empty((len(rows), PATHS, horizon), np.float32)
    for start in range(0, len(rows), REFIT):
        known = scores[: np.searchsorted(steps, rows[start] + first - horizon, side="right")]
        correlation = np.corrcoef(known.T) if len(known) > horizon else np.eye(horizon)
        root = np.linalg.cholesky(0.999 * correlation + 0.001 * np.eye(horizon))
        part = order[start : start + REFIT]
        part[:] = random.standard_normal(part.shape) @ root.T
    return order


def _coverage(values: np.ndarray, actual: np.ndarray) -> np.ndarray:
    shares = []
    for coverage in COVERAGES:
        low, high = np.quantile(values, (0.5 - coverage / 200, 0.5 + coverage / 200), axis=1, method="hazen")
        shares.append(np.mean((low <= actual) & (actual <= high)))
    return np.array(shares)


def _inside(ends: np.ndarray, actual: np.ndarray, coverage: int) -> float:
    low, high = (ends[:, MARGINAL_LEVELS.index(level)] for level in ((100 - coverage) / 200, (100 + coverage) / 200))
    return float(np.mean((low <= actual) & (actual <= high)))


def _shares(shares: np.ndarray | list[float]) -> str:
    return " · ".join(f"{100 * share:.1f}" for share in shares)


def _speed(quick: bool) -> Iterator[tuple[str, ...]]:
    count = 300 if quick else 10_000
    hours = pl.datetime_range(pl.datetime(2020, 1, 1), pl.datetime(2024, 1, 1), "1h", eager=True)[: count + 1100]
    random = np.random.default_rng(0)
    values = 10 + np.sin(np.arange(len(hours)) / 24 * 2 * np.pi) + random.normal(size=len(hours)).cumsum() / 50
    run = nbf.forecast(pl.DataFrame({"ds": hours, "y": values}), "naive", wait=True)
    joint, rows = JointForecasts(run.entry_slice), np.arange(len(hours))[-count:]
    joint.paths(rows[:100])
    start = time.perf_counter()
    joint.paths(rows)
    seconds = time.perf_counter() - start
    tracemalloc.start()
    joint.paths(rows)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    label = f"{count:,} origins, {PATHS} paths, {run.horizon} steps"
    yield label, number(seconds), f"{count * PATHS / seconds:,.0f}", number(peak)
    forecast = run.at(-50)
    start = time.perf_counter()
    forecast.paths()
    seconds = time.perf_counter() - start
    yield "one origin", number(seconds), f"{PATHS / seconds:,.0f}", ""
