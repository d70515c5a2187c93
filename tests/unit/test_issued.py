"""H2, L1: covariates as they were issued over time; at an origin the newest issue counts, and nothing later."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nbforecast as nbf
from nbforecast.data import prepare
from nbforecast.data.covariate_grid import issued_values
from nbforecast.data.issued import IssuedCovariates
from nbforecast.data.read_issued import with_issued_covariates
from nbforecast.errors import InputError, OriginUnavailable

START, HOUR = dt.datetime(2024, 1, 1), dt.timedelta(hours=1)
HOURS, HORIZON = 240, 3


def load(seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Hourly load that follows the temperature, and forecasts of this, issued every 6 hours for the next 12."""
    random = np.random.default_rng(seed)
    temperature = random.normal(size=HOURS + 24)
    y = 10 + 3 * temperature[:HOURS] + 0.3 * random.normal(size=HOURS)
    frame = pl.DataFrame({"ds": [START + k * HOUR for k in range(HOURS)], "y": y})
    rows = [
        (START + (k + j) * HOUR, START + k * HOUR + dt.timedelta(minutes=30), temperature[k + j] + 0.1 * j)
        for k in range(0, HOURS, 6)
        for j in range(1, 13)
    ]
    return frame, pl.DataFrame(rows, schema=["ds", "cutoff", "temperature"], orient="row")


rows = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8), st.integers(-3, 8), st.integers(0, 9)), max_size=30)


@settings(max_examples=20, deadline=None)
@given(rows)
def test_H2_the_newest_known_value_about_a_time_counts(table):
    series, steps, known, values = np.array(table, np.int64).reshape(-1, 4).T
    order = np.lexsort((known, steps, series))
    issued = IssuedCovariates(
        ("x",), ("x",), series[order], steps[order], known[order], values[order][None].astype(float)
    )
    of, origins = np.repeat([0, 1], 6), np.tile(np.arange(6), 2)
    for s, origin, of_origin in zip(of, origins, issued.as_of(of, origins, 2)[0], strict=True):
        for j, actual in enumerate(of_origin):
            candidates = [
                (known[i], place, values[i])
                for place, i in enumerate(order)
                if series[i] == s and steps[i] == origin + j and known[i] <= origin
            ]
            expected = max(candidates)[2] if candidates else np.nan
            np.testing.assert_equal(actual, float(expected))


def test_H2_issued_forecasts_are_learned_from_and_count_from_their_cutoff_on():
    frame, issued = load()
    run = nbf.forecast(frame, "naive", HORIZON, issued_covariates=issued, wait=True)
    plain = nbf.forecast(frame, "naive", HORIZON, learn=True, wait=True)
    assert run.scores()["mae"].item() < 0.8 * plain.scores()["mae"].item()
    assert run.effects().filter(feature="temperature")["lower"][0] > 0
    data = with_issued_covariates(prepare(frame), issued)
    assert data.issued is not None
    values = issued_values(data, HORIZON)
    assert values is not None
    assert np.isnan(values[0, 0]).all(), "the first is issued half an hour later"
    newest = issued.filter((pl.col("ds") == START + 9 * HOUR) & (pl.col("cutoff") <= START + 7 * HOUR)).sort("cutoff")
    assert values[0, 7, 2] == newest["temperature"][-1]
    assert len(newest) == 2
    late = issued.filter(pl.col("cutoff") > START + 60 * HOUR)
    run = nbf.forecast(frame, "naive", HORIZON, issued_covariates=late, wait=True)
    assert run.at(100 - HOURS).model == "naive-learned"
    with pytest.raises(OriginUnavailable, match=r"temperature must be known ahead .* values that were issued by then"):
        run.at(40 - HOURS)


@settings(max_examples=4, deadline=None)
@given(st.integers(120, 200), st.integers(0, 99))
def test_L1_later_issues_and_values_move_no_earlier_forecast(cut, seed):
    frame, issued = load()
    now, random = START + cut * HOUR, np.random.default_rng(seed)
    later = frame.with_columns(y=pl.when(pl.col("ds") > now).then(pl.col("y") + random.normal()).otherwise("y"))
    other = issued.with_columns(
        temperature=pl.when(pl.col("cutoff") > now).then(pl.col("temperature") * -3).otherwise("temperature")
    )
    extra = issued.with_columns(cutoff=pl.col("ds") + HOUR, temperature=pl.lit(9.0)).filter(pl.col("cutoff") > now)
    runs = [
        nbf.forecast(values, "naive", HORIZON, issued_covariates=table, past_covariates=None, wait=True)
        for values, table in ((frame, issued), (later, pl.concat([other, extra])))
    ]
    np.testing.assert_array_equal(runs[0].array[: cut + 1], runs[1].array[: cut + 1])
    assert runs[0].base.model == "naive"


def test_H2_issued_values_have_ids_categories_and_a_digest():
    frame, issued = load()
    panel = pl.concat([frame.with_columns(unique_id=pl.lit(name)) for name in "ab"])
    shared = with_issued_covariates(prepare(panel), issued)
    own = pl.concat(
        [issued.with_columns(unique_id=pl.lit(name), temperature=pl.lit(i)) for i, name in enumerate("abc")]
    )
    each = with_issued_covariates(prepare(panel), own)
    assert shared.issued is not None
    assert each.issued is not None
    assert each.issued.digest != shared.issued.digest
    assert each.handle == shared.handle == prepare(panel).handle
    assert each.issued.as_of(np.array([0, 1]), np.full(2, shared.steps()[50]), 1)[0, :, 1].tolist() == [0.0, 1.0]
    sky = with_issued_covariates(
        prepare(frame), issued.with_columns(temperature=pl.lit("cloudy")).rename({"temperature": "sky"})
    )
    assert sky.issued is not None
    assert sky.issued.names == ("sky = cloudy",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop("cutoff"), r"takes a table with .*Its columns are: 'ds', 'temperature'"),
        (lambda t: t.with_columns(ds=pl.col("ds") + dt.timedelta(minutes=7)), "No time in 'ds' .* lies on the grid"),
        (lambda t: pl.concat([t, t.with_columns(temperature=0.0)]), "rows .* repeat time and cutoff of another one"),
        (
            lambda t: t.with_columns(unique_id=pl.lit("x")),
            "has values for 'x', and the series of the data are 'a', 'b'",
        ),
        (lambda t: t.with_columns(pl.col("ds").dt.replace_time_zone("UTC")), None),
    ],
)
def test_H2_tables_that_cannot_be_read_are_refused(change, message):
    frame, issued = load()
    panel = pl.concat([frame.with_columns(unique_id=pl.lit(name)) for name in "ab"])
    if message is None:  # times of a zone fit data without one by their clock
        assert with_issued_covariates(prepare(panel), change(issued)).issued is not None
        return
    with pytest.raises(InputError, match=message):
        with_issued_covariates(prepare(panel), change(issued))


def test_H2_observed_weather_that_is_taken_as_known_ahead_is_told():
    frame, _ = load()
    days = frame.with_columns(promotion=1.0, wind_forecast=2.0, temperature=3.0, template=4.0)
    columns = ["promotion", "wind_forecast", "temperature", "template"]
    data = prepare(days, target="y", future_covariates=columns)
    (warning,) = (each for each in data.warnings if each.flag == "hindsight")
    assert warning.sentence.startswith("'temperature' looks like observed weather")
    past = prepare(days, target="y", past_covariates=columns)
    assert not any(each.flag == "hindsight" for each in past.warnings)
