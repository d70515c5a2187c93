"""J4, X2: sums, extremes, events and paths are scored at every past origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.joint.forecasts import JointForecasts
from nbforecast.scoring.path_scores import energy_scores, reliability_table, score_values, variogram_scores

if TYPE_CHECKING:
    from nbforecast.run import Run

HORIZON = 6


@pytest.fixture(scope="module")
def runs() -> tuple[Run, Run]:
    frame = nbf.sample("taxi").tail(700)
    plain, calibrated = (nbf.forecast(frame, "naive", HORIZON, calibrate=c, wait=True) for c in (False, True))
    return plain, calibrated


def paths_of(run: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows with a forecast and known outcomes, their paths and outcomes."""
    rows = np.flatnonzero(run.reasons == 0)
    actual = run.data.actuals(rows, HORIZON)
    rows, actual = rows[np.isfinite(actual).all(1)], actual[np.isfinite(actual).all(1)]
    return rows, JointForecasts(run.entry_slice, calibrate=run.calibrate).paths(rows), actual


def test_J4_scores_of_numbers_equal_their_definition(runs: tuple[Run, Run]) -> None:
    run = runs[0]
    _, paths, actual = paths_of(run)
    values, outcome = paths[..., :4].astype(float).sum(-1), actual[:, :4].sum(1)
    scores = run.scores(of="total", steps="4h").row(0, named=True)
    first = run.scores(of="total", steps=1).row(0, named=True)
    assert first["n"] == len(actual) + HORIZON - 1, "outcomes of a shorter part are known earlier"
    every = run.scores("index", of="total", steps=4).drop_nulls("mae").tail(len(actual) + 2).head(len(actual))
    tau = (np.arange(100) + 0.5) / 100
    error = outcome[:, None] - np.sort(values, 1)
    np.testing.assert_allclose(every["crps"], 2 * np.maximum(tau * error, (tau - 1) * error).mean(1), rtol=1e-6)
    assert scores["n"] == len(actual) + 2
    assert scores["crps"] == pytest.approx(run.scores("index", of="total", steps=4)["crps"].mean())
    assert scores["rmse"] >= scores["mae"] > 0
    custom = run.scores(of=lambda p: p.sum(-1), steps=4).row(0, named=True)
    assert custom["crps"] == pytest.approx(scores["crps"], rel=1e-5)
    by_hour = run.scores("hour", of="maximum")
    assert len(by_hour) == 24
    assert by_hour["n"].sum() == len(actual)
    assert run.scores(of="maximum", where=pl.col("ds").dt.hour() == 3)["n"].item() < len(actual) / 20


def test_J4_events_have_brier_scores_and_reliability(runs: tuple[Run, Run]) -> None:
    run, calibrated = runs
    _, paths, actual = paths_of(run)
    limit = float(np.median(actual.max(1)))
    event = run.scores(of=lambda p: (p > limit).any(-1)).row(0, named=True)
    probability, outcome = (paths > limit).any(-1).mean(1), (actual > limit).any(1)
    assert event["brier"] == pytest.approx(np.mean((probability - outcome) ** 2))
    assert (event["probability"], event["frequency"]) == pytest.approx((probability.mean(), outcome.mean()))
    named = run.scores(of="any_above", value=limit).row(0, named=True)
    assert named["brier"] == pytest.approx(event["brier"], abs=0.01)
    assert run.scores(of="any_below", value=limit)["frequency"].item() == pytest.approx((actual < limit).any(1).mean())
    table = run.reliability("any_above", value=limit, bins=5)
    assert table["n"].sum() == len(actual)
    assert np.average(table["frequency"], weights=table["n"]) == pytest.approx(outcome.mean())
    assert table["frequency"].to_list()[-1] > 0.7 > 0.3 > table["frequency"].to_list()[0]
    row = int(np.flatnonzero(run.reasons == 0)[-50])
    index = calibrated.data.locate(row)[1]
    scored = calibrated.scores("index", of="any_above", value=limit).filter(index=index)["probability"].item()
    assert calibrated.forecast_at(row).any_above(limit) == pytest.approx(scored, abs=1e-5)


def test_J4_calibrated_runs_score_calibrated_intervals(runs: tuple[Run, Run]) -> None:
    plain, calibrated = (run.scores(of="total") for run in runs)
    assert not any(name.startswith("calibrated") for name in plain.columns)
    assert abs(calibrated["calibrated_80"].item() - 0.8) < 0.07
    assert calibrated["n"].item() == plain["n"].item()


def test_J4_energy_and_variogram_scores_equal_their_definition(runs: tuple[Run, Run]) -> None:
    random = np.random.default_rng(0)
    paths, actual = random.normal(size=(3, 9, 4)).astype(np.float32), random.normal(size=(3, 4))
    actual[2, 1] = np.nan
    energy, variogram = energy_scores(paths, actual), variogram_scores(paths, actual)
    for r in range(2):
        near = np.linalg.norm(paths[r] - actual[r], axis=1).mean()
        pairs = [np.linalg.norm(a - b) for i, a in enumerate(paths[r]) for j, b in enumerate(paths[r]) if i != j]
        assert energy[r] == pytest.approx(near - np.mean(pairs) / 2, rel=1e-5)
        expected = sum(
            (np.sqrt(abs(paths[r, :, i] - paths[r, :, j])).mean() - np.sqrt(abs(actual[r, i] - actual[r, j]))) ** 2
            / (j - i)
            for i in range(4)
            for j in range(i + 1, 4)
        )
        assert variogram[r] == pytest.approx(expected, rel=1e-5)
    assert np.isnan(energy[2])
    assert np.isnan(variogram[2])
    scores = runs[0].scores(of="paths").row(0, named=True)
    assert scores["energy"] > 0 < scores["variogram"]


def test_J4_unknown_numbers_stay_unknown() -> None:
    scores = score_values(np.array([[1.0, 2.0], [np.nan, np.nan]]), np.array([np.nan, 1.0]))
    assert all(np.isnan(values).all() for values in scores.values())
    table = reliability_table(np.array([0.05, 1.0, np.nan]), np.array([0.0, 1.0, 1.0]))
    assert table.rows() == [(0.0, 0.1, 1, 0.05, 0.0), (0.9, 1.0, 1, 1.0, 1.0)]


def test_J4_what_cannot_be_scored_is_an_error(runs: tuple[Run, Run]) -> None:
    run = runs[0]
    for arguments, message in (
        ({"of": "totl"}, "Did you mean 'total'"),
        ({"of": "any_above"}, "value=70"),
        ({"of": "total", "value": 3}, "the limit of"),
        ({"of": "total", "steps": 7}, "no part of the horizon"),
        ({"of": "total", "by": "horizon"}, "one number belongs to all steps"),
        ({"steps": 3}, "go with of="),
        ({"of": "any_above", "value": float("nan")}, "value= takes a number as its limit"),
        ({"of": "any_above", "value": "70"}, "value= takes a number as its limit"),
        ({"of": lambda paths: paths}, r"It returned float32 of the shape \(2, 3, 6\)"),
        ({"of": lambda paths: 3.0}, r"It returned float64 of the shape \(\)"),
        ({"of": lambda paths: np.full(paths.shape[:-1], "high")}, "It returned <U4"),
    ):
        with pytest.raises(nbf.NbForecastError, match=message):
            run.scores(**arguments)
    with pytest.raises(nbf.NbForecastError, match="no event"):
        run.reliability("total")


def test_J2_a_limit_that_is_no_number_is_an_error(runs: tuple[Run, Run]) -> None:
    forecast = runs[0].at(-HORIZON)
    total = forecast.total()
    for limit in (float("nan"), "70", None, True):
        for function in (
            forecast.below,
            forecast.above,
            forecast.any_below,
            forecast.any_above,
            forecast.first_above,
            forecast.time_above,
        ):
            with pytest.raises(nbf.NbForecastError, match=rf"{function.__name__}\(\) takes a number as its limit"):
                function(limit)
        with pytest.raises(nbf.NbForecastError, match=r"probability\(\) takes"):
            total.probability(above=limit)
    assert forecast.any_above(float("inf")) == 0
    assert forecast.any_above(np.float32(0)) > 0.9
