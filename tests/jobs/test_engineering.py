"""Five models on 200 series, four of another library, with an honest test of the difference (X4, R4)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import nbforecast as nbf
from nbforecast.report.comparison import find_comparison

SERIES, MONTHS, HORIZON, WINDOWS = 200, 72, 6, 3


@pytest.fixture(scope="module")
def sales() -> pd.DataFrame:
    """Monthly sales with trend, season and noise of each product."""
    random = np.random.default_rng(11)
    months = np.arange(MONTHS)
    level, trend = random.uniform(50, 200, SERIES), random.normal(0, 0.4, SERIES)
    season = random.uniform(0, 15, SERIES)[:, None] * np.sin(
        2 * np.pi * (months + random.integers(0, 12, SERIES)[:, None]) / 12
    )
    y = level[:, None] + trend[:, None] * months + season + random.normal(0, 6, (SERIES, MONTHS))
    ids = [f"product {number:03d}" for number in range(SERIES)]
    times = pd.date_range("2019-01-01", periods=MONTHS, freq="MS")
    return pd.DataFrame({"unique_id": np.repeat(ids, MONTHS), "ds": np.tile(times, SERIES), "y": y.ravel()})


@pytest.mark.slow
def test_X4_R4_five_models_on_200_series(sales):
    from statsforecast import StatsForecast
    from statsforecast.models import HistoricAverage, Naive, RandomWalkWithDrift, SeasonalNaive
    from utilsforecast.losses import mae

    models = [SeasonalNaive(12, alias="seasonal"), HistoricAverage(alias="average"), Naive(alias="last")]
    models += [RandomWalkWithDrift(alias="drift")]
    table = StatsForecast(models, freq="MS").cross_validation(
        df=sales, h=HORIZON, n_windows=WINDOWS, step_size=HORIZON, level=[50, 80, 95]
    )

    theirs = nbf.from_long(table, sales)
    cutoffs = [str(cutoff.date()) for cutoff in sorted(table["cutoff"].unique())]
    ours = nbf.forecast(sales, "naive", HORIZON, origins=cutoffs, wait=True)

    assert list(theirs) == ["seasonal", "average", "last", "drift"]
    errors = mae(table.drop(columns="cutoff"), list(theirs)).set_index("unique_id").mean()
    for name, run in theirs.items():
        assert run.available == SERIES * WINDOWS
        assert run.scores()["mae"].item() == pytest.approx(errors[name], rel=1e-5)

    findings = find_comparison(ours, list(theirs.values()))
    assert findings.rows.sum() == SERIES * WINDOWS, "every number rests on the same origins"
    assert findings.loss == "wis"
    worst = findings.rivals[-1]
    assert worst.run.model == "average", "it knows neither trend nor season"
    assert worst.p < 0.001
    assert "200 of 200 series" in nbf.report.comparison(ours, list(theirs.values())).text()

    copy = table.rename(columns={name: name.replace("seasonal", "copy") for name in table.columns})
    twin = nbf.from_long(copy, sales, models="copy")
    assert "equal" in find_comparison(theirs["seasonal"], [twin]).finding, "a model is no better than itself"
