"""X2, R4: scores by hour, weekday, month, column and expression, against a group-by of the long format by hand."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import nbforecast as nbf
from nbforecast.scoring.mean_scores import OriginScores, summarise
from nbforecast.time_units import MONTHS, WEEKDAYS

if TYPE_CHECKING:
    from pathlib import Path

    from nbforecast.run import Run


def two_series(rows: int = 400, zone: str | None = None) -> pl.DataFrame:
    """Two hourly series with gaps."""
    rng = np.random.default_rng(0)
    start = dt.datetime(2024, 3, 20)
    times = pl.datetime_range(start, start + dt.timedelta(hours=rows - 1), "1h", time_zone=zone, eager=True)
    parts = []
    for name, level in (("a", 10.0), ("c", 40.0)):
        y = level + rng.standard_normal(rows) + times.dt.weekday().to_numpy()
        y[rng.random(rows) < 0.05] = np.nan
        parts.append(pl.DataFrame({"unique_id": name, "ds": times, "y": y}))
    return pl.concat(parts)


@pytest.fixture(scope="module")
def run() -> Run:
    return nbf.forecast(two_series(), "naive", 3, wait=True)


@pytest.fixture(scope="module")
def steps(run: Run) -> pl.DataFrame:
    """Every step with an actual value, with its errors by hand."""
    long = run.to_long(levels=80).drop_nulls("y")
    inside = pl.col("y").cast(pl.Float32).is_between("naive-lo-80", "naive-hi-80")
    ahead = (pl.col("ds") - pl.col("cutoff")).dt.total_hours()
    return long.with_columns(error=(pl.col("y") - pl.col("naive")).abs(), inside=inside.cast(float), ahead=ahead)


BY: dict[str, tuple[Any, Any]] = {
    "hour": ("hour", pl.col("ds").dt.hour().cast(pl.Int64).alias("hour")),
    "weekday": ("weekday", (pl.col("ds").dt.weekday() - 1).replace_strict(dict(enumerate(WEEKDAYS))).alias("weekday")),
    "month": ("month", (pl.col("ds").dt.month() - 1).replace_strict(dict(enumerate(MONTHS))).alias("month")),
    "an origin's column": ("ds", pl.col("cutoff").alias("ds")),
    "a step's column": ("time", pl.col("ds").alias("time")),
    "an origin's expression": (pl.col("ds").dt.date().alias("day"), pl.col("cutoff").dt.date().alias("day")),
    "a step's expression": ((pl.col("actual") > 20).alias("high"), (pl.col("y") > 20).alias("high")),
    "two names": (
        ["weekday", "horizon"],
        [pl.col("ds").dt.weekday().alias("weekday"), pl.col("ahead").alias("horizon")],
    ),
    "a name and an expression": (
        ["series", pl.col("time").dt.hour().alias("of day")],
        ["unique_id", pl.col("ds").dt.hour().alias("of day")],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BY)
def test_X2_means_of_groups_are_those_of_the_long_format_by_hand(name: str, run: Run, steps: pl.DataFrame) -> None:
    by, key = BY[name]
    scores = run.scores(by).filter(pl.col("n") > 0)
    expected = steps.group_by(key).agg(n=pl.len(), mae=pl.col("error").mean(), coverage_80=pl.col("inside").mean())
    keys = [c for c in expected.columns if c not in ("n", "mae", "coverage_80")]
    both = scores.with_columns(pl.col(c).cast(pl.String) for c in keys if scores[c].dtype == pl.Enum)
    if name == "two names":
        both = scores.with_columns(pl.col("weekday").to_physical() + 1)
    both = both.with_columns(pl.col(c).cast(expected[c].dtype) for c in keys).join(
        expected, on=keys, how="full", suffix=" by hand"
    )
    assert len(both) == len(expected) == len(scores)
    for score in ("n", "mae", "coverage_80"):
        np.testing.assert_allclose(both[score], both[f"{score} by hand"], rtol=1e-5)
    assert scores["mae"].is_finite().all()


def test_X2_weekdays_and_months_have_names_in_their_order(run: Run) -> None:
    assert run.scores("weekday")["weekday"].to_list() == list(WEEKDAYS)
    assert run.scores("month")["month"].to_list() == ["March", "April"]


def test_X2_the_hour_is_that_of_the_datas_zone() -> None:
    run = nbf.forecast(two_series(200, "Europe/Berlin"), "naive", 2, wait=True)
    day = pl.col("time").dt.hour().is_between(0, 5)
    hours = run.scores("hour", where=day)["hour"]
    assert hours.to_list() == [0, 1, 2, 3, 4, 5]


WHERE: dict[str, Any] = {
    "of origins": pl.col("unique_id") == "a",
    "of steps": pl.col("time").dt.weekday() == 1,
    "an array": np.arange(800) % 3 == 0,
    "a series": pl.Series(np.arange(800) % 3 == 0),
    "with nulls": pl.col("y") > 20,
}


@pytest.mark.parametrize("name", WHERE)
@pytest.mark.parametrize("by", [None, "horizon", "index", ["hour", "series"]])
def test_X2_a_condition_and_its_opposite_make_the_whole(name: str, by: Any, run: Run) -> None:
    where = WHERE[name]
    other = (where.fill_null(False) if isinstance(where, pl.Expr) else where) == False  # noqa: E712
    parts = [run.scores(by, where), run.scores(by, other)]
    whole = run.scores(by)
    assert sum(part["n"].sum() for part in parts) == whole["n"].sum()
    errors = sum((part["mae"] * part["n"]).sum() for part in parts)
    assert errors == pytest.approx((whole["mae"] * whole["n"]).sum())
    if by is not None:
        assert (parts[0]["n"] > 0).all()


@pytest.mark.slow
@given(st.lists(st.integers(0, 799), unique=True, max_size=40))
@settings(max_examples=20, deadline=None)
def test_E10_scores_of_some_rows_are_those_of_the_whole_restricted_to_them(run: Run, rows: list[int]) -> None:
    chosen = np.array(sorted(rows), np.int64)
    names = OriginScores._fields[:4]
    part = OriginScores(*(run.take(name, chosen) for name in names))
    mask = np.isin(np.arange(800), chosen)
    for by in (None, "horizon", ["hour", "horizon"]):
        alone = summarise(run.data, part, by, rows=chosen)
        if by is not None:
            alone = alone.filter(pl.col("n") > 0)
        assert_frame_equal(alone, run.scores(by, mask))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"by": "weekdays"}, "by= has no 'weekdays'. Did you mean 'weekday'"),
        ({"by": 3}, "by= takes None, 'horizon'"),
        ({"by": pl.col("price")}, "by= cannot be evaluated: .*price.* There are the columns 'unique_id', 'ds'"),
        ({"by": ["hour", "hour"]}, "names a column twice"),
        ({"by": pl.col("y").alias("mae")}, "column called 'mae', as a score is"),
        ({"by": pl.Series([1, 2])}, "a value for each of the 800 rows, not 2"),
        ({"by": pl.col("y").drop_nulls()}, "one value for each origin"),
        ({"where": pl.col("y")}, "true or false, and this one is of type Float64"),
        ({"where": "a"}, "where= takes an expression such as"),
    ],
)
def test_R4_groups_that_make_no_sense_are_errors(run: Run, options: dict[str, Any], text: str) -> None:
    with pytest.raises(nbf.NbForecastError, match=text):
        run.scores(**options)


@pytest.mark.parametrize(("times", "name"), [(np.arange(60), "weekday"), ("dates", "hour")])
def test_R4_times_without_hours_are_an_error(times: Any, name: str) -> None:
    if isinstance(times, str):
        times = pl.date_range(dt.date(2024, 1, 1), dt.date(2024, 2, 29), eager=True)
    run = nbf.forecast(pl.DataFrame({"ds": times, "y": np.arange(60.0)}), "naive", 2, wait=True)
    with pytest.raises(nbf.NbForecastError, match=f"which have no {name}s"):
        run.scores(name)


@pytest.mark.slow
def test_X2_shards_have_the_scores_of_the_whole_panel(tmp_path: Path, run: Run) -> None:
    frame = two_series()
    frame.write_parquet(tmp_path / "panel.parquet")
    shards = nbf.forecast_dataset(
        tmp_path / "panel.parquet", tmp_path / "to", model="naive", horizon=3, series_per_shard=1, wait=True
    )
    assert len(shards.paths) == 2
    for by, where in (
        ("weekday", None),
        (["hour", "horizon"], pl.col("time").dt.weekday() < 3),
        (pl.col("unique_id"), None),
        (None, pl.col("ds").dt.hour() == 5),
    ):
        assert_frame_equal(shards.scores(by, where), run.scores(by, where), rel_tol=1e-5)
    with pytest.raises(nbf.NbForecastError, match="neither 'index' nor a Series"):
        shards.scores("index")


def test_Q4_a_run_of_some_origins_has_their_scores(run: Run) -> None:
    part = nbf.forecast(two_series(), "naive", 3, origins=slice(-60, -20), wait=True)
    of_part = np.isin(np.arange(800), part.rows)
    for by in (None, "horizon", "series", ["hour", "horizon"]):
        assert_frame_equal(part.scores(by), run.scores(by, of_part))
    assert part.scores("index")["index"].to_list() == part.frame["index"].to_list()
    odd = np.arange(len(part.rows)) % 2 == 1
    halves = [part.scores(where=odd)["n"].item(), part.scores(where=pl.Series(~odd))["n"].item()]
    assert sum(halves) == part.scores()["n"].item()
    assert part.scores(pl.Series("odd", odd))["n"].to_list() == halves[::-1]
    with pytest.raises(nbf.NbForecastError, match=f"a value for each of the {len(part.rows)} origins, not 3"):
        part.scores(where=np.ones(3, bool))
