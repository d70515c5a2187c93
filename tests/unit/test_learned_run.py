"""H1: `learn=True` corrects the forecasts of a run by what its past errors teach."""

from __future__ import annotations

import pickle

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.data import prepare
from nbforecast.learned_run import learning_seasons


def values(size: int = 400) -> np.ndarray:
    """A pattern of seven steps that seasonal naive repeats late: its level jumps every 28 steps."""
    steps = np.arange(size)
    random = np.random.default_rng(0)
    return 20 + 5 * np.sin(2 * np.pi * steps / 7) + 4 * (steps // 28 % 2) + 0.3 * random.normal(size=size)


@pytest.fixture(scope="module")
def run() -> nbf.Run:
    return nbf.forecast(values(), "naive", 4, learn=True, calibrate=True, wait=True)


@pytest.mark.slow
def test_H1_the_learned_run_has_its_own_name_and_a_base(run):
    assert run.model == "naive-learned"
    assert run.base.model == "naive"
    assert run.base.base is run.base
    assert run.available == run.base.available
    assert "naive-learned-lo-80" in run.to_long().columns
    base = nbf.forecast(values(), "naive", 4, wait=True)
    np.testing.assert_array_equal(run.base.array, base.array, "the cached forecasts stay as they are")
    assert base.inferred == 0


def test_H1_it_is_scored_calibrated_explored_and_copied_like_any_run(run):
    assert run.scores()["crps"].item() < run.base.scores()["crps"].item()
    assert 0.7 < run.scores()["calibrated_80"].item() < 0.9
    assert repr(nbf.explore([run, run.base])).startswith("Explorer(naive-learned, naive")
    copy = pickle.loads(pickle.dumps(run))
    np.testing.assert_array_equal(copy.at(-3).draws, run.at(-3).draws)
    assert copy.base.model == "naive"


def test_H1_asked_again_nothing_is_computed(run):
    again = nbf.forecast(values(), "naive", 4, learn=True, wait=True)
    assert (again.inferred, again.reused) == (0, again.available)


@pytest.mark.slow
def test_H1_several_models_are_learned_from_together():
    stacked = nbf.forecast(values(), ["naive", "ridge"], 4, learn=True, wait=True)
    assert stacked.model == "naive-learned"
    assert [run.model for run in stacked.others] == ["ridge"]
    assert stacked.scores()["crps"].item() < stacked.base.scores()["crps"].item()


def test_H1_L1_appended_data_leave_what_was_learned(run):
    longer = nbf.forecast(np.append(values(), [21.0, 22.0]), "naive", 4, learn=True, wait=True)
    np.testing.assert_array_equal(longer.array[: len(run.array)], run.array)
    assert (longer.inferred, longer.reused) == (2, run.available)
    whole = nbf.forecast(np.append(values(), [21.0, 22.0]), "naive", 4, learn=True, force=True, wait=True)
    np.testing.assert_allclose(longer.array[-2:], whole.array[-2:], rtol=1e-5)


def test_H2_C5_covariates_that_are_appended_leave_what_was_learned_and_edited_ones_do_not():
    promotion = np.random.default_rng(1).random(260) < 0.3

    def forecast(size: int, edit: int | None = None) -> nbf.Run:
        known = promotion[: size + 4].astype(float)
        if edit is not None:
            known[edit] = 1 - known[edit]
        y = [*(values()[:size] + 8 * promotion[:size]), *[None] * 4]
        frame = pl.DataFrame({"ds": range(size + 4), "y": y, "promotion": known})
        return nbf.forecast(frame, "naive", 4, target="y", future_covariates="promotion", wait=True)

    before, after = forecast(240), forecast(242)
    assert (after.inferred, after.reused) == (2, before.available)
    np.testing.assert_array_equal(after.array[:240], before.array)
    edited = forecast(242, edit=200)
    assert edited.inferred == 242 - 200 + 4, "the origins within whose horizon the edit is, and all later ones"
    assert edited.base.inferred == 0


def panel(sizes: dict[str, int], edit: int | None = None) -> pl.DataFrame:
    parts = []
    for number, (name, size) in enumerate(sizes.items()):
        series = values() + 10 * number
        if edit is not None and number == 0:
            series[edit] += 5
        parts.append(pl.DataFrame({"unique_id": [name] * size, "ds": range(size), "y": series[:size]}))
    return pl.concat(parts)


@pytest.mark.slow
def test_H1_C5_a_panel_keeps_what_stands_where_a_series_grows_and_makes_anew_what_an_edit_touches():
    before = nbf.forecast(panel({"A": 200, "B": 190}), "naive", 2, learn=True, wait=True)
    grown = nbf.forecast(panel({"A": 200, "B": 193}), "naive", 2, learn=True, wait=True)
    assert (grown.inferred, grown.reused) == (3, before.available)
    for name in ("A", "B"):
        old = before.series(name).array
        np.testing.assert_array_equal(grown.series(name).array[: len(old)], old)
    edited = nbf.forecast(panel({"A": 200, "B": 193}, edit=150), "naive", 2, learn=True, wait=True)
    assert edited.reused == edited.available - (200 - 150) - (193 - 150), "what both series had forecast before row 150"
    anew = nbf.forecast(panel({"A": 200, "B": 193}, edit=150), "naive", 2, learn=True, force=True, wait=True)
    np.testing.assert_allclose(edited.series("B").array, anew.series("B").array, rtol=1e-5)
    joined = nbf.forecast(panel({"A": 200, "B": 193, "C": 150}), "naive", 2, learn=True, wait=True)
    assert joined.reused == 0, "another series is an edit"


def test_H1_until_the_base_is_there_an_answer_is_the_base_forecast_and_says_so():
    data = values(500) + 1
    chart = nbf.quickdraw(data, -100, model="naive", horizon=4, learn=True)
    assert chart.forecast.model == "naive"
    assert "This is the forecast of naive; " in repr(chart)
    chart.run.wait()
    assert chart.run.at(-100).model == "naive-learned"


def test_H1_named_origins_learn_from_all_and_show_only_theirs():
    latest = nbf.forecast(values(450), "naive", 4, learn=True, origins="latest", wait=True)
    assert latest.available == 1
    assert latest.base.available > 400
    whole = nbf.forecast(values(450), "naive", 4, learn=True, wait=True)
    np.testing.assert_array_equal(latest.at(0).draws, whole.at(0).draws)


def test_H1_bounds_hold_for_what_is_learned():
    bounded = nbf.forecast(values(), "naive", 4, learn=True, minimum=16.0, wait=True)
    assert np.nanmin(bounded.array) >= 16.0


def test_H1_a_week_is_a_season_even_where_it_is_longer_than_a_context():
    times = np.datetime64("2024-01-01") + np.arange(50) * np.timedelta64(15, "m")  # minutes, which Polars does not take
    data = prepare({"ds": times, "y": np.arange(50.0)})
    assert learning_seasons(data)[-1] == 672
