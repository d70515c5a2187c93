"""S1, S2: the inputs that are accepted, and the columns that are chosen."""

import datetime as dt
import decimal
import gzip

import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from nbforecast.data import prepare
from nbforecast.errors import InputError, OptionError
from tests.support.requirements import shared

TIMES = pl.datetime_range(dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 4), "1h", eager=True)
FRAME = pl.DataFrame({"ds": TIMES, "y": np.sin(np.arange(len(TIMES)))})
HANDLE = prepare(FRAME).handle


def _csv(path, frame=FRAME, **options):
    frame.write_csv(path, **options)
    return path


@pytest.mark.parametrize(
    "convert",
    [
        lambda _: FRAME, lambda _: FRAME.lazy(), lambda _: FRAME.to_pandas(), lambda _: FRAME.to_arrow(),
        lambda _: duckdb.sql("select * from FRAME order by random()"), lambda _: nw.from_native(FRAME),
        lambda _: FRAME.to_pandas(use_pyarrow_extension_array=True), lambda _: FRAME.to_dict(as_series=False),
        lambda _: FRAME.to_pandas().set_index("ds"), lambda _: FRAME.to_pandas().set_index("ds")["y"],
        lambda _: nw.from_native(FRAME.to_pandas().set_index("ds")),
        lambda _: pd.Series(FRAME["y"].to_numpy(), index=pd.DatetimeIndex(FRAME["ds"].to_numpy())),
        lambda _: FRAME.rename({"ds": "when", "y": "load"}), lambda _: FRAME.select("y", "ds"),
        lambda _: FRAME.with_columns(pl.col("ds").dt.to_string("%Y-%m-%d %H:%M")),
        lambda _: FRAME.with_columns(pl.col("ds").dt.to_string("%d.%m.%Y %H:%M")).to_pandas(),
        lambda _: FRAME.with_columns(pl.col("ds").dt.cast_time_unit("ns")),
        lambda _: FRAME.sample(fraction=1, shuffle=True),
        lambda _: pl.concat([FRAME[i : i + 7] for i in range(0, len(FRAME), 7)], rechunk=False),
        lambda p: _csv(p / "a.csv"), lambda p: str(_csv(p / "a.csv")), lambda p: _csv(p / "b.csv", separator=";"),
        lambda p: _csv(p / "c.tsv", separator="\t"), lambda p: FRAME.write_parquet(p / "a.parquet") or p / "a.parquet",
        lambda p: FRAME.write_ipc(p / "a.arrow") or p / "a.arrow",
        lambda p: FRAME.to_pandas().to_csv(p / "index.csv") or p / "index.csv",
        lambda p: (p / "z.csv.gz").write_bytes(gzip.compress(_csv(p / "z.csv").read_bytes())) and p / "z.csv.gz",
    ],
)  # fmt: skip
def test_S1_S5_every_library_gives_the_same_handle(convert, tmp_path):
    assert prepare(convert(tmp_path)).handle == HANDLE


def test_S1_arrays_and_series_without_times_have_steps_as_times():
    values = [3.0, 1.0, 2.0]
    inputs = [values, np.array(values), np.array(values)[:, None], pl.Series(values), pd.Series(values),
              pa.chunked_array([values[:2], values[2:]]), np.array(values, dtype=object)]  # fmt: skip
    prepared = [prepare(x) for x in inputs]
    assert len({d.handle for d in prepared}) == 1
    assert prepared[0].time.tolist() == [0, 1, 2]
    assert prepared[0].ids == ("series",)


def test_S1_index_levels_of_pandas_are_read_as_times_and_ids():
    index = pd.MultiIndex.from_product([["a", "b"], pd.date_range("2024", periods=5)])
    unnamed = prepare(pd.DataFrame({"y": range(10)}, index=index))
    named = prepare(pd.Series(range(10), index=index.set_names(["shop", "day"])))
    assert unnamed.ids == named.ids == ("a", "b")
    assert unnamed.handle == named.handle
    assert (named.names.id, named.names.time) == ("shop", "day")
    months = prepare(pd.Series(range(24), index=pd.period_range("2020-01", periods=24, freq="M")))
    assert months.frequency.alias == "MS"


def test_S1_S5_equal_numbers_of_any_type_have_one_handle():
    small = FRAME.with_columns(pl.col("y").cast(pl.Float32))
    wide = small.with_columns(pl.col("y").cast(pl.Float64))
    handles = {prepare(f).handle for f in (small, wide, small.to_pandas(), small.to_arrow())}
    assert len(handles) == 1
    integers = [
        FRAME.with_columns(y=pl.int_range(pl.len()).cast(t))
        for t in (pl.Int8, pl.UInt64, pl.Float32, pl.Decimal(9, 2), pl.String)
    ]
    assert len({prepare(f).handle for f in integers}) == 1
    assert prepare(FRAME.with_columns(y=pl.col("y") > 0)).values.max() == 1.0
    objects = pd.DataFrame(
        {"d": [dt.date(2024, 1, i) for i in (1, 2, 3)], "y": [decimal.Decimal(1), None, decimal.Decimal(3)]}
    )
    assert np.isnan(prepare(objects).values[1])


def test_S2_named_columns_precede_others_and_text_is_no_id():
    frame = FRAME.with_columns(other=pl.lit(1.0), kind=pl.lit("x"), created=pl.col("ds"))
    data = prepare(frame, name="load")
    assert data.ids == ("series",)
    assert (data.names.frame, data.names.time, data.names.target) == ("load", "ds", "y")
    assert prepare(frame, target="other").values.max() == 1.0
    assert prepare(frame, id="kind").ids == ("x",)
    assert prepare(FRAME.with_columns(unique_id=pl.lit(7))).ids == ("7",)


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (FRAME.rename({"y": "a"}).with_columns(b=pl.lit(1.0)), {}, r"'a', 'b'.*target="),
        (FRAME.rename({"ds": "a"}).with_columns(b=pl.col("a")), {}, r"'a', 'b'.*time="),
        (FRAME.drop("ds").with_columns(s=pl.lit("x")), {}, r"No column holds times.*'y' \(Float64\).*time="),
        (FRAME.drop("y"), {}, "No column holds numbers"),
        (FRAME, {"target": "Y"}, r"'Y' \(target=\).*Did you mean 'y'"),
        (FRAME, {"time": "ds", "target": "ds"}, "cannot serve twice"),
        (FRAME.with_columns(b=pl.lit(1.0)), {"future_covariates": "y"}, "'y' holds the values unless .* and future_"),
        (FRAME.with_columns(b=pl.lit(1.0)), {"static": "y"}, "'y' holds the values unless .* and static="),
        (FRAME.with_columns(b="ds"), {"past_covariates": "ds"}, "'ds' holds the times unless another one is named"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), {}, "same name: a"),
        (pa.table([[1], [2], [3]], names=["a", "b", "a"]), {}, "same name: a"),
        (FRAME.head(0), {}, "no rows"), (pl.DataFrame(), {}, "no columns"), (FRAME.head(1), {}, "two different times"),
        (FRAME.with_columns(y=pl.lit(None, dtype=pl.Float64)), {}, r"Every value of 'y' is missing.*target="),
        (pl.DataFrame({"ds": ["2024-01-01", "soon"], "y": [1, 2]}), {}, "Row 1 .*'soon'"),
        (pl.DataFrame({"ds": ["1/2/2024", "1/3/2024"], "y": [1, 2]}), {}, "month/day or day/month"),
        (pl.DataFrame({"ds": [1, 2, 3], "y": ["1", "2", "Low"]}), {}, "Row 2 of 'y' is 'Low'"),
        (pd.DataFrame({"ds": pd.date_range("2024", periods=3), "y": [1, "Low", None]}), {}, "Row 1 of 'y' is 'Low'"),
        (pl.DataFrame({"ds": [1.0, 2.5], "y": [1, 2]}), {}, "Row 1 .*2.5.*whole"),
        (pl.DataFrame({"unique_id": ["a", None], "ds": [1, 2], "y": [1, 2]}), {}, "Row 1 has no series id"),
        (pl.concat([FRAME.with_columns(shop=pl.lit(s)) for s in "ab"]), {}, "repeat the time.*id='shop'"),
        (np.zeros((3, 3)), {}, "shape"), (object(), {}, "type object"), (np.array([]), {}, "no rows"),
        ("missing.csv", {}, "does not exist"), (pl.scan_parquet("missing.parquet"), {}, "cannot be read"),
    ],
)  # fmt: skip
def test_S2_S4_unreadable_input_is_an_error_that_names_place_and_remedy(frame, options, message):
    with pytest.raises(InputError, match=message):
        prepare(frame, **options)


def test_S4_column_arguments_must_be_names():
    with pytest.raises(OptionError, match="takes the name of a column"):
        prepare(FRAME, time=3)


def test_S1_damaged_and_foreign_files_are_input_errors(tmp_path):
    for name, content, message in [
        ("a.parquet", b"x", "a.parquet"),
        ("b.csv", b"", "b.csv"),
        ("c.pdf", b"x", "c.pdf"),
        ("d.json", b"{}", "d.json"),
        ("e.csv", b"a,b\n", "No column holds times"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message):
            prepare(tmp_path / name)
    with pytest.raises(InputError, match="folder"):
        prepare(tmp_path)


def test_S1_csv_with_semicolons_decimal_commas_and_other_encodings(tmp_path):
    text = "Datum;Größe\n13.02.2024;1,5\n14.02.2024;2,5\n15.02.2024;3,5\n"
    for encoding in ("utf-8", "utf-8-sig", "cp1252"):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes(text.encode(encoding))
        data = prepare(path)
        assert data.values.tolist() == [1.5, 2.5, 3.5]
        assert data.time_type == pl.Date
        assert (data.names.frame, data.names.target) == (encoding, "Größe")


def test_S2_text_times_with_offsets_are_utc_and_numbers_can_be_dates():
    zoned = prepare({"ds": ["2024-01-01T00:00:00+02:00", "2024-01-01T01:00:00+02:00"], "y": [1, 2]})
    assert str(zoned.time[0]) == "2023-12-31T22:00:00.000000"
    assert zoned.time_type == pl.Datetime("us", "UTC")
    for dtype in (pl.Int8, pl.UInt16, pl.UInt64, pl.Float64):
        steps = prepare(pl.DataFrame({"ds": pl.Series([1, 2, 3], dtype=dtype), "y": [1, 2, 3]}))
        assert steps.time.tolist() == [1, 2, 3]
    with pytest.raises(InputError, match="too large"):
        prepare({"ds": [1, 2, 2**62], "y": [1, 2, 3]})
    days = prepare({"ds": [20240130, 20240131, 20240201], "y": [1, 2, 3]})
    assert days.frequency.alias == "D"


def test_S2_columns_of_text_are_times_by_their_content_alone():
    frame = {"when": ["1/2/2024", "1/3/2024"], "note": ["2024-01-01", "either"], "y": [1, 2]}
    with pytest.raises(InputError, match=r"'when'.*month/day or day/month"):
        prepare(frame)
    with pytest.raises(InputError, match=r"Row 1 .*'note' is 'either'"):
        prepare(frame, time="note")


def test_S1_raw_files_as_published():
    passengers = prepare(shared("raw/air_passengers_cr_line_ends.csv"))
    assert (len(passengers), passengers.frequency.alias) == (144, "MS")
    air_quality = shared("raw/air_quality_valencia.csv")
    with pytest.raises(InputError, match=r"'pm2.5'.*target="):
        prepare(air_quality)
    assert prepare(air_quality, target="pm2.5").frequency.alias == "h"
    temperature = prepare(shared("raw/nab_machine_temperature.csv"))
    assert temperature.frequency.alias == "5min"
    assert {w.flag: w.count for w in temperature.warnings} == {"duplicate_times": 12}
