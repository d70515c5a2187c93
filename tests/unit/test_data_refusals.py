"""S4, S8, S9: odd frames and options are read or refused in our words, never by an exception of a library."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from nbforecast.data import prepare
from nbforecast.errors import InputError, NbForecastError, OptionError
from nbforecast.text import options_as_flags

DAYS = pd.date_range("2024-01-01", periods=40)
VALUES = np.arange(40.0)
PATTERNS = ["^ds.*$", "^.*$", "^a$", "*"]


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"ds": DAYS, "y": VALUES} | columns)


def objects(*values: Any) -> pd.Series:
    return pd.Series([values[row % len(values)] for row in range(40)], dtype=object)


@pytest.mark.parametrize("name", PATTERNS)
def test_S8_a_column_named_like_a_pattern_is_that_column(name: str) -> None:
    expected = prepare(frame()).handle
    text = {name: [str(day.date()) for day in DAYS], "a": ["x"] * 40, "y": VALUES}
    for table in (
        pl.DataFrame({name: DAYS, "y": VALUES}), pl.LazyFrame({name: DAYS, "y": VALUES}), pl.DataFrame(text),
        pd.DataFrame(text), pd.DataFrame({name: VALUES}, index=DAYS), pd.Series(VALUES, DAYS, name=name),
        pd.DataFrame({"v": VALUES}, index=DAYS.rename(name)),
        pa.table({name: DAYS.to_numpy("datetime64[us]"), "y": VALUES}),
    ):  # fmt: skip
        data = prepare(table)
        assert data.handle == expected
        assert name in (data.names.time.rstrip(), data.names.target.rstrip())
    with_id = pl.DataFrame({"ds": DAYS, name: ["a", "b"] * 20, "ad": VALUES, "b": VALUES})
    assert prepare(with_id, id=name, target="ad").ids == ("a", "b")
    assert prepare(with_id.rename({name: "unique_id", "ad": name}), target=name).handle == (
        prepare(with_id, id=name, target="ad").handle
    )


def zoned(zone: str) -> pa.Table:
    return pa.table({"ds": pa.array(DAYS.to_numpy("datetime64[us]"), pa.timestamp("us", tz=zone)), "y": VALUES})


BERLIN, NEW_YORK = (objects(*(day.to_pydatetime().replace(tzinfo=ZoneInfo(z)) for day in DAYS))
                    for z in ("Europe/Berlin", "America/New_York"))  # fmt: skip
NAIVE = objects(*(day.to_pydatetime() for day in DAYS))


@pytest.mark.parametrize(
    ("table", "options", "said"),
    [
        (zoned("Mars/Olympus"), {}, "The column 'ds' of type .*Mars/Olympus.* cannot be read"),
        (frame(ds=BERLIN.where(np.arange(40) % 2 == 0, NAIVE)), {}, "have a time zone and others have none: 20 of 40"),
        (frame(unique_id=objects(["a", None])), {}, "Row 0 has no series id"),
        (frame(unique_id=objects([["a"]])), {}, "type List.List.String..*Convert it to text"),
        (frame(unique_id=objects([dt.timedelta(1)])), {}, r"type List\(Duration"),
        (frame(unique_id=objects({"a": 1})), {}, "type Struct"),
        (frame(unique_id=objects(b"a")), {}, "type Binary"),
        (frame(unique_id=objects(uuid.UUID(int=1))), {}, "type "),
        (frame(), {"name": 5}, "name= takes a text, not 5"),
        (frame(), {"unit": ["kWh"]}, "unit= takes a text"),
        (frame(), {"convert_to": 7}, "convert_to= takes a text"),
        (frame(), {"date_order": ["dmy"]}, "date_order= takes one of 'dmy', 'mdy', 'ymd', not .'dmy'."),
        (frame(), {"freq": "999999999999d"}, "freq='999999999999d' is not a frequency. No data are that long"),
        (frame(), {"freq": "9" * 5_000 + "h"}, "is not a frequency"),
        (frame(), {"freq": dt.timedelta.max}, "no longer than any data"),
        (VALUES, {"freq": 10**30}, "no longer than any data"),
        (frame(), {"max_duration": "9" * 5_000}, "is not a length of time"),
        (frame(), {"time": pl.col("ds")}, "time= takes the name of a column"),
        (frame(), {"target": pd.Series(VALUES)}, "target= takes the name of a column"),
        (frame(), {"id": {"a": 1}}, "id= takes the name of a column, not {'a': 1}"),
        (frame(), {"time": []}, "time= takes the name of a column"),
        ("~nosuchuser/x.csv", {}, "'~nosuchuser/x.csv' is no path"),
        ("x" * 5_000, {}, "does not exist"),
        ("https://example.org/x.csv", {}, "is a URL, which is not read"),
        (frame(y=objects(object())), {}, "which is no number"),
    ],
)  # fmt: skip
def test_S4_what_cannot_be_read_is_refused_in_our_words(table: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(NbForecastError, match=said) as caught:
        prepare(table, **options)
    assert len(str(caught.value)) <= 1_200


def test_S8_several_zones_of_one_column_are_read_whatever_its_name() -> None:
    mixed = frame(ds=BERLIN.where(np.arange(40) % 2 == 0, NEW_YORK))
    one, other = (prepare(mixed.rename(columns={"ds": name})) for name in ("ds", "^ds$"))
    assert one.handle == other.handle
    assert np.nansum(one.values) == VALUES.sum()


def test_S9_different_lists_never_make_one_id() -> None:
    lists = [["a", "b"], ["a, b"], ["a,b"], ["a\\", "b"]]
    rows = pd.concat([frame(unique_id=objects(one)) for one in lists])
    assert len(prepare(rows).ids) == 4
    assert prepare(frame(unique_id=objects(np.array([1, 2]), np.array([3])))).ids == ("1, 2", "3")


@pytest.mark.parametrize("span", [10**30, 2**63 - 1, np.int64(2**62)])
def test_S6_a_span_longer_than_any_series_takes_all_of_it(span: Any) -> None:
    assert prepare(frame(ds=DAYS - pd.Timedelta("40000d")), max_duration=span).handle == (
        prepare(frame(ds=DAYS - pd.Timedelta("40000d"))).handle
    )


def test_S4_options_are_written_as_the_caller_gives_them() -> None:
    for options, written in (
        ({"freq": "x"}, "--freq x is"), ({"name": 5}, "--name takes"), ({"max_duration": "x"}, "--max-duration x is"),
        ({"time": 5}, "--time takes"), ({"decimal": "x"}, "--decimal takes one of"),
    ):  # fmt: skip
        with options_as_flags(), pytest.raises((InputError, OptionError), match=written):
            prepare(frame(), **options)
