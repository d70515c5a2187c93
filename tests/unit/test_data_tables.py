"""S8, S9: which columns and index levels are read as times, values and ids, and which rows are of one series."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nbforecast.data import prepare
from nbforecast.errors import InputError, OptionError
from nbforecast.text import options_as_flags

HOURS = pd.date_range("2024-03-25", periods=72, freq="h")
DAYS = pd.date_range("2024-01-01", periods=40)
SHOPS = pd.MultiIndex.from_product([["north", "south"], ["x", "y"], DAYS], names=["store", "item", "date"])
SALES = pd.Series(np.arange(160.0), index=SHOPS, name="sales")
PANEL = SALES.reset_index()
STORES = ("north/x", "north/y", "south/x", "south/y")


def _flags(data):
    return {w.flag for w in data.warnings}


@pytest.mark.parametrize(
    "clock",
    [
        HOURS.strftime("%H:%M"), HOURS.strftime("%H:%M:%S"), HOURS.strftime("%I:%M %p"), HOURS.strftime("%Hh%M"),
        list(HOURS.time), pl.Series(HOURS.time), pd.Series(HOURS.time),
    ],
)  # fmt: skip
def test_S8_dates_that_repeat_are_joined_with_times_of_day(clock):
    data = prepare(pl.DataFrame({"Date": HOURS.date, "Time": list(clock), "kWh": np.arange(72.0)}, strict=False))
    assert data.handle == prepare({"ds": HOURS.to_pydatetime(), "y": np.arange(72.0)}).handle
    assert "joined_times" in _flags(data)


@pytest.mark.parametrize("first", [0, 1])
def test_S8_hours_as_numbers_are_joined_with_dates(first):
    frame = pd.DataFrame({"date": HOURS.strftime("%d.%m.%Y"), "Hour": HOURS.hour + first, "load": np.arange(72.0)})
    assert prepare(frame).time[[0, -1]].tolist() == [HOURS[0], HOURS[-1]]


def test_S8_times_of_day_are_joined_in_files_and_sensor_exports(tmp_path):
    path = tmp_path / "meter.csv"
    path.write_text("Date,Time,kWh\n" + "".join(f"{t:%d/%m/%Y},{t:%H:%M},{i}\n" for i, t in enumerate(HOURS)))
    assert len(prepare(path)) == 72
    times = pd.date_range("2024-03-21", periods=300, freq="5min")
    rows = "".join(f"{t:%m/%d/%Y},{t:%H:%M:%S},{100 + i % 50}\n" for i, t in enumerate(times))
    path.write_text("Date,Time,Glucose (mg/dL)\n" + rows)
    assert len(prepare(path)) == 300


def test_S8_days_that_do_not_repeat_stay_days_and_two_times_of_day_are_no_guess():
    daily = pd.DataFrame({"day": DAYS, "sunrise": "06:30", "y": 1.0})
    assert prepare(daily).frequency.alias == "D"
    frame = pd.DataFrame({"day": HOURS.normalize(), "from": HOURS.time, "to": HOURS.time, "y": np.arange(72.0)})
    with pytest.raises(InputError, match=r"'from', 'to'.*time=\['day', 'from'\]"):
        prepare(frame)
    assert len(prepare(frame, time=["day", "from"])) == 72
    with pytest.raises(InputError, match="has times of day already"):
        prepare(pd.DataFrame({"t": HOURS, "c": "06:30", "y": 1.0}), time=["t", "c"])
    with pytest.raises(InputError, match="Row 3 of 'c' is '9:99'"):
        prepare({"d": HOURS.date, "c": ["1:00"] * 3 + ["9:99"] + ["2:00"] * 68, "y": [1.0] * 72}, time=["d", "c"])


@pytest.mark.parametrize("word", ["-", "Niedrig", "<0.1", "Low"])
def test_S8_a_column_that_is_nearly_all_numbers_is_not_passed_over(word, tmp_path):
    level = [word if i % 9 == 4 else str(12.5 + i) for i in range(40)]
    path = tmp_path / "station.csv"
    pl.DataFrame({"station": 3987, "date": DAYS.date.tolist(), "level": level}).write_csv(path)
    for frame in (path, pl.DataFrame({"station": 3987, "date": DAYS.date.tolist(), "level": level})):
        with pytest.raises(InputError, match=r"'station', 'level'.*target="):
            prepare(frame)


def test_S8_text_that_is_codes_or_words_is_not_taken_for_values():
    frame = {"date": DAYS.date, "zip": ["01067"] * 40, "note": ["fine", "7"] * 20, "sales": np.arange(40.0)}
    assert prepare(frame).names.target == "sales"
    for names in (("value", "count"), ("price", "value")):
        with pytest.raises(InputError, match="Several columns hold numbers"):
            prepare({"date": DAYS.date, **{name: np.arange(40) for name in names}})


@pytest.mark.parametrize(
    "index",
    [
        DAYS, DAYS.strftime("%Y-%m-%d"), pd.Index(DAYS.date), DAYS.to_period("D"), DAYS.tz_localize("Europe/Berlin"),
        pd.IntervalIndex.from_breaks(pd.date_range("2024-01-01", periods=41), closed="left"),
        pd.CategoricalIndex(DAYS), DAYS.strftime("%d.%m.%Y").rename("Tag"),
    ],
)  # fmt: skip
def test_S8_an_index_is_read_like_a_column(index):
    values = np.arange(40.0)
    expected = prepare({"ds": DAYS.date, "y": values}).handle
    order = np.random.default_rng(0).permutation(40)
    for series in (pd.Series(values, index), pd.Series(values, index, name="load"), pd.Series(values, index)[::-1]):
        assert prepare(series).handle == prepare(series.to_frame("y")).handle == expected
    assert prepare(pd.Series(values, index).iloc[order]).handle == expected


def test_S8_numbers_of_an_index_are_steps_that_keep_gaps_and_order():
    gap = prepare(pd.Series([1.0, 2, 3, 10, 11, 12], index=[0, 1, 2, 9, 10, 11]))
    assert (len(gap), gap.values[9]) == (12, 10.0)
    assert prepare(pd.Series([5.0, 1, 3, 2, 4, 6], index=[5, 1, 3, 2, 4, 6])).values.tolist() == [1, 2, 3, 4, 5, 6]
    assert prepare(pd.DataFrame({"v": [1.0, 2, 4]}, index=[1, 2, 4])).time.tolist() == [1, 2, 3, 4]
    assert prepare(pd.Series([1.0, 2, 3], index=pd.Index([1990, 1991, 1992], name="year"))).names.time == "year"
    dated = pd.DataFrame({"ds": DAYS, "y": np.arange(40.0)}).iloc[np.r_[0:10, 20:40]]
    assert len(prepare(dated)) == 40
    for index in (["a", "b", "c"], [0, 1, 0]):
        with pytest.raises(InputError, match=r"index of the Series.*reset_index"):
            prepare(pd.Series([1.0, 2, 3], index=index))


@pytest.mark.parametrize(
    "frame",
    [SALES, SALES.to_frame(), SALES.sample(frac=1, random_state=0), SALES.reorder_levels(["date", "item", "store"])],
)
def test_S8_index_levels_beside_the_times_are_ids_together(frame):
    data = prepare(frame)
    assert set(data.ids) == set(STORES) or data.names.id == "item/store"
    assert (len(data.ids), data.lengths.tolist()) == (4, [40] * 4)


def test_S8_labels_of_rows_are_no_ids():
    frame = pd.DataFrame({"day": DAYS, "v": np.arange(40.0)}, index=[f"row {i}" for i in range(40)])
    assert prepare(frame).ids == ("series",)
    two = pd.Series(np.arange(40.0), index=pd.MultiIndex.from_product([["a", "b"], range(20)]))
    assert (prepare(two).ids, prepare(two.to_frame("v")).ids) == (("a", "b"), ("a", "b"))
    with pytest.raises(InputError, match="'shop' tells them apart"):
        prepare(pd.concat([frame, frame]).set_axis(pd.Index(["a"] * 40 + ["b"] * 40, name="shop")))


def test_S9_several_columns_make_one_id_in_every_wording(tmp_path):
    path = tmp_path / "sales.csv"
    PANEL.to_csv(path, index=False)
    handles = {prepare(f, id=i, target="sales").handle for f in (PANEL, pl.DataFrame(PANEL), path) for i in (
        ["store", "item"], ("store", "item"), "store,item")}  # fmt: skip
    assert len(handles) == 1
    PANEL.replace({"item": {"x": "007", "y": "1.10"}}).to_csv(path, index=False)
    for ids in (["store", "item"], ["store,item"]):  # the second is what a command line gives
        assert prepare(path, id=ids).ids[:2] == ("north/007", "north/1.10")
    data = prepare(PANEL, id=["store", "item"])
    assert (data.ids, data.names.id) == (STORES, "store/item")
    named = PANEL.rename(columns={"store": "store,item"})
    assert prepare(named.drop_duplicates(["date", "store,item"]), id="store,item", target="sales").ids == (
        "north", "south")  # fmt: skip
    with pytest.raises(OptionError, match="twice"):
        prepare(PANEL, id=["store", "store"])
    with pytest.raises(InputError, match=r"'stores' \(id=\).*Did you mean 'store'"):
        prepare(PANEL, id=["stores", "item"])


def test_S9_parts_of_an_id_that_hold_the_separator_stay_apart():
    frame = pd.DataFrame({"a": ["x/y"] * 3 + ["x"] * 3, "b": ["z"] * 3 + ["y/z"] * 3, "ds": [1, 2, 3] * 2, "y": 1.0})
    assert len(prepare(frame, id=["a", "b"]).ids) == 2


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ([1.0, 2.0], ("1", "2")), ([0.5, 1.5], ("0.5", "1.5")), ([True, False], ("false", "true")),
        ([dt.date(2024, 1, 1), dt.date(2024, 1, 2)], ("2024-01-01", "2024-01-02")),
        ([dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 2, 5)], ("2024-01-01", "2024-01-02 05:00:00")),
        (["007", "NA"], ("007", "NA")), ([["a"], ["a", "b"]], ("a", "a, b")),
    ],
)  # fmt: skip
def test_S8_ids_of_any_type_are_text(values, ids):
    columns = {"unique_id": [v for v in values for _ in range(3)], "ds": [1, 2, 3] * 2, "y": [1.0] * 6}
    assert prepare(columns).ids == prepare(pd.DataFrame(columns)).ids == ids or isinstance(values[0], list)
    assert prepare(columns).ids == ids


def test_S8_intervals_are_ids():
    band = pd.cut(np.repeat([1, 5], 40), [0, 2, 6])
    assert prepare(pd.DataFrame({"unique_id": band, "ds": [*DAYS, *DAYS], "y": 1.0})).ids == ("(0, 2]", "(2, 6]")


def test_S9_rows_of_one_time_that_columns_tell_apart_are_an_error_that_names_them():
    one = PANEL[PANEL.item == "x"].drop(columns="item")
    with pytest.raises(InputError, match=r"'store' tells them apart.*id='store'"):
        prepare(one)
    with pytest.raises(InputError, match=r"'store', 'item' tell them apart.*id=\['store', 'item'\]"):
        prepare(PANEL)
    with pytest.raises(InputError, match=r"'item' tells them apart.*id=\['store', 'item'\]"):
        prepare(PANEL, id="store")
    with options_as_flags(), pytest.raises(InputError, match="with --id store,item, or"):
        prepare(PANEL)
    indexed = PANEL.set_index("store")
    with pytest.raises(InputError, match="'store', 'item'"):
        prepare(indexed)
    second = PANEL.date + pd.to_timedelta((PANEL.store == "south") * 7, unit="s")  # sensors with clocks of their own
    with pytest.raises(InputError, match="'store'"):
        prepare(one.assign(date=second[one.index]), freq="D")


def test_S9_a_short_series_beside_a_long_one_is_not_merged_into_it():
    days = pd.date_range("2024-01-01", periods=500)
    frame = pd.DataFrame({"ds": [*days, *days[-10:]], "shop": ["a"] * 500 + ["b"] * 10, "y": 1.0})
    with pytest.raises(InputError, match="id='shop'"):
        prepare(frame)


def test_S9_duplicates_that_nothing_tells_apart_are_merged_and_counted():
    days = [*DAYS, *DAYS[:5]]
    rng = np.random.default_rng(0)
    for other in (range(45), ["ok"] * 45, rng.integers(0, 40, 45), [None] * 44 + ["by hand"], rng.permutation(45)):
        data = prepare(pd.DataFrame({"ds": days, "y": rng.normal(size=45), "other": other}))
        assert {w.flag: w.count for w in data.warnings}["duplicate_times"] == 5


def test_S8_wide_frames_are_panels():
    values = np.arange(120.0).reshape(40, 3)
    wide = pd.DataFrame(values, index=DAYS, columns=["AAPL", "MSFT", "XOM"])
    data = prepare(wide)
    assert (data.ids, data.lengths.tolist(), data.values[:2].tolist()) == (("AAPL", "MSFT", "XOM"), [40] * 3, [0, 3])
    assert {w.flag: w.count for w in data.warnings} == {"wide_frame": 3}
    assert prepare(wide, target="MSFT").ids == ("series",)
    assert prepare(PANEL.pivot_table(index="date", columns="store", values="sales")).ids == ("north", "south")
    assert prepare(pd.DataFrame(values, index=DAYS)).ids == ("0", "1", "2")
    with pytest.raises(InputError, match=r"'close', 'volume'.*target="):
        prepare(pd.DataFrame({"close": values[:, 0], "volume": range(40)}, index=DAYS))


def test_S8_columns_of_two_levels():
    columns = pd.MultiIndex.from_product([["Close", "Volume"], ["AAPL", "MSFT"]], names=["Price", "Ticker"])
    frame = pd.DataFrame(np.arange(160.0).reshape(40, 4), index=DAYS.rename("Date"), columns=columns)
    for table in (frame, frame.swaplevel(axis=1), frame[["Close"]], frame.reset_index()):
        data = prepare(table, target="Close")
        assert (data.ids, data.values[:2].tolist()) == (("AAPL", "MSFT"), [0.0, 4.0])
    assert prepare(frame[["Close"]]).ids == ("AAPL", "MSFT")
    assert prepare(frame, target="AAPL").ids == ("Close", "Volume")
    assert prepare(frame, target=("Volume", "MSFT")).values[0] == prepare(frame, target="Volume MSFT").values[0] == 3.0
    with pytest.raises(InputError, match=r"'Close AAPL'.*target="):
        prepare(frame)


def test_S8_column_labels_that_are_not_text():
    frame = pd.DataFrame({2023: np.arange(40.0), dt.date(2024, 1, 1): 1, "day": DAYS})
    assert prepare(frame, target=2023).handle == prepare(frame, target="2023").handle
    assert prepare(frame, target=dt.date(2024, 1, 1)).names.target == "2024-01-01"
    with pytest.raises(InputError, match="'2023', '2024-01-01'"):
        prepare(frame)


@pytest.mark.parametrize(("step", "share"), [("h", 0.25), ("h", 0.1), ("D", 0.2), ("D", 0.05), ("15min", 0.15)])
def test_S10_times_that_are_some_of_a_regular_grids_have_its_step(step, share):
    times = pd.date_range("2024-01-01", periods=8000, freq=step)
    seen = np.random.default_rng(3).random(8000) < share
    data = prepare(pd.DataFrame({"time": times[seen], "count": np.arange(seen.sum()) + 1.0}))
    assert data.frequency.alias == step
    assert np.array_equal(data.values[~np.isnan(data.values)], np.arange(seen.sum()) + 1.0)


def test_S3_measurements_about_every_two_weeks_stay_on_a_coarse_grid():
    days = np.cumsum(np.random.default_rng(0).integers(13, 16, 60))
    data = prepare(pd.DataFrame({"ds": pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D"), "y": 1.0}))
    assert data.frequency.alias == "2W-SUN"
