"""X4: forecasts made elsewhere become runs like any other."""

from __future__ import annotations

import gc
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
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


# --- runs like any other ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tool(table) -> pl.DataFrame:
    """Forecasts of 'tool' as of 07:00 of each day, of a model that is not ours: other numbers, three quantiles."""
    cutoffs = table["cutoff"].unique().sort()[::24]
    rows = table.filter(pl.col("cutoff").is_in(cutoffs.implode()))
    error = pl.Series(np.random.default_rng(3).uniform(-1, 1, len(rows)))
    return rows.select(
        "unique_id", "ds", "cutoff", "y", (pl.col("naive") + error).alias("tool"),
        (pl.col("naive-lo-80") - 1).alias("tool-lo-80"), (pl.col("naive-hi-80") + 1).alias("tool-hi-80"),
    )  # fmt: skip


def test_X4_scores_are_those_of_utilsforecast(tool):
    from utilsforecast import losses

    run = nbf.from_long(tool, history())
    known = tool.drop_nulls("y").drop("cutoff")
    scores = run.scores("series").sort("unique_id")
    of_tool = {"mae": losses.mae, "rmse": losses.rmse}
    for name, loss in of_tool.items():
        np.testing.assert_allclose(scores[name], loss(known, ["tool"]).sort("unique_id")["tool"], rtol=1e-5)
    coverage = losses.coverage(known, ["tool"], 80).sort("unique_id")["tool"]
    np.testing.assert_allclose(scores["coverage_80"], coverage)
    quantiles = known.rename({"tool": "q50", "tool-lo-80": "q10", "tool-hi-80": "q90"})
    loss = losses.mqloss(quantiles, {"tool": ["q10", "q50", "q90"]}, np.array([0.1, 0.5, 0.9])).sort("unique_id")
    np.testing.assert_allclose(scores["crps"], 2 * loss["tool"], rtol=1e-5)


def test_X4_mase_has_the_scale_of_the_history_up_to_each_cutoff(tool):
    from utilsforecast.losses import mase

    run = nbf.from_long(tool, history())
    cutoff = tool["cutoff"].max()
    rows = tool.filter(pl.col("cutoff") == cutoff).drop("cutoff")
    expected = mase(rows, ["tool"], 24, history().filter(pl.col("ds") <= cutoff)).sort("unique_id")["tool"]
    scores = run.scores("index").filter(pl.col("ds") == cutoff).sort("unique_id")["mase"]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_X4_points_alone_have_the_scores_of_points(tool):
    run = nbf.from_long(tool.select("unique_id", "ds", "cutoff", "y", "tool"), history())
    assert run.quantile_levels == (0.5,)
    scores = run.scores().row(0, named=True)
    assert scores["crps"] == pytest.approx(scores["mae"], rel=1e-6)
    assert scores["wis"] == pytest.approx(scores["mae"], rel=1e-6)
    assert run.at(run.data.locate(int(np.flatnonzero(run.reasons == 0)[0]))[1]).draws.shape == (6, 1)


def test_X4_samples_in_columns_or_lists_are_one(tool):
    random = np.random.default_rng(5)
    draws = tool["tool"].to_numpy()[:, None] + random.normal(size=(len(tool), 5))
    keys = tool.select("unique_id", "ds", "cutoff", "y")
    columns = keys.with_columns(*(pl.Series(f"tool_s{n}", draws[:, n]) for n in range(5)))
    lists = keys.with_columns(tool=pl.Series(draws.tolist()))
    runs = [nbf.from_long(each, history()) for each in (columns, lists)]
    first = int(np.flatnonzero(runs[0].reasons == 0)[0])
    for run in runs:
        np.testing.assert_allclose(run.forecast_at(first).draws, np.sort(draws[:6], axis=1), rtol=1e-6)
    assert runs[0].forecaster.key == runs[1].forecaster.key
    with pytest.raises(InputError, match="different numbers of samples: '4', '5'"):
        nbf.from_long(keys.with_columns(tool=pl.Series([*draws.tolist()[:-1], draws.tolist()[-1][:4]])), history())


def test_X4_models_in_rows_and_models_that_are_chosen(tool):
    other = tool.with_columns(pl.col("tool") + 1)
    rows = pl.concat([tool.with_columns(model=pl.lit("x")), other.with_columns(model=pl.lit("y"))])
    rows = rows.rename({"tool": "mean", "tool-lo-80": "0.1", "tool-hi-80": "0.9"})
    runs = nbf.from_long(rows, history())
    assert list(runs) == ["x", "y"]
    assert runs["x"].quantile_levels == (0.1, 0.5, 0.9)
    assert runs["x"].scores()["mae"].item() != runs["y"].scores()["mae"].item()
    assert nbf.from_long(rows, history(), models="y").model == "y"
    with pytest.raises(InputError, match="no model 'z'"):
        nbf.from_long(rows, history(), models="z")
    nameless = rows.with_columns(pl.when(pl.int_range(pl.len()) != 7).then("model").alias("model"))
    with pytest.raises(InputError, match="Row 7 names no model in 'model'"):
        nbf.from_long(nameless, history())
    wide = tool.with_columns(other=pl.col("tool") + 1)
    assert list(nbf.from_long(wide, history())) == ["tool", "other"]
    assert nbf.from_long(wide, history(), models=["other"]).model == "other"
    with pytest.raises(nbf.NbForecastError, match="names one model, and the table holds 2"):
        nbf.from_long(wide, history(), model="mine")
    with pytest.raises(InputError, match=r"no model 'toll'\. Did you mean 'tool'"):
        nbf.from_long(wide, history(), models="toll")


def test_X1_to_long_gives_the_table_back(tool):
    run = nbf.from_long(tool, history())
    back = run.to_long(levels=80).sort("unique_id", "cutoff", "ds")
    expected = tool.sort("unique_id", "cutoff", "ds")
    assert back.columns == expected.columns
    for name in ("unique_id", "ds", "cutoff"):
        assert back[name].equals(expected[name])
    for name in ("y", "tool", "tool-lo-80", "tool-hi-80"):
        np.testing.assert_allclose(back[name].to_numpy(), expected[name].to_numpy(), rtol=2e-6, atol=1e-6)


def test_X4_explored_drawn_and_pickled(tool, tmp_path):
    run = nbf.from_long(tool, history())
    page = tmp_path / "page.html"
    nbf.explore(run).to_html(page)
    assert "tool" in page.read_text(encoding="utf-8")
    index = run.data.locate(int(np.flatnonzero(run.reasons == 0)[-1]))[1]
    assert run.plot(index, "b").lines
    copy = pickle.loads(pickle.dumps(run))
    assert copy.scores().equals(run.scores())
    np.testing.assert_array_equal(copy.at(index, "b").draws, run.at(index, "b").draws)


def test_X4_calibrated_with_the_errors_of_the_table(table):
    run = nbf.from_long(table, history(), calibrate=True)
    ours = nbf.forecast(history(), "naive", 6, calibrate=True, wait=True)
    assert run.scores()["calibrated_80"].item() > 0
    rows = np.flatnonzero(np.isfinite(ours.calibrated_bands()).all((1, 2)))
    assert np.isfinite(run.calibrated_bands()[rows]).all()


def test_X4_results_are_found_again_without_the_table(tool):
    run = nbf.from_long(tool, history())
    scores, index = run.scores(), run.data.locate(int(np.flatnonzero(run.reasons == 0)[0]))[1]
    draws, key = run.at(index).draws, str(run.entry_slice.key)
    del run
    gc.collect()
    nbf.cache.flush(memory=True, disk=False)  # as after a restart
    assert "tool" in nbf.cache.entries()["model"]
    again = nbf.cache.run(key)
    assert again.scores().equals(scores)
    np.testing.assert_array_equal(again.at(index).draws, draws)
    with pytest.raises(nbf.NbForecastError, match=r"the table of forecasts has none as of this time\. The nearest"):
        again.at(0)
    with pytest.raises(nbf.NbForecastError, match=r"come from a table.*Read it anew with nbf\.from_long"):
        nbf.cache.recompute(key)
    reread = nbf.from_long(tool, history())
    assert reread.inferred == 0
    assert reread.reused == reread.available


def test_X4_a_table_shares_its_results_whatever_its_form(tool):
    run = nbf.from_long(tool, history())
    shuffled = tool.sample(fraction=1, shuffle=True, seed=2).select(reversed(tool.columns))
    longer = pl.concat([history(), history(("c",))])  # a history with a series more
    for other in (nbf.from_long(shuffled, history()), nbf.from_long(tool.to_pandas(), longer)):
        assert other.forecaster.key == run.forecaster.key
        assert other.inferred == 0
    changed = nbf.from_long(tool.with_columns(pl.col("tool") + 1e-3), history())
    assert changed.forecaster.key != run.forecaster.key


# --- tables of every kind --------------------------------------------------------------------------------------------


def test_X4_series_begin_with_origins_at_which_nothing_was_observed(tool):
    """The actual values of the table are its history; those before and between its forecasts are not known."""
    from nbforecast import report

    run = nbf.from_long(tool)
    first = run.data.offsets[:-1]
    assert np.isnan(run.data.values[first]).all()
    assert (run.reasons[first] == 0).all(), "the first row of each series is an origin"
    expected = nbf.from_long(tool, history())
    np.testing.assert_allclose(run.scores()["mae"], expected.scores()["mae"])
    for section in (report.data(run), report.summary(run, run, []), report.calibration(run), report.worst_origins(run)):
        assert section.text()
    assert run.plot(run.data.locate(0)[1]).lines


@pytest.mark.parametrize("grid", ["h, Europe/Berlin", "D, Europe/Berlin", "ME", "B", "Mon-Sat", "steps"])
def test_X4_without_a_history_on_every_grid(grid):
    times = {
        "h, Europe/Berlin": lambda: pd.date_range("2024-10-26", periods=48, freq="h", tz="Europe/Berlin"),
        "D, Europe/Berlin": lambda: pd.date_range("2024-03-10", periods=48, freq="D", tz="Europe/Berlin"),
        "ME": lambda: pd.date_range("2020-01-31", periods=48, freq="ME"),
        "B": lambda: pd.date_range("2024-01-01", periods=48, freq="B"),
        "Mon-Sat": lambda: pd.bdate_range("2024-01-01", periods=48, freq="C", weekmask="Mon Tue Wed Thu Fri Sat"),
        "steps": lambda: pd.RangeIndex(48),
    }[grid]()
    origins, steps = np.repeat(np.arange(10, 44), 3), np.tile([1, 2, 3], 34)
    table = pd.DataFrame({"ds": times[origins + steps], "cutoff": times[origins], "y": (origins + steps) % 7.0})
    run = nbf.from_long(table.assign(m=origins % 7.0))
    assert run.available == 34
    assert len(run.data) == 37
    forecast = run.at(-36)
    assert forecast.median.tolist() == [10 % 7] * 3
    assert forecast.actual.tolist() == [11 % 7, 12 % 7, 13 % 7]
    assert run.scores()["n"].item() == len(table)


def test_X4_forecasts_of_opening_hours(table):
    """S10: the steps of a forecast are open hours."""
    times = pd.date_range("2024-01-01", periods=24 * 28, freq="h")
    times = times[(times.hour >= 9) & (times.hour < 17)]
    shop = pd.DataFrame({"ds": times, "y": np.arange(len(times)) % 8.0})
    origins, steps = np.repeat(np.arange(100, 200), 3), np.tile([1, 2, 3], 100)
    forecasts = pd.DataFrame({"ds": times[origins + steps], "cutoff": times[origins], "m": (origins + steps) % 8.0})
    run = nbf.from_long(forecasts, shop)
    assert run.available == 100
    assert run.scores()["mae"].item() == 0
    with pytest.raises(InputError, match="1 time in 'ds' lies off the grid"):
        nbf.from_long(
            forecasts.assign(ds=forecasts["ds"].where(forecasts.index != 7, times[0] + pd.Timedelta("12h"))), shop
        )


def test_X4_zones_may_differ_between_table_and_history():
    local = pd.date_range("2024-03-25", periods=12, freq="D", tz="Europe/Berlin")  # summer time begins on the 31st
    series = pd.DataFrame({"ds": local, "y": np.arange(12.0)})
    table = pd.DataFrame({"ds": local[6:9], "cutoff": local[5], "m": [5.0, 5, 5]})
    in_utc = table.assign(**{name: table[name].dt.tz_convert("UTC") for name in ("ds", "cutoff")})
    for each in (table, in_utc):
        run = nbf.from_long(each, series)
        assert run.at(-6).actual.tolist() == [6, 7, 8]
    with pytest.raises(InputError, match="off the grid of 1 day"):
        nbf.from_long(in_utc.assign(ds=in_utc["ds"] + pd.Timedelta("1h")), series)


def test_X4_text_is_read_as_elsewhere(tmp_path):
    lines = ["unique_id;ds;cutoff;y;m"]
    lines += [f"007;{day:02d}.03.2024;{day - 1:02d}.03.2024;{day},5;{day - 1},5" for day in range(2, 14)]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines))
    run = nbf.from_long(path)
    assert run.data.ids == ("007",)
    assert run.scores()["mae"].item() == 1
    assert str(run.at(0 - 1).time).startswith("2024-03-12")


def test_X4_what_is_odd_about_a_table_is_told(tool):
    base, shop = tool.filter(pl.col("unique_id") == "a"), history(("a",))
    late = tool.with_columns(pl.col("cutoff") - pl.duration(hours=2))
    with pytest.raises(InputError, match=r"begin 3 or more steps after their origins"):
        nbf.from_long(late, history())
    with pytest.raises(InputError, match="lacks 1 series of the table of forecasts: 'b'"):
        nbf.from_long(tool, shop)
    with pytest.raises(InputError, match="the table of forecasts no ids"):
        nbf.from_long(base.drop("unique_id"), history())
    alone = nbf.from_long(base.drop("unique_id"), shop)
    assert alone.available == len(base) // 6
    nameless = nbf.from_long(base, shop.drop("unique_id"))
    assert nameless.available == alone.available
    with pytest.raises(InputError, match="states different actual values for one time"):
        nbf.from_long(pl.concat([tool, tool.with_columns(pl.col("cutoff", "ds") + pl.duration(hours=1))]))
    with pytest.raises(InputError, match="Every forecast of 'tool' lacks a value"):
        nbf.from_long(tool.with_columns(tool=pl.lit(None, pl.Float64)), history())
    with pytest.raises(InputError, match="nothing states their coverage"):
        nbf.from_long(tool.rename({"tool-lo-80": "tool-lo", "tool-hi-80": "tool-hi"}), history())


@pytest.mark.slow
def test_X4_the_example_of_the_documents_runs():
    page = Path(__file__).parents[2] / "docs" / "how_to" / "forecasts_made_elsewhere.md"
    example = page.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    names: dict = {}
    exec(compile(example, str(page), "exec"), names)
    assert names["planner"].model == "planner"
    assert names["planner"].available == names["ours"].available


def test_R4_equal_forecasts_of_other_levels_are_equal_in_a_comparison(table):
    """A forecast that is handed over with more levels in the tails has another CRPS, and is no better for it."""
    from nbforecast.report.comparison import find_comparison

    exact = nbf.from_long(table.rename(lambda name: name.replace("naive", "all")), history())
    names = ["unique_id", "ds", "cutoff", "y", "naive", "naive-lo-50", "naive-hi-50", "naive-lo-95", "naive-hi-95"]
    few = nbf.from_long(table.select(names).rename(lambda name: name.replace("naive", "few")), history())
    assert few.scores()["crps"].item() != pytest.approx(exact.scores()["crps"].item(), rel=0.05)
    findings = find_comparison(exact, [few])
    assert findings.loss == "wis"
    assert abs(findings.rivals[0].change.value) < 0.02
    assert "WIS" in nbf.report.comparison(exact, [few]).text()
    same = nbf.from_long(table.rename(lambda name: name.replace("naive", "same")), history())
    assert find_comparison(exact, [same]).finding == "No model has a lower CRPS than all; that of same is equal."


def test_X4_H1_learned_from(table):
    biased = table.with_columns(pl.col("^naive.*$") + 3).rename(lambda name: name.replace("naive", "biased"))
    run = nbf.from_long(biased, history(), learn=True)
    assert run.base.model == "biased"
    assert run.available == run.base.available
    assert run.scores()["mae"].item() < 0.8 * run.base.scores()["mae"].item()
