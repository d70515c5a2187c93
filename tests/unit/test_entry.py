"""C1, C2, C3, C4, X1: one Result DataFrame an entry, snapshots that do not change, NaN with a status, metadata."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbforecast.data import prepare
from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.key import ForecastSpec, ModelSpec
from nbforecast.result_cache.result_column import Column
from nbforecast.result_cache.snapshot import RowResults
from nbforecast.result_cache.status import Status
from nbforecast.scoring.origin_scores import calculate, densities, draw_levels

RNG = np.random.default_rng(1)
LEVELS = draw_levels(None, 10)


def make_entry(rows: int = 100, unavailable: int = 5, horizon: int = 12) -> Entry:
    data = prepare(RNG.standard_normal(rows), name="walk")
    availability = np.zeros(rows, np.uint8)
    availability[:unavailable] = UnavailableReason.TOO_SHORT
    return Entry(data, ForecastSpec(ModelSpec("m", "key"), horizon, LEVELS, context=5), availability)


def fill(entry: Entry, rows: np.ndarray) -> np.ndarray:
    draws = np.sort(RNG.standard_normal((len(rows), entry.spec.horizon, 10)), -1).astype(np.float32)
    entry.write_forecasts(rows, draws)
    actual = entry.data.actuals(rows, entry.spec.horizon)
    entry.write_calculations(rows, calculate(draws, actual, LEVELS, max(len(rows), 1)))
    return draws


def test_C1_one_row_per_origin_ascending_in_time_with_the_last_at_index_0() -> None:
    entry = make_entry()
    fill(entry, np.arange(40, 60))
    frame = EntrySlice.whole(entry).frame()
    assert frame.height == 100
    assert frame["index"].to_list() == list(range(-99, 1))
    assert frame["ds"].is_sorted()
    assert frame.schema["forecast"] == pl.Array(pl.Float32, (12, 10))
    assert {"unique_id", "ds", "index", "y", "median", "quantiles", "crps", "abs_error"} <= set(frame.columns)


def test_C2_NaN_and_status_mark_what_is_not_done() -> None:
    entry = make_entry()
    fill(entry, np.arange(40, 60))
    entry.write_forecasts(np.array([70]), np.zeros((1, 12, 10), np.float32))
    frame = EntrySlice.whole(entry).frame()
    status = frame["status"].to_list()
    assert status[:5] == ["unavailable"] * 5
    assert status[5:40] == ["pending"] * 35
    assert status[40:60] == ["scored"] * 20
    assert status[70] == "inferred"
    assert frame["reason"].to_list()[:6] == ["too_short"] * 5 + [None]
    finite = np.isfinite(frame["forecast"].to_numpy()).all((1, 2))
    assert np.flatnonzero(finite).tolist() == [*range(40, 60), 70]
    assert np.isfinite(frame["median"].to_numpy()).all(1).sum() == 20


def test_C3_a_snapshot_does_not_change_when_more_is_written() -> None:
    entry = make_entry()
    fill(entry, np.arange(40, 60))
    before = EntrySlice.whole(entry).frame()
    copy = before["forecast"].to_numpy().copy()
    fill(entry, np.arange(5, 40))
    fill(entry, np.arange(60, 100))
    np.testing.assert_array_equal(before["forecast"].to_numpy(), copy)
    assert entry.complete


def test_C3_stored_results_are_never_written_again() -> None:
    entry = make_entry()
    first = fill(entry, np.arange(40, 60))
    assert entry.write_forecasts(np.arange(30, 60), np.ones((30, 12, 10), np.float32)) == 10
    np.testing.assert_array_equal(entry.take("forecast", np.arange(40, 60)), first)


def test_C4_an_entry_knows_its_data_its_model_and_its_version() -> None:
    entry, other = make_entry(), make_entry()
    assert entry.key.handle == entry.data.handle
    assert (entry.spec.model.key, entry.spec.horizon) == ("key", 12)
    assert entry.version != other.version
    assert entry.created <= entry.used


def test_C3_C8a_discarded_results_stay_in_snapshots_and_outdate_work_in_progress() -> None:
    entry = make_entry()
    fill(entry, np.arange(5, 100))
    before, version = EntrySlice.whole(entry).frame(), entry.version
    assert entry.discard(np.arange(90, 100), Status.PENDING) == 10
    assert entry.discard(np.arange(80, 90), Status.INFERRED) == 10
    assert entry.discard(np.arange(0, 80), Status.UNSCORED) == 75
    assert entry.discard(np.arange(100), Status.SCORED) == 0
    assert before["status"].value_counts().filter(status="scored")["count"].item() == 95
    frame = EntrySlice.whole(entry).frame()
    assert frame["status"].to_list() == (["unavailable"] * 5 + ["unscored"] * 75 + ["inferred"] * 10 + ["pending"] * 10)
    finite = {
        n: np.isfinite(frame[n].to_numpy().reshape(100, -1)).all(1).sum() for n in ("forecast", "quantiles", "crps")
    }
    assert finite == {"forecast": 85, "quantiles": 75, "crps": 0}
    np.testing.assert_array_equal(frame["forecast"].to_numpy()[:90], before["forecast"].to_numpy()[:90])
    assert entry.write_forecasts(np.arange(90, 100), np.zeros((10, 12, 10), np.float32), version) == 0
    draws = entry.take("forecast", np.arange(5, 80))
    made = calculate(draws, entry.data.actuals(np.arange(5, 80), 12), LEVELS, 75)
    entry.write_calculations(np.arange(5, 80), made, version)
    assert not (entry.status == Status.SCORED).any()
    entry.write_calculations(np.arange(5, 80), made, entry.version)
    np.testing.assert_array_equal(entry.array("crps")[5:80], before["crps"].to_numpy()[5:80])


def test_C3_an_interrupted_discard_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = make_entry(50, 0)
    fill(entry, np.arange(50))
    array, state, frame = entry.array("forecast"), entry.state, EntrySlice.whole(entry).frame()
    before = array.copy()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Column, "with_rows", interrupt)
        with pytest.raises(KeyboardInterrupt):
            entry.discard(np.arange(25), Status.PENDING)
    assert entry.state == state
    assert EntrySlice.whole(entry).frame().equals(frame, null_equal=True)
    assert entry.discard(np.arange(25), Status.PENDING) == 25
    fill(entry, np.arange(25))
    np.testing.assert_array_equal(array, before)
    assert entry.complete


def test_C3_rows_inferred_meanwhile_are_not_adopted_again() -> None:
    source, entry = make_entry(50, 0), make_entry(50, 0)
    rows = np.arange(50)
    fill(source, rows)
    values = source.read(rows).values
    own = fill(entry, np.arange(10, 20))
    entry.write_forecasts(np.arange(20, 30), np.zeros((10, 12, 10), np.float32))
    array = entry.take("forecast", rows)
    status = np.full(50, Status.INFERRED, np.uint8)
    entry.adopt(rows, RowResults(status, source.contexts[rows], np.zeros(50), values))
    taken = entry.take("forecast", rows)
    np.testing.assert_array_equal(taken[10:30], array[10:30])
    np.testing.assert_array_equal(taken[10:20], own)
    np.testing.assert_array_equal(taken[30:], source.take("forecast", np.arange(30, 50)))
    assert (entry.status[10:20] == Status.SCORED).all()
    fill(entry, rows)
    assert entry.complete


def test_X1_a_complete_array_is_the_buffer_itself_and_read_only() -> None:
    entry = make_entry()
    fill(entry, np.arange(5, 100))
    array = entry.array("forecast")
    assert array.shape == (100, 12, 10)
    assert array.dtype == np.float32
    assert array.flags.c_contiguous
    assert np.shares_memory(array, entry.array("forecast"))
    assert np.shares_memory(array, EntrySlice.whole(entry).frame()["forecast"].to_numpy())
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 0


def test_E3_densities_are_kept_for_a_bounded_number_of_origins() -> None:
    entry = make_entry(rows=3000, unavailable=0)
    fill(entry, np.arange(3000))
    for at in range(0, 3000, 500):
        rows = np.arange(at, at + 500)
        entry.write_densities(rows, densities(entry.take("forecast", rows), 500))
        frame = EntrySlice.whole(entry).frame()
        assert np.isfinite(frame["density_limits"].to_numpy()[rows]).all()
        kept = np.isfinite(frame["density"].to_numpy()).all((1, 2))
        assert kept[rows].all()
    assert 500 <= kept.sum() <= 1024


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_C3_any_order_of_writes_and_snapshots(data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 60))
    never = np.array(data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
    block = data.draw(st.sampled_from([4, 7, 4096]))
    column = Column("c", rows, (2, 3), never, block)
    expected = np.full((rows, 2, 3), np.nan, np.float32)
    snapshots = []
    left = data.draw(st.permutations(np.flatnonzero(~never).tolist()))
    while left:
        count = data.draw(st.integers(1, len(left)))
        part, left = np.array(left[:count]), left[count:]
        values = RNG.standard_normal((count, 2, 3)).astype(np.float32)
        column.write(part, values)
        expected[part] = values
        snapshots.append((column.series(), expected.copy()))
        np.testing.assert_array_equal(column.take(np.arange(rows)), expected)
        np.testing.assert_array_equal(column.array(), expected)
    for series, then in snapshots:
        np.testing.assert_array_equal(series.to_numpy(), then)
