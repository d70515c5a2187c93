"""S8, S9: random panels, laid out in random ways, come back as the same series."""

import datetime as dt
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbforecast.data import prepare
from nbforecast.data.ids import id_expression
from nbforecast.errors import InputError
from tests.support.examples import examples

quick = examples(20)
IDS = st.text(st.sampled_from("ab/\\0.1 é"), min_size=1, max_size=4).filter(lambda text: text == text.strip())
CLOCKS = ("%H:%M:%S", "%H:%M", "%I:%M %p", "%I:%M:%S %p")


@st.composite
def panels(draw, most_columns=3):
    """Make a long pandas frame of complete series, and the columns of their ids."""
    names = [f"key{number}" for number in range(draw(st.integers(1, most_columns)))]
    key = st.tuples(*[IDS] * len(names))
    keys = draw(st.lists(key, min_size=2, max_size=5, unique=True))
    days = pd.date_range(draw(st.dates(dt.date(1990, 1, 1), dt.date(2030, 1, 1))), periods=draw(st.integers(10, 30)))
    frames = [pd.DataFrame({**dict(zip(names, key, strict=True)), "day": days}) for key in keys]
    frame = pd.concat(frames, ignore_index=True)
    return frame.assign(y=np.arange(float(len(frame)))), names


@pytest.mark.slow
@quick
@given(panels(), st.data())
def test_S8_a_panel_is_the_same_in_columns_index_levels_files_and_wide(panel, data):
    frame, names = panel
    expected = prepare(frame, id=names)
    assert len(expected.ids) == len(frame.groupby(names))
    shuffled = frame.sample(frac=1, random_state=data.draw(st.integers(0, 99)))
    levels = data.draw(st.permutations([*names, "day"]))
    indexed = shuffled.set_index(levels)
    assert prepare(pl.DataFrame(shuffled), id=names).handle == expected.handle
    assert prepare(indexed, id=names).handle == prepare(indexed["y"], id=names).handle == expected.handle
    by_level = prepare(indexed)
    assert by_level.lengths.tolist() == expected.lengths.tolist() or by_level.ids != expected.ids
    assert len(by_level.ids) == len(expected.ids)
    wide = frame.assign(id=pl.DataFrame(frame).select(id_expression(names, dict.fromkeys(names, pl.String())))
                        .to_series().to_list()).pivot_table(index="day", columns="id", values="y")  # fmt: skip
    assert prepare(wide).handle == expected.handle
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "panel.csv"
        shuffled.to_csv(path, index=False)
        assert prepare(path, id=names).handle == expected.handle


@quick
@given(panels(most_columns=2))
def test_S9_a_panel_without_its_ids_is_an_error_that_names_id(panel):
    frame, names = panel
    with pytest.raises(InputError, match=r"id="):
        prepare(frame)
    for name in names:
        if len(frame.groupby(name)) == len(frame.groupby(names)):
            assert len(prepare(frame, id=name).ids) == len(frame.groupby(names))
        else:
            with pytest.raises(InputError, match=r"id=\["):
                prepare(frame, id=name)


@quick
@given(st.lists(st.tuples(IDS, IDS, IDS), min_size=2, unique=True))
def test_S9_different_parts_never_make_the_same_id(keys):
    frame = pl.DataFrame(keys, ["a", "b", "c"], orient="row")
    assert frame.select(id_expression(["a", "b", "c"], frame.schema)).to_series().n_unique() == len(keys)


@pytest.mark.slow
@quick
@given(st.sampled_from([5, 15, 30, 60, 360]), st.sampled_from(CLOCKS), st.integers(0, 287), st.booleans(), st.data())
def test_S8_dates_and_times_of_day_are_joined_whatever_their_form(step, clock, start, as_objects, data):
    first = pd.Timestamp("2024-03-01") + pd.Timedelta(minutes=5 * start)
    times = pd.date_range(first, periods=data.draw(st.integers(40, 300)), freq=f"{step}min")
    values = np.arange(float(len(times)))
    date = data.draw(st.sampled_from([times.date, times.normalize(), times.strftime("%d.%m.%Y"), times.strftime("%F")]))
    day = pd.DataFrame({"Date": date, "Time": list(times.time) if as_objects else times.strftime(clock), "v": values})
    expected = prepare(pd.DataFrame({"ds": times, "y": values})).handle
    assert prepare(day).handle == prepare(day, time=["Date", "Time"]).handle == prepare(day, time="Date").handle
    assert prepare(day).handle == expected
