"""R4, X2: an actual value and a forecast that are equal in float32 are equal everywhere they are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nbforecast as nbf
from nbforecast import report
from nbforecast.engine import calculation
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.postprocessing.conformal import is_covered
from nbforecast.scoring.origin_scores import Calculations, calculate, draw_levels
from nbforecast.scoring.pit import cumulative_probability, pit_histogram
from tests.support.cache_files import reopen, rewrite_metadata

if TYPE_CHECKING:
    from pathlib import Path

    from nbforecast.result_cache.cache import Cache

SCORES = ("mae", "rmse", "crps", "pinball", "wis")
COVERAGES = ("coverage_50", "coverage_80", "coverage_95")


@given(st.floats(-1e30, 1e30))
@settings(max_examples=30, deadline=None)
def test_R4_a_certain_forecast_that_comes_true_has_no_error_whatever_its_value(value: float) -> None:
    draws, actual = np.full((1, 2, 10), value, np.float32), np.full((1, 2), value)
    scores = calculate(draws, actual, draw_levels(None, 10), 4)
    assert (scores.covered == 1).all()
    for errors in (scores.abs_error, scores.crps, scores.pinball):
        assert not errors.any()
    probability = cumulative_probability(draws, draw_levels(None, 10), actual)
    assert (probability.below == 0).all()
    assert (probability.up_to == 1).all()
    assert (is_covered(np.full((1, 2, 8), value, np.float32), actual) == 1).all()


@pytest.mark.parametrize("value", [0.25, 0.1, 13.265, -41.3])
def test_R4_a_constant_series_is_covered_whatever_its_value(value: float) -> None:
    run = nbf.forecast(np.full(120, value), "naive", 3, wait=True, calibrate=True)
    scores = run.scores().row(0, named=True)
    assert [scores[name] for name in (*SCORES, *COVERAGES, "calibrated_80")] == [0.0] * 5 + [1.0] * 4
    forecast = run.at(0)
    assert not forecast.below(value).any()
    assert not forecast.above(value).any()
    assert "80 % bands contain 100.0 % of the actual values as forecast" in report.calibration(run).finding
    probability = cumulative_probability(run.array, run.quantile_levels, run.data.actuals(np.arange(120), 3))
    np.testing.assert_allclose(pit_histogram(probability), 0.1, atol=1e-12)


def test_R4_a_panel_of_constant_series_is_not_expected_to_rise() -> None:
    ids, steps = np.repeat(["a", "b"], 60), np.tile(np.arange(60), 2)
    frame = pl.DataFrame({"unique_id": ids, "ds": steps, "y": np.repeat([0.1, 0.7], 60)})
    run = nbf.forecast(frame, "naive", 3, wait=True)
    assert report.current_forecast(run).finding.startswith("In 0 of 2 series")


def test_R4_a_value_at_a_limit_is_not_beyond_it_whatever_the_limit() -> None:
    run = nbf.forecast(np.full(60, 0.1 + 0.2), "naive", 3, wait=True)
    text = report.exceedance(run, below=0.3, above=0.3).text()
    assert "0.0 % below 0.3 and 0.0 % above 0.3; observed are 0.0 % below 0.3 and 0.0 % above 0.3" in text


def repeated(contexts: np.ndarray, horizon: int) -> np.ndarray:
    """The last ten values in order, as draws of every step."""
    return np.repeat(np.sort(contexts[:, -10:])[:, None], horizon, axis=1)


def test_R4_a_price_is_covered_as_often_in_euros_as_in_cents() -> None:
    change = np.random.default_rng(0).choice([0] * 20 + [1, -1, 2, -3], 400)
    cents = 1299.0 + np.cumsum(change)
    model = FunctionForecaster(repeated, "last ten", context=10, least=10, draws=10)
    euros_run, cents_run = (nbf.forecast(y, model, 2, wait=True, calibrate=True) for y in (cents / 100, cents))
    for names, tolerance in ((COVERAGES, 1e-9), (("calibrated_50", "calibrated_80", "calibrated_95"), 0.01)):
        expected = cents_run.scores().select(names).row(0)
        assert euros_run.scores().select(names).row(0) == pytest.approx(expected, abs=tolerance)
    actual = euros_run.data.actuals(np.arange(400), 2)
    ours, theirs = (
        cumulative_probability(r.frame["forecast"].to_numpy(), r.quantile_levels, actual * scale)
        for r, scale in ((euros_run, 1), (cents_run, 100))
    )
    np.testing.assert_allclose(pit_histogram(ours, 7), pit_histogram(theirs, 7), atol=1e-4)


def as_version_1_calculated(*arguments: Any) -> Calculations:
    scores = calculate(*arguments)
    return scores._replace(covered=np.zeros_like(scores.covered))


def test_C10_scores_that_a_former_version_saved_are_calculated_anew_and_nothing_is_inferred(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.full(60, 0.1)
    with monkeypatch.context() as former:
        former.setattr(calculation, "calculate", as_version_1_calculated)
        before = nbf.forecast(values, "naive", 3, wait=True)
        assert before.scores()["coverage_80"].item() == 0
        nbf.cache.save()
    assert cache.directory is not None
    (file,) = cache.directory.files()
    rewrite_metadata(file.path, lambda facts: {k: v for k, v in facts.items() if k != "score_version"})
    reopen(cache)
    after = nbf.forecast(values, "naive", 3, wait=True)
    assert (after.inferred, after.reused) == (0, before.inferred)
    assert after.scores()["coverage_80"].item() == 1
    longer = nbf.forecast(np.full(61, 0.1), "naive", 3, wait=True)
    assert longer.scores()["coverage_80"].item() == 1


def test_C10_scores_of_shards_that_a_former_version_wrote_are_calculated_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pl.DataFrame({"unique_id": ["a"] * 60, "ds": np.arange(60), "y": [0.1] * 60})
    frame.write_parquet(tmp_path / "panel.parquet")
    with monkeypatch.context() as former:
        former.setattr(calculation, "calculate", as_version_1_calculated)
        run = nbf.forecast_dataset(tmp_path / "panel.parquet", tmp_path / "to", model="naive", horizon=3, wait=True)
        assert run.scores()["coverage_80"].item() == 0
    rewrite_metadata(run.paths[0], lambda facts: {k: v for k, v in facts.items() if k != "score_version"})
    assert run.scores()["coverage_80"].item() == 1
    assert run.scores()["n"].item() == nbf.forecast(frame, "naive", 3, wait=True).scores()["n"].item()
    again = nbf.forecast_dataset(tmp_path / "panel.parquet", tmp_path / "to", model="naive", horizon=3, wait=True)
    assert again.inferred == 0
    assert again.frame.select(pl.col("status").cast(pl.String).eq("scored").any()).collect().item()
