"""E10: scores, bands and exports of a run that is calculated at few origins cost what these cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from nbforecast import session
from nbforecast.data import prepare
from nbforecast.engine.calculation import calculate_rows
from nbforecast.engine.tasks import Statistics
from nbforecast.forecasters.registry import resolve
from nbforecast.postprocessing import conformal
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.key import ForecastSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbforecast.run import Run

ROWS, CALCULATED, HORIZON = 20_000, 200, 2


def run_of(rows: np.ndarray, series: int = 1) -> Run:
    """A run with calibrated intervals of which some rows are calculated, as if it had been cancelled."""
    values = np.random.default_rng(0).normal(100, 5, ROWS)
    ids = [f"s{i}" for i in range(series) for _ in range(ROWS // series)]
    steps = np.tile(np.arange(ROWS // series), series)
    data = prepare(pl.DataFrame({"unique_id": ids, "ds": steps, "y": values}), freq=1)
    naive = resolve("naive")
    entry = Entry(data, ForecastSpec.from_forecaster(naive, data, HORIZON, 0), naive.availability(data))
    draws = (data.values[rows, None, None] + np.linspace(-5, 5, 10) + np.zeros((1, HORIZON, 1))).astype(np.float32)
    entry.write_forecasts(rows, draws)
    calculate_rows(entry, rows, draws, entry.version, Statistics())
    return session.current_session().build_run(EntrySlice.whole(entry), naive, calibrate=True)


@pytest.fixture
def calibrated_rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each call of the calibration is given."""
    counts: list[int] = []
    calibrate = conformal.calibrate

    def count(draws: np.ndarray, *others: object) -> np.ndarray:
        counts.append(len(draws))
        return calibrate(draws, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(conformal, "calibrate", count)
    return counts


@pytest.fixture(scope="module")
def run() -> Run:
    return run_of(np.arange(ROWS - CALCULATED, ROWS))


READINGS: dict[str, Callable[[Run], object]] = {
    "scores": lambda run: run.scores(),
    "scores by index": lambda run: run.scores("index"),
    "scores by horizon": lambda run: run.scores("horizon", where=pl.col("index") > -50),
    "frame": lambda run: run.frame,
    "to_long": lambda run: run.to_long(),
    "long_parts": lambda run: sum(map(len, run.long_parts())),
    "at": lambda run: run.at(0),
    "latest": lambda run: run.latest(),
}


@pytest.mark.parametrize("reading", READINGS)
def test_E10_bands_are_computed_for_calculated_origins_only(run: Run, reading: str, calibrated_rows: list[int]) -> None:
    run._bands = run._scores = None
    READINGS[reading](run)
    assert sum(calibrated_rows) <= CALCULATED + conformal.rows_needed(HORIZON)


def test_E10_bands_of_few_origins_are_those_of_all(run: Run) -> None:
    cut = run.calibrated_bands()
    slice_ = run.entry_slice
    actual = run.data.actuals(np.arange(ROWS), HORIZON)
    whole = conformal.calibrate(slice_.array("forecast"), actual, run.data.lengths, run.quantile_levels)
    np.testing.assert_array_equal(cut, whole)
    assert np.isfinite(cut[-1]).all()


def test_E10_X2_scores_by_index_have_a_row_for_each_origin(run: Run) -> None:
    scores = run.scores("index")
    assert scores.height == ROWS
    assert scores["index"].to_list() == list(range(1 - ROWS, 1))
    is_scored = scores["n"] > 0
    assert is_scored.sum() == CALCULATED - 1, "the last origin has no actual value"
    assert scores.filter(~is_scored)["mae"].null_count() == ROWS - CALCULATED + 1
    overall = run.scores()
    weighted = (scores["mae"] * scores["n"]).sum() / scores["n"].sum()
    assert weighted == pytest.approx(overall["mae"].item(), rel=1e-9)


def test_E10_one_series_of_a_panel_costs_its_own_rows(calibrated_rows: list[int]) -> None:
    panel = run_of(np.arange(ROWS), series=10)
    results = panel.series("s4")
    frame, size = results.frame, ROWS // 10
    assert sum(calibrated_rows) <= size + conformal.rows_needed(HORIZON)
    whole = panel.frame.filter(unique_id="s4")
    np.testing.assert_array_equal(frame["calibrated"].to_numpy(), whole["calibrated"].to_numpy())
    np.testing.assert_array_equal(results.array, whole["forecast"].to_numpy())
