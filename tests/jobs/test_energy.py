"""Last winter's day-ahead forecasts of a planning desk, judged beside nbforecast's own (X4)."""

from __future__ import annotations

import polars as pl
import pytest

import nbforecast as nbf
from tests.support.requirements import shared

QUARTERS = 96  # of a day


@pytest.fixture(scope="module")
def load() -> pl.DataFrame:
    return pl.read_parquet(shared("covariates/lu_load_15min.parquet")).select("unique_id", "ds", "y")


def plan(load: pl.DataFrame) -> pl.DataFrame:
    """The desk's plan as of 23:45: the mean of the last three same weekdays, give or take 12 MW."""
    table = load
    for weeks in (1, 2, 3):
        earlier = load.select(pl.col("ds").dt.offset_by(f"{weeks}w"), pl.col("y").alias(f"week {weeks}"))
        table = table.join(earlier, on="ds")
    desk = pl.mean_horizontal(pl.selectors.starts_with("week"))
    return table.filter(pl.col("ds") >= pl.datetime(2024, 12, 1)).select(
        "unique_id",
        "ds",
        pl.col("ds").dt.truncate("1d").dt.offset_by("-15m").alias("cutoff"),
        desk.alias("desk"),
        (desk - 12).alias("desk-lo-80"),
        (desk + 12).alias("desk-hi-80"),
    )


@pytest.mark.slow
def test_X4_last_winter_as_of_2345_beside_our_own(load, tmp_path):
    plan(load).write_csv(tmp_path / "plan.csv")  # as the desk's tool exports it

    desk = nbf.from_long(tmp_path / "plan.csv", load)
    ours = nbf.forecast(load, "naive", QUARTERS, origins=slice("2024-11-30", "2025-01-05"), at="23:45", wait=True)

    assert desk.horizon == QUARTERS
    assert desk.available == 36
    forecast = desk.at("2024-12-24 23:45")  # for Christmas
    assert str(forecast.time).startswith("2024-12-24 23:45")
    assert len(forecast.median) == QUARTERS

    known = plan(load).join(load, on=["unique_id", "ds"])
    mae = known.select((pl.col("y") - pl.col("desk")).abs().mean()).item()
    covered = known.select(pl.col("y").is_between(pl.col("desk-lo-80"), pl.col("desk-hi-80")).mean()).item()
    assert desk.scores()["mae"].item() == pytest.approx(mae, rel=1e-5)
    assert desk.scores()["coverage_80"].item() == pytest.approx(covered, abs=1e-3)

    text = nbf.report.comparison(desk, [ours]).text()
    assert "desk" in text
    assert "36 origins" in text
