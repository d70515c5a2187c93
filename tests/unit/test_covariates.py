"""H2: covariates known ahead or up to the origin, and public holidays, correct the forecasts of any model."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.data import prepare
from nbforecast.data.holidays import holiday_covariates
from nbforecast.errors import InputError, OptionError, OriginUnavailable

DAYS, AHEAD, HORIZON = 700, 14, 7


def sales(days: int = DAYS, ahead: int = AHEAD, seed: int = 0, name: str | None = None) -> pl.DataFrame:
    """Daily sales that rise by 8 on days of a promotion and by 5 in an event; the last rows have no value."""
    random = np.random.default_rng(seed)
    dates = [dt.date(2023, 1, 2) + dt.timedelta(days=k) for k in range(days + ahead)]
    promotion = random.random(days + ahead) < 0.15
    event = np.where(np.arange(days + ahead) % 50 == 7, "fair", "")
    y = 20 + 4 * np.sin(2 * np.pi * np.arange(days + ahead) / 7) + 8 * promotion + 5 * (event == "fair")
    y = y + random.normal(size=days + ahead)
    values = [*y[:days].tolist(), *[None] * ahead]
    frame = pl.DataFrame(
        {"ds": dates, "y": values, "promotion": promotion, "event": event, "noise": random.normal(size=days + ahead)}
    )
    frame = frame.with_columns(pl.col("event").replace("", None))
    return frame if name is None else frame.with_columns(unique_id=pl.lit(name))


@pytest.fixture(scope="module")
def run() -> nbf.Run:
    return nbf.forecast(sales(), "naive", HORIZON, future_covariates=["promotion", "event"], wait=True)


def test_H2_a_promotion_known_ahead_is_learned(run):
    plain = nbf.forecast(sales(), "naive", HORIZON, target="y", learn=True, wait=True)
    assert run.model == "naive-learned"
    assert run.scores()["mae"].item() < 0.75 * plain.scores()["mae"].item()
    latest = run.latest()
    promoted = sales()[DAYS : DAYS + HORIZON].filter("promotion")["ds"]
    assert len(promoted)
    by_day = dict(zip(latest["ds"], latest["naive-learned"], strict=True))
    weekly = plain.latest()
    without = dict(zip(weekly["ds"], weekly["naive-learned"], strict=True))
    assert all(by_day[day] > without[day] + 3 for day in promoted)


def test_H2_rows_after_the_last_value_are_its_future_and_no_repair(run):
    assert len(run.data) == DAYS
    assert not [w for w in run.warnings if w.flag == "trimmed"]
    assert run.at(0).median.shape == (HORIZON,)


def test_H2_missing_future_rows_are_named_where_the_origin_is_asked_for():
    short = nbf.forecast(sales(ahead=3), "naive", HORIZON, future_covariates="promotion", wait=True)
    assert short.at(-4).median.shape == (HORIZON,)
    with pytest.raises(OriginUnavailable, match=r"promotion must be known ahead and is missing at 4 times, from 2024-"):
        short.at(0)


def test_H2_the_handle_is_that_of_the_target_and_covariates_have_a_digest():
    one, other = (prepare(sales(seed=0), target="y", future_covariates=c) for c in ("promotion", "noise"))
    assert one.handle == other.handle == prepare(sales(seed=0), target="y").handle
    assert one.covariates is not None
    assert other.covariates is not None
    assert one.covariates.digest != other.covariates.digest


def test_H2_an_edited_promotion_is_learned_anew():
    first = nbf.forecast(sales(), "naive", HORIZON, future_covariates="promotion", wait=True)
    edited = sales().with_columns(
        promotion=pl.when(pl.col("ds") == dt.date(2023, 6, 1)).then(~pl.col("promotion")).otherwise("promotion")
    )
    second = nbf.forecast(edited, "naive", HORIZON, future_covariates="promotion", wait=True)
    assert second.base.inferred == 0, "the base knows no covariate"
    row = (dt.date(2023, 6, 1) - dt.date(2023, 1, 2)).days
    before = slice(0, row - HORIZON)
    np.testing.assert_array_equal(first.array[before], second.array[before])
    assert not np.array_equal(first.array[row:], second.array[row:], equal_nan=True)


def test_L1_nothing_beyond_what_is_declared_known_ahead_moves_a_forecast():
    cut, changed = 500, sales()
    late = pl.int_range(pl.len()) > cut + HORIZON
    changed = changed.with_columns(promotion=pl.when(late).then(~pl.col("promotion")).otherwise("promotion"))
    values = pl.when(pl.int_range(pl.len()) > cut).then(pl.col("y") * 3).otherwise("y")
    runs = [
        nbf.forecast(frame, "naive", HORIZON, future_covariates="promotion", past_covariates="noise", wait=True)
        for frame in (sales(), changed.with_columns(y=values, noise=pl.when(late).then(9.0).otherwise("noise")))
    ]
    np.testing.assert_array_equal(runs[0].array[: cut + 1], runs[1].array[: cut + 1])


def test_H2_series_of_a_panel_have_their_own_covariates_and_future():
    panel = pl.concat([sales(200, 9, 1, "a"), sales(150, 7, 2, "b")])
    data = prepare(panel, target="y", future_covariates=["promotion"])
    assert data.covariates is not None
    ahead = data.covariates.ahead(data.offsets, 7)
    assert np.isfinite(ahead[:, 199]).all()
    assert np.isfinite(ahead[:, -1]).all()
    expected = panel.filter(unique_id="b")["promotion"].cast(float).to_numpy()
    np.testing.assert_array_equal(data.covariates.now(data.offsets)[0, 200:], expected[:150])
    np.testing.assert_array_equal(ahead[0, -1], expected[150:157])


def test_H2_a_covariate_that_never_changes_is_named_in_a_warning():
    shops = [sales().with_columns(pl.lit(shop).alias("id"), size=pl.lit(size)) for shop, size in (("a", 1), ("b", 2))]
    frame = pl.concat(shops).with_columns(kind=pl.lit("a"))
    data = prepare(frame, id="id", target="y", future_covariates=["event", "size", "kind"])
    (warning,) = (each for each in data.warnings if each.flag == "constant_covariate")
    assert warning.sentence.startswith("'size', 'kind' never change within a series")
    changing = prepare(sales(), target="y", future_covariates="event")
    assert not any(each.flag == "constant_covariate" for each in changing.warnings)


def test_H2_categories_become_one_column_each_and_too_many_are_refused():
    data = prepare(sales(), target="y", future_covariates="event")
    assert data.covariates is not None
    assert data.covariates.names == ("event = fair",)
    many = sales().with_columns(event=pl.int_range(pl.len()).cast(pl.String) + " x")
    with pytest.raises(InputError, match=r"'event' has 714 different texts"):
        prepare(many, target="y", future_covariates="event")
    huge = sales().with_columns(promotion=pl.col("promotion") * -1e300)
    with pytest.raises(InputError, match=r"'promotion' has values as large as 1e\+300"):
        prepare(huge, target="y", future_covariates="promotion")
    with pytest.raises(
        InputError, match=r"No column is called 'promo' \(future_covariates=\)\. Did you mean 'promotion'"
    ):
        prepare(sales(), target="y", future_covariates="promo")


def test_H2_holidays_their_eves_and_bridge_days():
    days = np.arange("2024-12-20", "2025-01-07", dtype="datetime64[D]")
    holiday, eve, bridge = holiday_covariates("DE-BY", days)
    assert days[holiday == 1].astype(str).tolist() == ["2024-12-25", "2024-12-26", "2025-01-01", "2025-01-06"]
    assert days[eve == 1].astype(str).tolist() == ["2024-12-24", "2024-12-31", "2025-01-05"]
    assert days[bridge == 1].astype(str).tolist() == ["2024-12-27"]
    with pytest.raises(OptionError, match="no country 'XX'"):
        prepare(sales(), target="y", holidays="XX")


def test_H2_holidays_are_covariates_of_a_run():
    days = [dt.date(2022, 1, 3) + dt.timedelta(days=k) for k in range(900)]
    random = np.random.default_rng(0)
    closed = holiday_covariates("DE", np.array(days, "datetime64[D]"))[0]
    frame = pl.DataFrame({"ds": days, "y": 50 - 30 * closed + random.normal(size=900)})
    learned = nbf.forecast(frame, "naive", 3, holidays="DE", wait=True)
    plain = nbf.forecast(frame, "naive", 3, learn=True, wait=True)
    assert learned.scores()["mae"].item() < plain.scores()["mae"].item()
    assert learned.reasons[-1] == 0, "holidays are known ahead of the last value"


def test_S8_text_of_numbers_is_read_as_numbers_and_other_text_as_categories():
    text = sales(60).with_columns(
        temp=pl.col("noise").round(2).cast(pl.String).str.replace(".", ",", literal=True),
        flag=pl.when("promotion").then(pl.lit("yes")).otherwise(pl.lit("no")),
    )
    text = text.with_columns(temp=pl.when(pl.int_range(pl.len()) == 5).then(pl.lit("n/a")).otherwise("temp"))
    data = prepare(text, target="y", future_covariates=["temp", "flag"])
    assert data.covariates is not None
    assert data.covariates.names == ("temp", "flag = no", "flag = yes")
    expected = sales(60)["noise"].round(2).to_numpy()[:60].copy()
    expected[5] = np.nan
    np.testing.assert_array_equal(data.covariates.now(data.offsets)[0], expected)
    assert "missing_marks" in [w.flag for w in data.warnings]
    broken = text.with_columns(temp=pl.when(pl.int_range(pl.len()) == 7).then(pl.lit("warm")).otherwise("temp"))
    with pytest.raises(InputError, match=r"'temp'.*warm"):
        prepare(broken, target="y", future_covariates="temp")


def test_S8_covariates_that_cannot_be_meant_are_errors():
    with pytest.raises(
        InputError, match=r"No column is called 'promo' \(future_covariates=\)\. Did you mean 'promotion'"
    ):
        prepare(sales(30), target="y", future_covariates="noise,promo")
    for nothing in (None, float("inf")):
        empty = sales(30).with_columns(noise=pl.lit(nothing, pl.Float64))
        with pytest.raises(InputError, match="Every value of the covariate 'noise' is missing"):
            prepare(empty, target="y", past_covariates="noise")


def test_S4_rows_of_covariates_beside_the_grid_are_reported():
    hours = [dt.datetime(2024, 1, 1) + dt.timedelta(hours=k) for k in range(72)]
    ahead = [dt.datetime(2024, 1, 4, k, 30) for k in range(6)]
    frame = pl.DataFrame({"ds": hours + ahead, "y": [*np.arange(72.0), *[None] * 6], "temp": np.arange(78.0)})
    warnings = prepare(frame, target="y", future_covariates="temp").warnings
    (warning,) = [w for w in warnings if w.flag == "covariates_off_grid"]
    assert warning.count == 6
    assert "between the steps of 1 hour (first: 2024-01-04 00:30)" in warning.sentence


@pytest.mark.parametrize("origins", [None, "latest", "2023-02-01..2023-02-05"])
def test_S4_origins_without_their_covariates_are_a_warning(origins):
    run = nbf.forecast(
        sales(80, 0), "naive", HORIZON, target="y", future_covariates="promotion", origins=origins, every=None
    )
    run.cancel()
    found = [w for w in run.warnings if w.flag == "missing_covariates"]
    assert [w.count for w in found] == ([] if origins and origins != "latest" else [HORIZON])
    for warning in found:
        assert "7 origins, the newest included: promotion must be known ahead and is missing" in warning.sentence
    weekly = sales(80).with_columns(noise=pl.when(pl.int_range(pl.len()) % 7 == 0).then("noise"))
    sparse = nbf.forecast(weekly, "naive", HORIZON, target="y", future_covariates="noise", origins="latest")
    sparse.cancel()
    assert "fill it forward" in str(sparse.warnings)
