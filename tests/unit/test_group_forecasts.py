"""J3, J4: forecasts of groups of series add up, are joint over series, see no future, and are scored by each method."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.errors import IndexOutOfRange, OptionError, OriginUnavailable
from nbforecast.groups.panel_paths import PanelPaths
from nbforecast.postprocessing.rank_templates import MIN_TEMPLATES

if TYPE_CHECKING:
    from nbforecast.groups.forecasts import Method
    from nbforecast.run import Run

HORIZON = 4
DAYS = pl.date_range(pl.date(2023, 1, 1), pl.date(2023, 7, 19), eager=True)  # 200


def shops(shared: float = 1.0, rows: int = 200) -> pl.DataFrame:
    """Four series that rise and fall together as far as `shared` says."""
    rng = np.random.default_rng(1)
    common = np.cumsum(rng.normal(0, shared, 200))
    parts = [
        pl.DataFrame(
            {
                "unique_id": f"s{number}",
                "ds": DAYS,
                "y": 100 + common + np.cumsum(rng.normal(0, 0.3, 200)),
                "region": ["north", "south"][number % 2],
                "item": ["tea", "milk"][number // 2],
            }
        ).head(rows)
        for number in range(4)
    ]
    return pl.concat(parts)


@pytest.fixture(scope="module")
def run() -> Run:
    return nbf.forecast(shops(), "naive", HORIZON, static=["region", "item"], wait=True)


@pytest.mark.slow
def test_J3_paths_of_groups_are_the_sums_of_those_of_their_series(run: Run) -> None:
    groups = run.aggregate(["region", "item"], -10)
    series = run.aggregate(
        {"unique_id": list(run.data.ids), "group": list(run.data.ids), "weight": [1] * 4}, -10
    )  # each series a group of its own, with the same templates
    paths = {name: groups[name].paths() for name in groups}
    single = {name: series[name].paths() for name in series}
    np.testing.assert_allclose(paths["total"], sum(single.values()), rtol=1e-5)
    np.testing.assert_allclose(paths["total"], paths["north"] + paths["south"], rtol=1e-5)
    np.testing.assert_allclose(paths["north"], paths["north/tea"] + paths["north/milk"], rtol=1e-5)
    for name, own in single.items():
        expected = np.sort(run.at(-10, name).paths(), 0)
        np.testing.assert_allclose(np.sort(own, 0), expected, rtol=1e-5)


@pytest.mark.slow
def test_J3_series_that_move_together_have_wider_totals_than_those_that_do_not() -> None:
    def width(shared: float) -> float:
        run = nbf.forecast(shops(shared), "naive", HORIZON, wait=True)
        widths = [np.diff(run.at(0, name).total().interval(80)) for name in run.data.ids]
        return float(np.diff(run.aggregate()["total"].total().interval(80))[0] / np.sum(widths))

    assert width(3.0) > 0.9
    assert 0.4 < width(0.0) < 0.65  # a half, if they are independent


def test_J3_groups_are_forecasts_like_any_other(run: Run) -> None:
    groups = run.aggregate("region", -HORIZON)
    forecast = groups["north"]
    assert forecast.series == "north"
    assert forecast.index == -HORIZON
    assert forecast.time == run.at(-HORIZON).time
    expected = sum(run.at(-HORIZON, name).actual for name in ("s0", "s2"))
    np.testing.assert_allclose(forecast.actual, expected)
    assert forecast.total().actual == pytest.approx(expected.sum())
    low, high = forecast.maximum().interval(80)
    assert low < high
    assert 0 <= forecast.any_above(200) <= 1
    assert forecast.dependence.templates == 100
    table = groups.totals(2)
    assert table["group"].to_list() == ["total", "north", "south"]
    assert table["series"].to_list() == [4, 2, 2]
    assert table["naive"].to_list() == [groups[name].total(2).median for name in groups]
    long = groups.to_long(80)
    assert long.columns == ["level", "group", "cutoff", "ds", "step", "naive", "naive-lo-80", "naive-hi-80"]
    assert len(long) == 3 * HORIZON
    assert "3 groups of 4 series" in repr(groups)
    with pytest.raises(OptionError, match=r"'nort'.*Did you mean 'north'"):
        groups["nort"]


def test_J3_direct_totals_are_a_run_of_their_own_series(run: Run) -> None:
    groups = run.aggregate("region", -10, method="direct")
    frame = shops().group_by("region", "ds").agg(pl.col("y").sum()).rename({"region": "unique_id"})
    alone = nbf.forecast(frame, "naive", HORIZON, wait=True)
    np.testing.assert_allclose(groups["north"].quantile(0.5), alone.at(-10, "north").median, rtol=1e-4)
    again = nbf.forecast(shops(), "naive", HORIZON, static="region", wait=True).aggregate("region")
    assert again.direct.inferred == 0  # cached as any other


def test_J3_reconciled_paths_add_up(run: Run) -> None:
    groups = run.aggregate("region", -10, method="reconciled")
    paths = {name: groups[name].paths() for name in groups}
    np.testing.assert_allclose(paths["total"], paths["north"] + paths["south"], rtol=1e-5)
    middle = [run.aggregate("region", -10, method=m)["total"].total().median for m in ("bottom_up", "direct")]
    assert min(middle) - 30 < groups["total"].total().median < max(middle) + 30


@pytest.mark.parametrize("method", ["bottom_up", "direct", "reconciled"])
def test_J3_L1_values_after_the_origin_change_nothing(method: Method) -> None:
    frame = shops(rows=120)
    late = pl.col("ds") > pl.date(2023, 4, 20)  # 110 rows before
    changed = frame.with_columns(y=pl.when(late).then(pl.col("y") * 3).otherwise(pl.col("y")))
    short = frame.filter(~late)
    totals = [
        nbf.forecast(data, "naive", HORIZON, static="region", wait=True)
        .aggregate("region", "2023-04-20", method=method)["total"]
        .paths()
        for data in (frame, changed, short)
    ]
    np.testing.assert_allclose(totals[0], totals[1], rtol=1e-6)
    np.testing.assert_allclose(totals[0], totals[2], rtol=1e-6)


def test_J3_the_index_counts_from_the_last_time_of_all_series() -> None:
    frame = shops().filter((pl.col("unique_id") != "s3") | (pl.col("ds") < pl.date(2023, 7, 10)))
    run = nbf.forecast(frame, "naive", HORIZON, wait=True)
    groups = run.aggregate()
    assert str(groups.time) == "2023-07-09"
    assert "'s3'" in str(groups.warnings[0])
    assert groups["total"].index == 0
    with pytest.raises(IndexOutOfRange, match="-189 to 0"):
        run.aggregate(index=-190)


def test_J3_an_origin_that_a_series_cannot_be_forecast_from_is_an_error_that_names_it() -> None:
    frame = shops().filter(
        (pl.col("unique_id") != "s1") | ~pl.col("ds").is_between(pl.date(2023, 6, 1), pl.date(2023, 7, 1))
    )
    run = nbf.forecast(frame, "naive", HORIZON, wait=True)
    with pytest.raises(OriginUnavailable, match=r"1 series of 4 cannot be forecast .*2023-06-20.*'s1'"):
        run.aggregate(index="2023-06-20")


def test_J3_few_past_origins_share_a_documented_dependence() -> None:
    frame = shops(rows=25)
    run = nbf.forecast(frame, "naive", HORIZON, wait=True)
    forecast = run.aggregate()["total"]
    assert forecast.dependence.templates == 0
    assert "fewer than" in str(forecast.dependence)
    widths = sum(float(np.diff(run.at(0, name).total().interval(80))[0]) for name in run.data.ids)
    assert 0.5 * widths < np.diff(forecast.total().interval(80)) < 1.05 * widths
    with pytest.raises(OriginUnavailable, match="reconciled by their past errors"):
        run.aggregate(index=-5, method="reconciled")["total"]
    latest = nbf.forecast(frame, "naive", HORIZON, origins="latest", force=True, wait=True)
    assert latest.aggregate()["total"].total().median == pytest.approx(forecast.total().median, rel=0.05)


def test_J3_J4_each_method_is_scored_at_the_same_origins(run: Run) -> None:
    groups = run.aggregate(["region", "item"])
    scores = groups.scores(every=20)
    assert scores["level"].to_list() == [level for level in ("total", "region", "region/item") for _ in range(3)]
    assert scores["method"].to_list() == ["bottom_up", "direct", "reconciled"] * 3
    by_group = groups.scores(every=20, by="group").filter(group="north", method="bottom_up")
    steps = PanelPaths(run.joint_forecasts(), np.arange(4)).forecast_steps()
    first = np.searchsorted(steps, steps[0] + HORIZON + MIN_TEMPLATES)
    assert 0 < by_group["n"].item() <= (200 - first) // 20
    errors = []
    for index in range(-HORIZON, -20 * by_group["n"].item() - HORIZON, -20):
        total = run.aggregate(["region", "item"], index)["north"].total()
        errors.append(abs(total.median - total.actual))
    assert by_group["mae"].item() == pytest.approx(np.mean(errors), rel=1e-5)
    assert groups.scores("maximum", 2, every=40)["crps"].min() > 0
    with pytest.raises(OptionError, match="past origin"):
        nbf.forecast(shops(rows=20), "naive", HORIZON, wait=True).aggregate().scores()


@pytest.mark.slow
def test_J4_totals_of_groups_are_calibrated_where_the_run_is() -> None:
    run = nbf.forecast(shops(), "naive", 2, calibrate=True, wait=True)
    groups = run.aggregate()
    total = groups["total"].total()
    assert total.is_calibrated
    assert not groups["total"].total(calibrate=False).is_calibrated
    scores = groups.scores(every=2).filter(method="bottom_up")
    assert 0 <= scores["calibrated_80"].item() <= 1


def test_S12_bounds_of_the_series_bound_their_sums() -> None:
    frame = shops().with_columns(pl.col("y") - 100)
    run = nbf.forecast(frame, "naive", HORIZON, minimum=0, maximum=10, wait=True)
    for method in ("bottom_up", "direct", "reconciled"):
        paths = run.aggregate(method=method)["total"].paths()
        assert paths.min() >= 0
        assert paths.max() <= 40


def test_J3_forecasts_made_elsewhere_are_added_up(run: Run) -> None:
    table = nbf.from_long(run.to_long(), shops().select("unique_id", "ds", "y"))
    groups = table.aggregate()
    assert groups["total"].total().median == pytest.approx(run.aggregate()["total"].total().median, rel=0.01)
    with pytest.raises(OriginUnavailable, match="bottom_up"):
        table.aggregate(method="direct")
    assert set(groups.scores(every=40)["method"]) == {"bottom_up"}


@pytest.mark.slow
def test_J3_H1_groups_of_a_learned_run_learn_from_their_own_errors() -> None:
    run = nbf.forecast(shops(rows=120), "naive", HORIZON, learn=True, wait=True)
    groups = run.aggregate(method="reconciled")
    assert groups.direct.model == run.model
    assert groups.direct.base.model == "naive"
    assert np.isfinite(groups["total"].paths()).all()


def test_J3_groups_and_their_forecasts_are_pickled_after_scores_of_any_function(run: Run) -> None:
    groups = run.aggregate()
    run.scores(of=lambda paths: paths[..., -1])
    groups.scores(lambda paths: paths[..., -1])
    forecasts = [run.at(-HORIZON, run.data.ids[0]), groups["total"]]
    for forecast in forecasts:
        copy = pickle.loads(pickle.dumps(forecast))
        np.testing.assert_array_equal(copy.total().values, forecast.total().values)
    copied = pickle.loads(pickle.dumps(groups))
    assert copied.totals().equals(groups.totals())


def test_J3_an_unknown_method_is_an_error(run: Run) -> None:
    with pytest.raises(OptionError, match=r"'reconcile'.*Did you mean 'reconciled'"):
        run.aggregate(method="reconcile")
    with pytest.raises(OptionError, match="by="):
        run.aggregate().scores(by="series")
    with pytest.raises(OptionError, match="every="):
        run.aggregate().scores(every=0)
