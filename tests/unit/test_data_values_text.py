"""S8: values that are text, in every way of writing numbers; none is passed over and none guessed."""

import decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nbforecast.data import prepare
from nbforecast.data.values import read_values
from nbforecast.errors import InputError, OptionError


def _read(*texts, **options):
    return read_values(pl.Series("y", texts), **options)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1,5", "2"], [1.5, 2]), (["1.234,56", "7,1"], [1234.56, 7.1]), (["1,234.5", "7"], [1234.5, 7]),
        (["1.234.567", "1.234"], [1234567, 1234]), (["1 234,5", "1 234 567,5"], [1234.5, 1234567.5]),
        (["1\u202f234", "5"], [1234, 5]), (["1'234.5", "5"], [1234.5, 5]), (["−1,5", "+2,5"], [-1.5, 2.5]),
        (["0,123", "1,234"], [0.123, 1.234]), (["1,234", "5678"], [1.234, 5678]), ([",5", "1,"], [0.5, 1]),
        (["1e3", "2,5E-1"], [1000, 0.25]), ([*[f"{n},{n}00" for n in range(1, 9)], "950"], [1100, 950]),
    ],
)  # fmt: skip
def test_S8_ways_of_writing_numbers(texts, expected):
    values, warnings = _read(*texts)
    assert values[[0, -1]].tolist() == expected
    assert not warnings


def test_S8_commas_that_can_be_thousands_or_decimals_are_an_error_that_names_both():
    with pytest.raises(InputError, match=r"Row 1 of 'y' is '1,234', which can be 1234 \(decimal='.'\) or 1.234"):
        _read("1", "1,234")
    assert _read("1", "1,234", decimal=",")[0].tolist() == [1, 1.234]
    assert prepare({"ds": [1, 2], "y": ["1", "1,234"]}, decimal=".").values.tolist() == [1, 1234]
    with pytest.raises(OptionError, match="decimal= takes one of"):
        prepare({"ds": [1, 2], "y": [1, 2]}, decimal=";")


def test_S8_marks_of_missing_values_are_counted_and_words_are_an_error():
    values, warnings = _read("1", "-", "2,5", "n/a", "")
    assert np.isnan(values[[1, 3, 4]]).all()
    assert (warnings[0].flag, warnings[0].count) == ("missing_marks", 2)
    assert "'-', 'n/a'" in warnings[0].sentence
    for word in ("Niedrig", "<0.1", "Low", "12 kg"):
        with pytest.raises(InputError, match=f"Row 1 of 'y' is '{word}'"):
            _read("1,5", word, "2,5")


@pytest.mark.parametrize("odd", ["-", "Niedrig", "<0.1", "Low"])
def test_S8_a_column_of_text_that_is_mostly_numbers_is_never_passed_over(odd, tmp_path):
    frame = pd.DataFrame({"station": 3987, "ds": pd.date_range("2024-01-01", periods=40), "level": 12.5})
    frame["level"] = frame["level"].astype(str).where(frame.index % 9 != 4, odd)
    frame.to_csv(tmp_path / "a.csv", index=False)
    for table in (frame, pl.from_pandas(frame), tmp_path / "a.csv"):
        with pytest.raises(InputError, match=r"'station', 'level'.*target="):
            prepare(table)
    alone = frame.drop(columns="station")
    if odd == "-":
        assert prepare(alone).warnings[0].flag == "missing_marks"
    else:
        with pytest.raises(InputError, match=f"Row 4 of 'level' is '{odd}'"):
            prepare(alone)


def test_S8_values_of_any_type_with_missing_entries():
    days, values = pd.date_range("2024-01-01", periods=4), [1, None, 3, 4]
    columns = [pd.array(values, "Int64"), pd.array(values, "Float32"), pd.array(values, "int64[pyarrow]"),
               pd.array([None if v is None else decimal.Decimal(v) for v in values], dtype=object),
               pd.array(["1", None, "3", "4"], "string"), pd.array(["1", "-", 3, 4.0], dtype=object)]  # fmt: skip
    frames = [pd.DataFrame({"ds": days, "y": column}) for column in columns]
    masked = np.ma.masked_equal([1.0, -9999.0, 3.0, 4.0], -9999.0)
    frames += [{"ds": days.to_list(), "y": masked}, {"ds": days.to_list(), "y": masked.astype(int)}]
    assert len({prepare(frame).handle for frame in frames}) == 1
    assert np.isnan(prepare(masked).values[1])
