"""Totals of groups of a panel: coverage of their bands beside other dependences, methods compared, and speed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

import nbforecast as nbf
from nbforecast.postprocessing.path_statistics import total
from nbforecast.postprocessing.rank_templates import PATHS
from nbforecast.scoring.path_scores import score_values
from tests.benchmarks.table import Table, number
from tests.support.requirements import shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbforecast.groups.forecasts import GroupForecasts
    from nbforecast.groups.paths import GroupPaths
    from nbforecast.run import Run

COVERAGES = (50, 80, 95)
OTHERS = ("independent", "comonotone", "Gaussian copula")
NOTE = (
    "`theta`, 100 paths, uncalibrated, at origins a quarter of a horizon apart with 30 past ones or more: share of "
    "totals over the horizon inside the 50, 80 and 95 % bands. Others: the quantiles of the same forecasts put "
    "together independently over steps and series, in the same order everywhere, and by a Gaussian copula "
    "(correlations of series and of steps from all errors known at the origin). `simulated` are daily counts of 200 "
    "shops with a weekly pattern, a demand that all share, one of their region and one of their own; `hospital` are "
    "200 monthly counts of products."
)


def tables(quick: bool) -> Iterator[Table]:
    rows, scores = [], []
    for name, frame, horizon, model in _panels(quick):
        series = frame["unique_id"].unique().sort().to_list()
        groups = pl.DataFrame(
            {"unique_id": series, "weight": 1.0, "group": [f"group {n // 10:02}" for n in range(len(series))]}
        )
        everything = groups.with_columns(group=pl.lit("all"))
        run = nbf.forecast(frame, model, horizon, wait=True)
        aggregated = run.aggregate(pl.concat([everything, groups]))
        rows += _coverage_rows(name, run, aggregated)
        for row in (
            aggregated.scores(by="group")
            .with_columns(is_all=pl.col("group") == "all")
            .group_by("is_all", "method", maintain_order=True)
            .agg(pl.col("mae", "crps", "coverage_80").mean())
            .rows()
        ):
            is_all, method, mae, crps, coverage = row
            scores.append(
                (f"{name}, {'all' if is_all else 'groups of 10'}", method, number(mae), number(crps), f"{coverage:.0%}")
            )
    yield Table("Totals of groups: coverage of bands", ("panel", "groups", *("templates", *OTHERS)), rows, (NOTE,))
    yield Table("Totals of groups: methods", ("panel", "method", "MAE", "CRPS", "in 80 %"), scores)
    yield _speed(quick)


def _panels(quick: bool) -> Iterator[tuple[str, pl.DataFrame, int, str]]:
    yield (
        "simulated",
        simulated(20 if quick else 200, 150 if quick else 500),
        7 if quick else 28,
        "naive" if quick else "theta",
    )
    if not quick:
        path = shared("benchmark2/hospital.parquet")
        frame = pl.read_parquet(path)
        first = frame["unique_id"].unique().sort().head(200)
        yield "hospital", frame.filter(pl.col("unique_id").is_in(first.implode())), 6, "theta"


def simulated(shops: int, days: int) -> pl.DataFrame:
    """Daily sales of shops that depend on each other as real ones do: by a common demand and one of the region."""
    rng = np.random.default_rng(0)

    def demand() -> np.ndarray:
        noise, values = rng.normal(0, 0.07, days), np.zeros(days)
        for day in range(1, days):
            values[day] = 0.9 * values[day - 1] + noise[day]
        return values

    common, regions, week = demand(), [demand() for _ in range(5)], rng.normal(0, 0.25, 7)
    dates = pl.date_range(pl.date(2022, 1, 3), pl.date(2022, 1, 3) + pl.duration(days=days - 1), eager=True)
    parts = []
    for shop in range(shops):
        log_mean = np.log(rng.uniform(4, 60)) + common + regions[shop % 5] + demand() + week[np.arange(days) % 7]
        parts.append(
            pl.DataFrame({"unique_id": f"shop {shop:03}", "ds": dates, "y": rng.poisson(np.exp(log_mean)) * 1.0})
        )
    return pl.concat(parts)


def _coverage_rows(name: str, run: Run, aggregated: GroupForecasts) -> list[tuple[str, ...]]:
    paths: GroupPaths = aggregated._paths
    horizon, series = run.horizon, paths.series
    steps = paths.forecast_steps()
    last = int(paths.data.frequency.to_step(paths.data.time[-1:])[0])
    steps = steps[(steps <= last - horizon) & (paths.templates(steps).available >= 30)]
    steps = steps[(steps[-1] - steps) % max(1, horizon // 4) == 0]
    kinds: dict[str, list[np.ndarray]] = {kind: [] for kind in ("templates", *OTHERS)}
    rng, outcomes = np.random.default_rng(0), []
    joint, usable = run.joint_forecasts(), series.usable_steps()
    for step in steps.tolist():
        rows = series.rows(np.array([step])).ravel()
        draws = joint.part.take("forecast", rows)
        shape = (len(rows), PATHS, horizon)
        orders = {
            "independent": rng.random(shape).astype(np.float32),
            "comonotone": np.broadcast_to(np.arange(PATHS, dtype=np.float32)[:, None], shape).copy(),
            "Gaussian copula": _gaussian(series._positions(usable[usable <= step - horizon], slice(None)), rng),
        }
        kinds["templates"].append(total(paths.at_steps(np.array([step])))[:, 0])
        for kind, order in orders.items():
            sums = total(joint.arrange(draws, None, order))
            kinds[kind].append(aggregated.groups.weights @ sums)
        outcomes.append(aggregated.groups.weights @ run.data.actuals(rows, horizon).sum(1))
    actual = np.array(outcomes).T  # (G, R)
    lines = []
    for label, members in (("all", slice(0, 1)), ("of 10", slice(1, None))):
        cells = []
        for values in kinds.values():
            ordered = np.sort(np.stack(values, 1), -1)[members]  # (g, R, n)
            scores = score_values(ordered.reshape(-1, PATHS), actual[members].ravel())
            cells.append(" ".join(f"{scores[f'coverage_{c}'].mean():.0%}" for c in COVERAGES))
        lines.append((f"{name}, H {horizon}, {len(steps)} origins", label, *cells))
    return lines


def _gaussian(positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Normal scores with the correlations of series and of steps, from (S, T, H) positions of past outcomes."""
    from scipy.special import ndtri

    scores = ndtri(np.clip(positions, 0.005, 0.995)).astype(np.float64)
    series, _, horizon = scores.shape
    of_series = np.corrcoef(scores.reshape(series, -1))
    of_steps = np.corrcoef(scores.transpose(2, 0, 1).reshape(horizon, -1))
    roots = [np.linalg.cholesky(0.95 * each + 0.05 * np.eye(len(each))) for each in (of_series, of_steps)]
    noise = rng.normal(size=(PATHS, series, horizon))
    return np.einsum("st,nth,gh->sng", roots[0], noise, roots[1], optimize=True).astype(np.float32)


def _speed(quick: bool) -> Table:
    shops = 50 if quick else 500
    frame = simulated(shops, 150 if quick else 500)
    run = nbf.forecast(frame, "naive", 28, wait=True)
    ids = frame["unique_id"].unique().sort().to_list()
    table = pl.DataFrame({"unique_id": ids, "weight": 1.0, "group": [f"group {n % 50:02}" for n in range(shops)]})
    everything = pl.concat([table.with_columns(group=pl.lit("all")), table])
    run.aggregate(everything)["all"].total()
    begin, cpu = time.perf_counter(), time.process_time()
    run.aggregate(everything)["all"].total()
    wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
    return Table(
        f"Totals of {shops} series and 50 groups, 28 days, at one origin",
        ("s", "s of CPU"),
        [(number(wall), number(cpu))],
        ("After the forecasts are there: groups, their values, past outcomes, paths and a total.",),
    )
