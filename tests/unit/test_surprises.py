"""Surprises, their kinds, and changes: as of their time, at the stated rate (A1, A2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbforecast as nbf
from nbforecast.surprises import p_values as ranks
from nbforecast.surprises.changes import find_changes
from nbforecast.surprises.detector import SurpriseDetector
from nbforecast.surprises.events import event_begins
from nbforecast.surprises.kinds import KINDS, event_kinds
from nbforecast.surprises.lead_scores import SIDES, lead_scores
from nbforecast.surprises.p_values import attainable_share, p_values
from tests.support.examples import examples

if TYPE_CHECKING:
    from collections.abc import Callable

H = 3
HOURS = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 3, 1), "1h", eager=True)


def frame(values: np.ndarray, series: str = "a") -> pl.DataFrame:
    return pl.DataFrame({"unique_id": series, "ds": HOURS[: len(values)], "y": values})


def noisy(count: int, seed: int = 0) -> np.ndarray:
    hours = np.arange(count)
    return 50 + 10 * np.sin(hours / 24 * 2 * np.pi) + np.random.default_rng(seed).normal(size=count)


@pytest.fixture(scope="module")
def run() -> nbf.Run:
    values = noisy(700)
    values[600] += 40
    return nbf.forecast(
        pl.concat([frame(values), frame(noisy(500, 1), "b"), frame(noisy(90, 2), "c")]), "naive", H, wait=True
    )


def sides(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.sort(random.integers(0, 5, (count, H, len(SIDES))), -1).transpose(2, 1, 0).astype(np.float32)


def highest(values: np.ndarray, quantiles: np.ndarray, first_step: int) -> np.ndarray:
    count = len(values)
    steps = first_step + np.arange(count)
    return lead_scores(quantiles[..., :count], values, np.array([0, count]), steps, 24).highest


@examples(15)
@given(st.integers(0, 10**6), st.integers(0, 700), st.integers(1, 299), st.booleans())
def test_A1_p_is_as_of_its_time(seed: int, first_step: int, cut: int, counts: bool) -> None:
    random = np.random.default_rng(seed)
    values = random.poisson(2.0, 300).astype(float) if counts else random.normal(size=300)
    values[random.random(300) < 0.1] = np.nan
    quantiles = sides(300, seed)
    quantiles[:, :, random.random(300) < 0.1] = np.nan
    whole = highest(values, quantiles, first_step)
    part = highest(values[:cut], quantiles, first_step)
    np.testing.assert_array_equal(part, whole[:cut])
    steps = first_step + np.arange(300)
    later, earlier = (p_values(s, np.array([0, len(s)]), steps[: len(s)], 0.05) for s in (whole, part))
    for name in ("p", "past", "limit"):
        np.testing.assert_array_equal(getattr(earlier, name), getattr(later, name)[:cut])


@examples(15)
@given(st.integers(0, 10**6), st.integers(0, 40), st.sampled_from([0.02, 0.1, 0.5]))
def test_A1_p_is_the_rank_among_past_scores(seed: int, first_step: int, rate: float) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, 30, 120).astype(np.float32)
    scores[random.random(120) < 0.2] = np.nan
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "_BLOCK", 8)
        patch.setattr(ranks, "WINDOW", 40)
        offsets, steps = np.array([0, 70, 120]), np.concatenate([first_step + np.arange(70), np.arange(50)])
        values = p_values(scores, offsets, steps, rate)
    for row in range(120):
        begin = 0 if row < 70 else 70
        past = scores[max(begin, row - int(steps[row]) % 8 - 40) : row]
        past = past[np.isfinite(past)]
        if np.isnan(scores[row]) or not len(past):
            assert np.isnan(values.p[row])
            continue
        assert values.past[row] == len(past)
        assert values.p[row] == (1 + (past >= scores[row]).sum()) / (len(past) + 1)
        assert (values.p[row] <= rate) == np.isfinite(values.limit[row])
        if values.p[row] <= rate:
            assert scores[row] > values.limit[row]
            assert (1 + (past >= values.limit[row]).sum()) / (len(past) + 1) > rate


def test_A1_the_stated_share_of_ordinary_observations_is_named() -> None:
    """Forecasts of an autoregression that know its mean and nothing of its spread; leads overlap."""
    count, factor = 20_000, 0.7
    noise = np.random.default_rng(3).standard_t(4, count)
    values = np.zeros(count)
    for row in range(1, count):
        values[row] = factor * values[row - 1] + noise[row]
    median = values * factor ** np.arange(1, H + 1)[:, None]
    quantiles = np.stack([median - 1, median, median + 1]).astype(np.float32)
    offsets, steps = np.array([0, count]), np.arange(count)
    p = p_values(lead_scores(quantiles, values, offsets, steps, 24).highest, offsets, steps, 0.01).p[1000:]
    assert 0.008 <= np.mean(p <= 0.01) <= 0.012
    assert 0.09 <= np.mean(p <= 0.1) <= 0.11


def test_A1_the_newest_p_comes_from_a_part_of_the_past(run: nbf.Run) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "_BLOCK", 16)
        patch.setattr(ranks, "WINDOW", 64)
        patch.setattr("nbforecast.surprises.detector.P_ROWS", 80)
        patch.setattr("nbforecast.surprises.lead_scores._BLOCKS", 2)
        whole = SurpriseDetector(run.entry_slice)
        for series, newest in (0, 1), (0, 100), (1, 5):
            last = int(run.data.offsets[series + 1])
            expected = whole.p_values(0.5).p[last - newest : last]
            assert np.isfinite(expected).all()
            part = SurpriseDetector(run.entry_slice)
            np.testing.assert_array_equal(part.newest_p(newest, series), expected)


def test_A1_surprises_lie_beyond_their_band(run: nbf.Run) -> None:
    table = run.surprises(0.02)
    assert table.columns == [
        "unique_id", "ds", "index", "y", "expected", "lo", "hi", "p", "lead", "kind", "known_at", "event",
    ]  # fmt: skip
    assert table.schema["known_at"] == table.schema["ds"] == run.frame.schema["ds"]
    assert (table["p"] <= 0.02).all()
    assert ((table["y"] < table["lo"]) | (table["y"] > table["hi"])).all()
    assert ((table["lo"] <= table["expected"]) & (table["expected"] <= table["hi"])).all()
    assert table.equals(table.sort("unique_id", "ds"))
    outlier = table.filter(pl.col("ds") == HOURS[600], pl.col("unique_id") == "a").row(0, named=True)
    assert outlier["lead"] == H
    assert outlier["index"] == -99
    assert outlier["expected"] == pytest.approx(run.at(-99 - H, "a").median[H - 1], rel=1e-6)


def test_A1_a_series_of_a_panel_has_the_surprises_it_has_alone(run: nbf.Run) -> None:
    for series in ("a", "b"):
        alone = nbf.forecast(
            run.frame.filter(pl.col("unique_id") == series).select("unique_id", "ds", "y"), "naive", H, wait=True
        )
        assert alone.surprises().equals(run.series(series).surprises())
        assert alone.changes().equals(run.series(series).changes())


@pytest.mark.parametrize("cut", [609, 625, 700 - 1])
def test_A1_later_data_decide_kinds_and_change_nothing_else(run: nbf.Run, cut: int) -> None:
    whole = run.surprises(0.02).filter(pl.col("unique_id") == "a")
    values = run.data.values[:cut].copy()
    part = nbf.forecast(frame(values), "naive", H, wait=True).surprises(0.02)
    earlier = whole.filter(pl.col("ds") < HOURS[cut])
    is_decided = pl.col("known_at") < HOURS[cut]
    expected = earlier.with_columns(pl.when(is_decided).then(name).alias(name) for name in ("kind", "known_at"))
    assert part.drop("index").equals(expected.drop("index"))
    outlier = part.filter(pl.col("ds") == HOURS[600]).row(0, named=True)
    assert outlier["kind"] == (None if cut == 609 else "spike")


def shaped(shape: str, seed: int) -> tuple[np.ndarray, int]:
    """Sixty days with an event of some kind near the end."""
    values, begin = noisy(1200, seed), 1000 + 5 * seed
    noise = np.random.default_rng(100 + seed).normal(size=1200)
    if shape == "spike":
        values[begin : begin + 2] += 15
    elif shape == "level shift":
        values[begin:] += 12
    elif shape == "spread":
        values[begin:] += 6 * noise[begin:]
    else:
        values[begin:] = values[begin] + noise[begin:]
    return values, begin


@pytest.mark.parametrize("shape", ["spike", "level shift", "spread", "rhythm"])
def test_A1_kinds_of_events(shape: str) -> None:
    kinds = []
    for seed in range(12):
        values, begin = shaped(shape, seed)
        bounds = np.array([[0], [len(values)]])
        kinds.append(KINDS[event_kinds(values, np.array([begin]), bounds, 24, (24, 168))[0]])
        cut = bounds.copy()
        cut[1] = begin + 24  # the row that decides is not there yet
        assert event_kinds(values, np.array([begin]), cut, 24, (24, 168))[0] == -1
    assert kinds.count(shape) >= 10


def test_A1_a_gap_is_a_surprise_where_gaps_are_rare(run: nbf.Run) -> None:
    values = noisy(700)
    values[650:660] = np.nan
    table = nbf.forecast(frame(values), "naive", H, wait=True).surprises(0.01)
    gap = table.filter(pl.col("y").is_null()).row(0, named=True)
    assert (gap["ds"], gap["kind"], gap["known_at"]) == (HOURS[650], "missing", HOURS[660])
    assert gap["p"] == pytest.approx(1 / 651)
    assert gap["lead"] is None
    values[::7] = np.nan
    values[-1] = 0
    gaps = nbf.forecast(frame(values), "naive", H, wait=True).surprises(0.01).filter(pl.col("y").is_null())
    assert gaps.is_empty()


def test_A1_neighbours_are_one_event() -> None:
    rows, offsets = np.array([3, 5, 8, 20, 21, 40, 41]), np.array([0, 41, 60])
    np.testing.assert_array_equal(event_begins(rows, offsets, 3, 24), [3, 3, 3, 20, 20, 40, 41])
    np.testing.assert_array_equal(event_begins(rows, offsets, 20, 10), [3, 3, 3, 20, 20, 40, 41])


def test_A1_A2_origins_that_were_not_forecast_are_left_out() -> None:
    """A run of every sixth origin judges what these forecast, and says so where it is too little."""
    values = noisy(1400)
    values[1300] += 30
    run = nbf.forecast(frame(values), "naive", H, every="6h", wait=True)
    table = run.surprises(0.02)
    assert table["lead"].is_between(1, H).all()
    few = nbf.forecast(frame(values), "naive", H, origins="latest", wait=True)
    assert few.surprises().is_empty()
    assert few.changes().is_empty()
    assert "there are 0" in str(few.change_warnings()[0])
    assert "there are 0" in str(few.surprise_warnings()[0])


@pytest.mark.parametrize(
    ("change", "direction"),
    [
        (lambda x: x + 1, "up"),
        (lambda x: x - 1, "down"),
        (lambda x: 2 * x, "wider"),
        (lambda x: x / 2, "narrower"),
    ],
)
def test_A2_a_change_is_told_once_with_its_direction(
    change: Callable[[np.ndarray], np.ndarray], direction: str
) -> None:
    delays, starts = [], []
    for seed in range(5):
        errors = np.random.default_rng(seed).normal(size=3000).astype(np.float32)
        errors[2000:] = change(errors[2000:])
        steps = 7 + np.arange(3000)
        changes = find_changes(errors, steps, 1e-4)
        (first, *others) = [found for found in changes if found.row >= 2000]
        assert first.direction == direction
        assert first.since < first.row
        assert first.evidence >= 1 / (12 * 1e-4)
        assert len(others) <= 1
        assert len(changes) <= 3
        starts.append(first.since)
        delays.append(first.row - 2000)
        for cut in (first.row, first.row + 1, 2900):  # as of its time
            assert find_changes(errors[:cut], steps[:cut], 1e-4) == [found for found in changes if found.row < cut]
    assert np.median(delays) < 100
    assert abs(np.median(starts) - 2000) < 50


def test_A2_false_alarms_are_no_more_frequent_than_stated() -> None:
    """Volatility in clusters, unknown to the forecasts."""
    count, alarms = 60_000, 0
    noise, errors, variance = np.random.default_rng(1).normal(size=count), np.zeros(count), 1.0
    for row in range(1, count):
        variance = 0.1 + 0.2 * errors[row - 1] ** 2 + 0.7 * variance
        errors[row] = np.sqrt(variance) * noise[row]
    for values in (noise, errors, np.round(noise)):
        alarms += len(find_changes(values.astype(np.float32), np.arange(count), 1e-3))
    assert alarms <= 3 * count * 1e-3


def test_A2_changes_of_a_run() -> None:
    values = noisy(1400)
    values[1000:] += np.random.default_rng(5).normal(size=400) * 5
    run = nbf.forecast(pl.concat([frame(values, "b"), frame(noisy(1400, 1))]), "naive", H, wait=True)
    table = run.changes()
    assert table.columns == ["unique_id", "ds", "index", "since", "direction", "evidence"]
    first = table.filter(pl.col("unique_id") == "b").row(0, named=True)
    assert first["direction"] == "wider"
    assert HOURS[900] <= first["since"] <= HOURS[1040] < first["ds"] <= HOURS[1200]
    assert first["ds"] == HOURS[1399 + first["index"]]
    with pytest.raises(nbf.NbForecastError, match="rate"):
        run.changes(2)
    assert run.change_warnings() == ()


def test_A1_what_is_too_short_for_the_rate_is_told(run: nbf.Run) -> None:
    assert "c" not in run.surprises(0.01)["unique_id"]
    (warning,) = run.surprise_warnings(0.01)
    assert warning.count == 1
    assert "99 past observations" in str(warning)
    assert run.surprises(0.0001).is_empty()
    assert run.surprise_warnings(0.0001)[0].count == 3
    with pytest.raises(nbf.NbForecastError, match="rate"):
        run.surprises(0)


def test_A1_ties_that_keep_surprises_below_the_rate_are_told() -> None:
    scores = np.random.default_rng(0).choice([0.0, 5.0], 1000, p=[0.9, 0.1]).astype(np.float32)
    assert attainable_share(scores, 0.05) == pytest.approx(1 / 1001)
    assert attainable_share(scores + np.arange(1000, dtype=np.float32) / 1e4, 0.05) == pytest.approx(0.05, abs=1e-3)
    assert np.isnan(attainable_share(scores[:90], 0.05))
    run = nbf.forecast(frame(np.full(700, 3.0)), "naive", H, wait=True)
    assert run.surprises().is_empty()
    assert [warning.flag for warning in run.surprise_warnings()] == ["tied_errors"]
