"""X4: forecasts made elsewhere become runs like any other."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.errors import InputError

HOURS = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 6), "1h", eager=True)


def history(ids: tuple[str, ...] = ("a", "b")) -> pl.DataFrame:
    random = np.random.default_rng(0)
    return pl.concat(
        pl.DataFrame({"unique_id": name, "ds": HOURS, "y": 10 + random.normal(size=len(HOURS)).cumsum()})
        for name in ids
    )


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return nbf.forecast(history(), "naive", 6, wait=True).to_long(levels=(50, 80, 95))


def test_X4_an_exported_run_comes_back_with_its_scores(table):
    original = nbf.forecast(history(), "naive", 6, wait=True)
    run = nbf.from_long(table, history())
    assert run.available == original.available
    own, others = run.scores("series"), original.scores("series")
    for name in ("n", "mae", "rmse", "mase", "coverage_80", "coverage_95"):
        np.testing.assert_allclose(own[name], others[name], rtol=1e-5)
    np.testing.assert_allclose(run.at(-8, "b").interval(80), original.at(-8, "b").interval(80), rtol=1e-6)


def test_X4_rows_in_any_order_and_without_a_history(table):
    run = nbf.from_long(table.sample(fraction=1, shuffle=True, seed=1))
    again = nbf.from_long(table, history())
    cutoffs = table["cutoff"].unique()
    assert run.available == again.available
    np.testing.assert_allclose(run.scores()["mae"], again.scores()["mae"])
    assert run.data.lengths.tolist() == [len(cutoffs)] * 2, "a series begins with its first origin"


def test_X4_what_the_table_does_not_hold_is_unavailable_and_never_inferred(table):
    cutoffs = table["cutoff"].unique().sort()
    run = nbf.from_long(table.filter(pl.col("cutoff").is_in(cutoffs[::24].implode())), history())
    assert run.available == 2 * len(cutoffs[::24])
    assert run.inferred + run.reused == run.available
    with pytest.raises(nbf.NbForecastError, match="table of forecasts has none as of this time"):
        run.at(-1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[:-3], "3 steps of 'naive' are missing"),
        (
            lambda t: pl.concat([t, t[:1]]),
            "'naive' is in the table twice, the first in rows 0 and 1368: series 'a' as of 2024-01-01 07:00",
        ),
        (lambda t: t.with_columns(pl.col("cutoff").dt.offset_by("7m")), "off the grid"),
        (lambda t: t.with_columns(pl.col("cutoff").dt.offset_by("6h")), "is not after its origin"),
        (lambda t: t.with_columns(pl.col("cutoff", "ds").dt.offset_by("2d")), "the series has no data"),
        (lambda t: t.with_columns(unique_id=pl.lit("c")), "no series 'c'"),
        (lambda t: t.select("unique_id", "ds", "cutoff", "y"), "holds no forecasts"),
        (lambda t: t.drop("ds").rename({"cutoff": "when"}).with_columns(then="when"), "no column 'ds'"),
    ],
)
def test_X4_a_table_that_is_no_backtest_is_refused_with_the_row(table, change, message):
    with pytest.raises(InputError, match=message):
        nbf.from_long(change(table), history())
