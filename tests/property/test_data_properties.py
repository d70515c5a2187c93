"""S3, S5, S6, L1: properties of any series."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbforecast.data import Frequency, prepare
from nbforecast.time_units import DAY, HOUR, MINUTE, SECOND, WEEK
from tests.support.examples import examples

quick = examples(20)
STEPS = st.sampled_from([SECOND, 10 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY, WEEK])
TIMES = st.integers(-(10**15), 2 * 10**15)


@st.composite
def frequencies(draw):
    kind = draw(st.sampled_from(["fixed", "month", "business", "integer", "calendar"]))
    if kind == "calendar":
        texts = ["mon-sat", "mon-fri 09:30-16:00", "third friday", "15th, last", "4-4-5 from sunday after 29 jan"]
        text = draw(st.sampled_from(texts)) + draw(st.sampled_from(["", " except 1999-12-31, 2001-01-01"]))
        every = 30 * MINUTE if ":" in text else DAY
        return Frequency("calendar", every, 0, calendar=text)
    if kind == "business":
        return Frequency("business", 1)
    if kind == "month":
        every = draw(st.sampled_from([1, 2, 3, 4, 6, 12]))
        return Frequency("month", every, draw(st.integers(0, 28)), draw(st.integers(0, every - 1)))
    every = draw(STEPS if kind == "fixed" else st.integers(1, 100))
    return Frequency(kind, every, draw(st.integers(0, every - 1)))


@st.composite
def tables(draw, series=1, exact=False):
    """Series with or without jitter, with gaps and NaN, and enough rows for the step to be inferred."""
    every, rng = draw(STEPS), np.random.default_rng(draw(st.integers(0, 2**32)))
    start, jitter = draw(TIMES), 0 if exact else draw(st.sampled_from([0, 0, every // 100]))
    parts = []
    for s in range(series):
        n = draw(st.integers(40, 80))
        times = start + np.arange(n) * every + (rng.integers(-jitter, jitter + 1, n) if jitter else 0)
        values = np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n).round(3))
        values[[0, -1]] = 1.0
        keep = rng.random(n) > draw(st.sampled_from([0, 0.2]))
        keep[[0, 1, -2, -1]] = True
        parts.append(
            pl.DataFrame({"unique_id": f"s{s}", "ds": times[keep].astype("datetime64[us]"), "y": values[keep]})
        )
    return pl.concat(parts)


@quick
@given(frequencies(), st.lists(st.integers(-20_000, 20_000), min_size=1, max_size=12))
def test_S3_steps_and_times_are_one_to_one(frequency, steps):
    steps = np.array(steps).reshape(1, -1)
    times = frequency.to_time(steps)
    assert times.shape == steps.shape
    assert (frequency.to_step(times) == steps).all()
    assert (np.diff(np.sort(times.astype(np.int64))) >= 0).all()
    ordered = frequency.to_time(np.arange(-50, 50)).astype(np.int64)
    assert (np.diff(ordered) > 0).all()


@quick
@given(frequencies(), st.lists(TIMES, min_size=2, max_size=20))
def test_S3_steps_ascend_with_times(frequency, times):
    assert (np.diff(frequency.to_step(np.sort(np.array(times)))) >= 0).all()


@pytest.mark.slow
@quick
@given(tables(series=3), st.randoms(use_true_random=False))
def test_S5_handle_does_not_depend_on_order_names_or_library(table, random):
    expected = prepare(table).handle
    order = list(range(len(table)))
    random.shuffle(order)
    shuffled = table[order]
    assert prepare(shuffled).handle == expected
    assert prepare(shuffled.to_arrow()).handle == expected
    assert prepare(table.to_pandas()).handle == expected
    renamed = table.rename({"unique_id": "shop", "ds": "day", "y": "sales"}).select("sales", "shop", "day")
    assert prepare(renamed, id="shop").handle == expected


@quick
@given(tables(), st.integers(0, 10**6), st.sampled_from(["y", "ds", "unique_id"]))
def test_S5_handle_changes_with_any_edit(table, number, column):
    expected = prepare(table)
    is_edited = pl.int_range(pl.len()) == number % len(table)
    if column == "y":
        edited = table.with_columns(y=pl.when(is_edited).then(9.5).otherwise("y"))
    elif column == "ds":
        edited = table.with_columns(pl.col("ds") + pl.duration(microseconds=expected.frequency.every))
    else:
        edited = table.with_columns(unique_id=pl.lit("other"))
    assert prepare(edited).handle != expected.handle


@quick
@given(tables())
def test_S3_values_are_observations_and_ends_are_data_points(table):
    data = prepare(table)
    given_values = set(table["y"].drop_nans().to_list())
    observed = data.values[~np.isnan(data.values)]
    if not any(w.flag == "duplicate_times" for w in data.warnings):
        assert set(observed.tolist()) <= given_values
    assert not np.isnan(data.values[[0, -1]]).any()
    steps = data.frequency.to_step(data.time)
    assert (np.diff(steps) == 1).all()


@quick
@given(tables(), st.integers(1, 60))
def test_S6_the_newest_part_has_the_rows_of_the_whole_history(table, rows):
    whole, cut = prepare(table), prepare(table, max_duration=rows)
    assert len(cut) <= rows
    assert np.array_equal(cut.values, whole.values[len(whole) - len(cut) :], equal_nan=True)
    assert (cut.time == whole.time[len(whole) - len(cut) :]).all()
    assert cut.frequency == whole.frequency


@quick
@given(tables(), st.integers(20, 39), st.floats(-1e6, 1e6))
def test_L1_values_after_an_origin_change_nothing_before_it(table, keep, value):
    is_later = pl.int_range(pl.len()) >= keep
    edited = prepare(table.with_columns(y=pl.when(is_later).then(value).otherwise("y")))
    data = prepare(table)
    rows = np.ones(len(data), dtype=bool)
    if keep < len(table):
        rows = data.time < table["ds"][keep].replace(tzinfo=None)
    n = int(rows.sum()) - 1
    assert np.array_equal(data.values[:n], edited.values[:n], equal_nan=True)


@quick
@given(tables(exact=True), st.integers(1, 15))
def test_S3_C5_regular_histories_that_are_cut_or_continued_keep_their_grid(table, rows):
    whole, tail, head = prepare(table), prepare(table.tail(len(table) - rows)), prepare(table.head(len(table) - rows))
    assert tail.frequency == whole.frequency == head.frequency
    assert np.array_equal(tail.values, whole.values[len(whole) - len(tail) :], equal_nan=True)
    assert np.array_equal(head.values, whole.values[: len(head)], equal_nan=True)
