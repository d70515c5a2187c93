"""X4: tables as libraries return them; `tests/golden/forecast_tables/README.md` says how they were made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nbforecast as nbf

TABLES = Path(__file__).parents[1] / "golden" / "forecast_tables"
LAST, MIDDLE = -7, -14  # indices of the origins 2024-03-03 and 2024-02-25


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    return pd.read_csv(TABLES / "history.csv", parse_dates=["ds"])


def read(name: str, **options) -> pd.DataFrame:
    return pd.read_csv(TABLES / f"{name}.csv", **options)


def parts(name: str, number: str) -> list[pd.DataFrame]:
    """The frames of a list, as the library returns it."""
    time = "ds" if name.startswith("darts") else "timestamp"
    return [part.drop(columns=number) for _, part in read(name, parse_dates=[time]).groupby(number)]


def test_X4_statsforecast_cross_validation(history):
    from statsforecast import StatsForecast
    from statsforecast.models import HistoricAverage, SeasonalNaive

    models = [SeasonalNaive(7), HistoricAverage()]
    table = StatsForecast(models, freq="D").cross_validation(df=history, h=7, n_windows=2, step_size=7, level=[80, 95])
    runs = nbf.from_long(table, history)
    assert list(runs) == ["SeasonalNaive", "HistoricAverage"]
    for name, run in runs.items():
        assert run.quantile_levels == (0.025, 0.1, 0.5, 0.9, 0.975)
        assert run.available == 4
        assert not run.warnings
        rows = table[(table.unique_id == "shop 2") & (table.cutoff == "2024-02-25")]
        forecast = run.at(LAST - 7, "shop 2")
        np.testing.assert_allclose(forecast.median, rows[name], rtol=1e-6)
        ends = rows[[f"{name}-lo-95", f"{name}-hi-95"]]
        np.testing.assert_allclose(forecast.interval(95), ends, rtol=1e-6)


@pytest.mark.parametrize("with_history", [True, False])
def test_X4_mlforecast_cross_validation(history, with_history):
    run = nbf.from_long(TABLES / "mlforecast.csv", history if with_history else None)
    assert run.model == "linear"
    assert run.quantile_levels == (0.1, 0.5, 0.9)
    assert run.available == 4
    # the first row of the file
    forecast = run.at(MIDDLE, "shop 1")
    assert forecast.draws[0].tolist() == pytest.approx([19.3805, 21.8443, 24.308])
    assert forecast.actual[0] == 19.93
    errors = read("mlforecast")
    assert run.scores()["mae"].item() == pytest.approx((errors.y - errors.linear).abs().mean(), rel=1e-6)


def test_X4_neuralforecast_cross_validation(history):
    runs = nbf.from_long(TABLES / "neuralforecast.csv", history)
    levels = {name: run.quantile_levels for name, run in runs.items()}
    assert levels == {
        "MLP": (0.1, 0.5, 0.9),
        "Gauss": (0.05, 0.1, 0.5, 0.9, 0.95),
        "Point": (0.5,),
        "Q": (0.1, 0.5, 0.9),
        "Q9": (0.9,),
    }
    flags = {name: [warning.flag for warning in run.warnings] for name, run in runs.items()}
    assert flags == {
        "MLP": ["crossed_quantiles"],
        "Gauss": ["unused_columns"],  # the mean, beside the median
        "Point": [],
        "Q": ["crossed_quantiles"],
        "Q9": ["no_median"],
    }
    first = runs["Gauss"].at(MIDDLE, "shop 1").draws[0].tolist()
    assert first == pytest.approx([-5.12812, -3.93187, 0.390899, 4.2682, 5.50983])
    assert runs["MLP"].at(MIDDLE, "shop 1").draws[0].tolist() == pytest.approx([0.604013, 3.26032, 9.09614])  # sorted
    assert runs["Point"].at(MIDDLE, "shop 1").median[:2].tolist() == pytest.approx([-1.42185, 9.18393])


def test_X4_darts_historical_forecasts(history):
    shop = history[history.unique_id == "shop 1"]
    frames = [part.set_index("ds") for part in parts("darts_points", "forecast")]
    with pytest.raises(nbf.NbForecastError, match="If 'y' is a forecast, say so with models='y'"):
        nbf.from_long(frames, shop)
    run = nbf.from_long(frames, shop, models="y", model="NaiveSeasonal")
    assert run.model == "NaiveSeasonal"
    assert run.available == 3
    assert run.at(-21).median[:2].tolist() == pytest.approx([18.77, 23.2])
    assert str(run.at(-21).time).startswith("2024-02-18")

    quantiles = nbf.from_long([part.set_index("ds") for part in parts("darts_quantiles", "forecast")], shop)
    assert quantiles.quantile_levels == (0.1, 0.5, 0.9)
    assert quantiles.at(-21).draws[0].tolist() == pytest.approx([15.03, 19.242, 23.28])

    samples = nbf.from_long([part.set_index("ds") for part in parts("darts_samples", "forecast")], shop)
    assert samples.quantile_levels == pytest.approx((0.1, 0.3, 0.5, 0.7, 0.9))
    assert samples.at(-21).draws[0].tolist() == pytest.approx([15.03, 15.7653, 17.6158, 18.3683, 23.28])


def test_X4_chronos_predict_df_follows_its_history(history):
    columns = {"unique_id": "item_id", "ds": "timestamp", "y": "target"}
    context = history.rename(columns=columns)
    known = context[context.timestamp < "2024-03-04"]
    run = nbf.from_long(TABLES / "chronos.csv", known, model="bolt")
    assert run.model == "bolt"
    assert run.available == 2
    assert run.at(0, "shop 1").draws[0].tolist() == pytest.approx([19.1994, 20.9612, 28.4508])
    assert run.scores()["n"].item() == 0, "nothing is known after the history"
    # the same forecast as a list of one table, beside a history that goes on
    scored = nbf.from_long([TABLES / "chronos.csv"], context, model="bolt")
    assert scored.at(LAST, "shop 1").draws[0].tolist() == pytest.approx([19.1994, 20.9612, 28.4508])
    assert scored.scores()["n"].item() == 14
    with pytest.raises(nbf.NbForecastError, match="give it as a list of one table"):
        nbf.from_long(TABLES / "chronos.csv", context)


def test_X4_gluonts(history):
    run = nbf.from_long(TABLES / "gluonts.csv", history, model="NPTS")
    assert run.quantile_levels == (0.1, 0.5, 0.9)
    assert run.at(MIDDLE, "shop 1").draws[0].tolist() == pytest.approx([18.77, 19.19, 22])


def test_X4_fev_has_the_scores_of_its_own_summary(history):
    run = nbf.from_long(parts("fev", "window"), history, model="naive")
    scores = run.scores()
    assert scores["mae"].item() == pytest.approx(1.1096427685873853, rel=1e-6)
    assert scores["mase"].item() == pytest.approx(1.0869491720363604, rel=1e-6)


def test_X4_autogluon_predictions_with_its_index(history):
    """`backtest_predictions` returns a list of frames with the index levels item_id and timestamp."""
    rows = read("mlforecast", parse_dates=["ds", "cutoff"])
    columns = {
        "unique_id": "item_id",
        "ds": "timestamp",
        "linear": "mean",
        "linear-lo-80": "0.1",
        "linear-hi-80": "0.9",
    }
    windows = [
        part.rename(columns=columns).assign(**{"0.5": part.linear}).set_index(["item_id", "timestamp"])
        for _, part in rows.groupby("cutoff")
    ]
    windows = [window[["mean", "0.1", "0.5", "0.9"]] for window in windows]
    data = history.rename(columns={"unique_id": "item_id", "ds": "timestamp", "y": "target"})
    run = nbf.from_long(windows, data.set_index(["item_id", "timestamp"]), model="AutoGluon")
    expected = nbf.from_long(rows, history)
    assert run.model == "AutoGluon"
    assert run.handle == expected.handle
    for series in ("shop 1", "shop 2"):
        for index in (LAST, MIDDLE):
            np.testing.assert_array_equal(run.at(index, series).draws, expected.at(index, series).draws)


def test_X4_timegpt_cross_validation(history):
    rows = read("mlforecast", parse_dates=["ds", "cutoff"])
    names = {"linear": "TimeGPT", "linear-lo-80": "TimeGPT-lo-80", "linear-hi-80": "TimeGPT-hi-80"}
    ticks = {"linear-lo-80": "TimeGPT-q-10", "linear": "TimeGPT-q-50", "linear-hi-80": "TimeGPT-q-90"}
    expected = nbf.from_long(rows, history)
    for table in (rows.rename(columns=names), rows.rename(columns=ticks)):
        run = nbf.from_long(table, history)
        assert run.model == "TimeGPT"
        assert run.quantile_levels == (0.1, 0.5, 0.9)
        np.testing.assert_array_equal(run.at(MIDDLE, "shop 2").draws, expected.at(MIDDLE, "shop 2").draws)


def test_X4_prophet_states_no_coverage(history):
    """`prophet.diagnostics.cross_validation` returns ds, yhat, yhat_lower, yhat_upper, y, cutoff."""
    rows = read("mlforecast")
    rows = rows[rows.unique_id == "shop 1"].drop(columns="unique_id")
    names = {"linear": "yhat", "linear-lo-80": "yhat_lower", "linear-hi-80": "yhat_upper"}
    table, shop = rows.rename(columns=names), history[history.unique_id == "shop 1"]
    with pytest.raises(nbf.NbForecastError, match="call them 'yhat-lo-80' and 'yhat-hi-80'"):
        nbf.from_long(table, shop)
    assert nbf.from_long(table, shop, models="yhat").quantile_levels == (0.5,)


@pytest.mark.parametrize(
    ("columns", "models"),
    [
        (["a", "b"], {"a": (0.5,), "b": (0.5,)}),
        (["m", "m-lo-90", "m-hi-90"], {"m": (0.05, 0.5, 0.95)}),
        (["m-lo-99.5", "m-hi-99.5"], {"m": (0.0025, 0.9975)}),
        (["m_q0.05", "m_q0.50", "m_q0.95"], {"m": (0.05, 0.5, 0.95)}),
        (["m_ql0.1", "m-median", "m_ql0.9"], {"m": (0.1, 0.5, 0.9)}),
        (["m-q-2.5", "m-q-97.5"], {"m": (0.025, 0.975)}),
        (["m_q10", "m_q90"], {"m": (0.1, 0.9)}),
        (["mean", "0.1", "0.9"], {"forecast": (0.1, 0.5, 0.9)}),
        (["p10", "P50", "p90"], {"forecast": (0.1, 0.5, 0.9)}),
        (["m_s0", "m_s1", "m_s2"], {"m": None}),
        (["m-sample-1", "m-sample-2"], {"m": None}),
        (["naive_s7", "naive_s24"], {"naive_s7": (0.5,), "naive_s24": (0.5,)}),
        (["arima_q1", "step"], {"arima_q1": (0.5,)}),
    ],
)
def test_X4_names_of_columns(columns, models):
    import polars as pl

    from nbforecast.data.forecast_columns import Roles, find_models

    schema = {"ds": pl.Date(), **dict.fromkeys(columns, pl.Float64()), "step": pl.Int64()}
    found = find_models(schema, Roles("ds"), None)
    levels = {
        n: None if c.samples else tuple(sorted({*c.levels, *([0.5] if c.point else [])})) for n, c in found.items()
    }
    assert levels == models


def test_X4_two_columns_of_one_meaning_are_an_error(history):
    rows = read("gluonts").assign(predictions=1.0)
    with pytest.raises(nbf.NbForecastError, match="'mean' and 'predictions' hold the same points of 'forecast'"):
        nbf.from_long(rows, history)
    with pytest.raises(nbf.NbForecastError, match=r"'0\.1' and 'p10' hold the same quantile of 'forecast'"):
        nbf.from_long(read("gluonts").assign(p10=1.0), history)


def test_X4_forecasts_of_a_series_that_the_history_leaves_out(history):
    """`shop 2` has one value only."""
    known = history[history.ds < "2024-03-04"]
    one_value = history[(history.unique_id == "shop 2") & (history.ds == "2024-03-10")]
    run = nbf.from_long(
        TABLES / "chronos.csv", pd.concat([known[known.unique_id == "shop 1"], one_value]), model="bolt"
    )
    assert run.data.ids == ("shop 1",)
    assert run.available == 1
    assert [warning.flag for warning in run.warnings] == ["too_short", "unused_columns", "crossed_quantiles"]
