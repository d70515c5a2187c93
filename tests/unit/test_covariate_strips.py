"""H2, W4: covariates as charts show them: strips of numbers and of categories, as far as they are known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.charts import draw_fan
from nbforecast.charts.covariate_strips import runs, strips_height
from nbforecast.data import prepare
from nbforecast.data.covariate_strips import MOST_STRIPS, covariate_strips
from nbforecast.jupyter.widgets.explorer.encoding import encode_history, encode_meta
from nbforecast.origin_forecast import Forecast
from tests.unit.test_covariates import sales

if TYPE_CHECKING:
    from nbforecast.data import Dataset

HORIZON = 7


@pytest.fixture(scope="module")
def data() -> Dataset:
    return prepare(
        sales(60, 5), target="y", future_covariates=["promotion", "event"], past_covariates="noise", holidays="DE"
    )


def test_H2_each_column_is_one_strip(data: Dataset) -> None:
    promotion, event, holidays, noise = covariate_strips(data, 0, HORIZON)
    assert [s.name for s in (promotion, event, holidays, noise)] == [
        "promotion",
        "event",
        "holidays of DE",
        "noise",
    ]
    assert (promotion.labels, event.labels, noise.labels) == (("yes",), ("fair",), ())
    assert holidays.labels == ("holiday", "eve of a holiday", "bridge day")
    assert [s.is_ahead for s in (promotion, event, holidays, noise)] == [True, True, True, False]
    expected = np.where(sales(60, 5)["promotion"].to_numpy(), 0, -1)
    np.testing.assert_array_equal(promotion.values[:65], expected)
    assert np.isnan(promotion.values[65:]).all(), "not given"
    assert np.isfinite(holidays.values).all()
    np.testing.assert_array_equal(noise.values[:60], sales(60, 5)["noise"].to_numpy()[:60])
    assert np.isnan(noise.values[60:]).all()
    assert (noise.low, noise.high) == (noise.values[:60].min(), noise.values[:60].max())


def test_H2_the_explorer_receives_them(data: Dataset) -> None:
    run = nbf.forecast(
        sales(60, 5),
        "naive",
        HORIZON,
        target="y",
        origins="latest",
        future_covariates="promotion",
        past_covariates="noise",
    )
    run.cancel()
    meta, history = encode_meta([run]), encode_history(run.data, 0, HORIZON)
    assert [(c.name, c.labels, c.ahead) for c in meta.covariates] == [
        ("promotion", ["yes"], True),
        ("noise", [], False),
    ]
    assert history.covariates.shape == (2, 67)
    plain = prepare(sales(60, 5), target="y")
    assert encode_history(plain, 0, HORIZON).covariates.shape == (0, 67)


def test_H2_too_many_columns_have_no_strip() -> None:
    frame = sales(30, 0).with_columns(pl.lit(1.5 + k).alias(f"c{k}") for k in range(12))
    many = prepare(frame, target="y", past_covariates=[f"c{k}" for k in range(12)])
    assert [s.name for s in covariate_strips(many, 0, 3)] == [f"c{k}" for k in range(MOST_STRIPS)]


def test_H2_a_chart_has_a_span_for_each_run_of_a_category_and_a_line_for_numbers(data: Dataset) -> None:
    forecast = Forecast(
        data, 40, np.tile(np.arange(10, dtype=np.float32), (HORIZON, 1)), tuple(np.arange(0.05, 1, 0.1)), "flat", None
    )
    fan = forecast.fan()
    promotion, _, _, noise = fan.strips
    first = 41 - len(fan.time)
    flags = sales(60, 5)["promotion"].to_numpy()[first : 41 + HORIZON]
    spans = list(runs(promotion))
    assert sum(end - start for start, end, _ in spans) == flags.sum()
    assert all(flags[start:end].all() for start, end, _ in spans)
    assert np.isnan(noise.values[-HORIZON:]).all(), "unknown as of the origin"
    svg = draw_fan(fan, theme="light")
    plot = [float(x) for x in re.findall(r'class="s0" x="(\d+)" y="\d+" width', svg)]
    assert len(plot) >= len(spans)
    assert int(re.findall(r'height="(\d+)"', svg)[0]) == 340 + strips_height(fan)
    assert "noise, known up to the origin" in svg
    low, high = re.findall(r">([−\d.]+) to ([−\d.]+)<", svg)[0]
    for text, number in ((low, noise.low), (high, noise.high)):
        assert abs(float(text.replace("−", "-")) - number) < 0.01
    plain = prepare(sales(60, 5), target="y")
    assert not Forecast(plain, 40, forecast.draws, forecast.quantile_levels, "flat", None).fan().strips
