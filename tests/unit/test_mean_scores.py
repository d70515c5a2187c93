"""X1, X2: the long format and the scores, against utilsforecast and slow definitions on real data."""

from functools import partial

import numpy as np
import polars as pl
import pytest
import utilsforecast.losses as ufl

import nbforecast as nbf
from nbforecast.data import prepare
from nbforecast.run import Run
from nbforecast.scoring.mean_scores import seasonal_scale


@pytest.fixture(scope="module")
def taxi() -> pl.DataFrame:
    return nbf.sample("taxi").tail(700)


@pytest.fixture(scope="module")
def taxi_run(taxi: pl.DataFrame) -> Run:
    return nbf.forecast(taxi, "naive", horizon=6, wait=True)


@pytest.fixture(scope="module")
def panel_run() -> Run:
    parts = [g.tail(300) for _, g in nbf.sample("glucose").group_by("unique_id", maintain_order=True)]
    return nbf.forecast(pl.concat(parts), "naive", wait=True)


def test_X1_the_long_format_is_the_fields_own(taxi_run: Run) -> None:
    table = taxi_run.to_long(levels=(80, 95))
    assert table.columns == [
        "unique_id", "ds", "cutoff", "y", "naive", "naive-lo-80", "naive-hi-80", "naive-lo-95", "naive-hi-95",
    ]  # fmt: skip
    assert table.height == taxi_run.available * 6
    assert table["ds"].dtype == table["cutoff"].dtype == pl.Datetime("us")
    step = (table["ds"] - table["cutoff"]).dt.total_hours().to_numpy().reshape(-1, 6)
    assert (step == np.arange(1, 7)).all()
    assert (table["naive-lo-95"] <= table["naive-lo-80"]).all()
    assert (table["naive-lo-80"] <= table["naive"]).all()


def test_X1_actuals_are_those_of_the_data_and_null_where_unknown(taxi: pl.DataFrame, taxi_run: Run) -> None:
    table = taxi_run.to_long()
    joined = table.join(taxi.select("ds", truth="y"), on="ds", how="left")
    assert joined["y"].equals(joined["truth"])
    assert table["y"].null_count() == sum(range(1, 7))
    assert table["y"].is_nan().sum() == 0


@pytest.mark.parametrize("name", ["mae", "rmse", "mase", "coverage_80", "crps"])
def test_X2_scores_agree_with_utilsforecast_at_every_origin(taxi: pl.DataFrame, taxi_run: Run, name: str) -> None:
    known = taxi_run.to_long().drop_nulls()
    known = known.filter(pl.len().over("cutoff") == 6)
    losses = {
        "mae": ufl.mae,
        "rmse": ufl.rmse,
        "mase": partial(ufl.mase, seasonality=24, train_df=taxi),
        "coverage_80": partial(ufl.coverage, level=80),
    }
    ours = taxi_run.scores("index").filter(n=6)
    if name == "crps":
        levels = taxi_run.at(0).quantile_levels
        quantiles = pl.DataFrame({f"q{i}": taxi_run.array[..., i].ravel() for i in range(len(levels))})
        rows = pl.DataFrame({"at": np.repeat(taxi_run.frame["ds"].to_numpy(), 6)})
        wide = pl.concat([rows, quantiles], how="horizontal")
        wide = wide.filter(pl.col("at").is_in(known["cutoff"].unique().to_list()))
        table = pl.concat([known.select("unique_id", "ds", "cutoff", "y"), wide.drop("at")], how="horizontal")
        # the mean quantile loss over the draws' levels is half the CRPS of the sample they make
        theirs = ufl.mqloss(table, {"m": list(quantiles.columns)}, np.array(levels)).with_columns(naive=2 * pl.col("m"))
    elif name == "mase":
        # utilsforecast copies the history once a cutoff: a few cutoffs are enough
        some = known["cutoff"].unique().sort().gather([400, 500, 600]).to_list()
        theirs = losses[name](known.filter(pl.col("cutoff").is_in(some)), ["naive"])
    else:
        theirs = losses[name](known, ["naive"])
    both = theirs.join(ours.rename({"ds": "cutoff"}), on=["unique_id", "cutoff"])
    assert both.height == theirs.height > 0
    np.testing.assert_allclose(both[name], both["naive"], rtol=2e-4)


@pytest.mark.slow
def test_X2_groups_agree_with_each_other(panel_run: Run) -> None:
    overall = panel_run.scores().row(0, named=True)
    for by in ("horizon", "series", "index"):
        part = panel_run.scores(by)
        assert part["n"].sum() == overall["n"]
        for name in ("mae", "crps", "pinball", "coverage_50", "coverage_80"):
            mean = (part[name] * part["n"]).sum() / part["n"].sum()
            assert mean == pytest.approx(overall[name], rel=1e-5)
    assert panel_run.scores("horizon")["horizon"].to_list() == list(range(1, 13))
    assert panel_run.scores("series").height == 4
    assert overall["wis"] == pytest.approx(2 * overall["pinball"])


def test_X2_the_scale_of_MASE_uses_each_series_own_history_up_to_the_origin() -> None:
    parts = [g.tail(400).to_dicts() for _, g in nbf.sample("glucose").group_by("unique_id", maintain_order=True)]
    data = prepare(pl.DataFrame([row for part in parts for row in part]))
    scale = seasonal_scale(data)
    for s in range(len(data.ids)):
        values = data.values[data.offsets[s] : data.offsets[s + 1]]
        for end in (288, 300, 399):
            if end < len(values):
                change = np.abs(values[288 : end + 1] - values[: end + 1 - 288])
                expected = np.nanmean(change) if np.isfinite(change).any() else np.nan
                assert scale[data.offsets[s] + end] == pytest.approx(expected, nan_ok=True)


def test_X2_the_scale_of_MASE_does_not_depend_on_the_series_before() -> None:
    small = np.cumsum(np.random.default_rng(0).normal(0, 1e-3, 300))
    frame = pl.DataFrame(
        {
            "unique_id": np.repeat(["a", "b"], 300),
            "ds": np.tile(np.arange(300), 2),
            "y": np.concatenate([np.where(np.arange(300) % 2, 1e15, 0.0), small]),
        }
    )
    both, alone = prepare(frame, freq=1), prepare(frame.filter(unique_id="b"), freq=1)
    np.testing.assert_allclose(seasonal_scale(both)[300:], seasonal_scale(alone), rtol=1e-12)


def test_X2_by_must_be_known(taxi_run: Run) -> None:
    with pytest.raises(
        nbf.NbForecastError, match=r"by= has no 'step'\. It takes None, 'horizon', 'series', 'index', 'hour'"
    ):
        taxi_run.scores("step")
