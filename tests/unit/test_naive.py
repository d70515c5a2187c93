"""Seasonal naive (F2): the same numbers as statsforecast's."""

from __future__ import annotations

import numpy as np
import pytest
from statsforecast.models import SeasonalNaive

from tests.support.windows import context, forecast


@pytest.mark.slow
@pytest.mark.parametrize("season", [4, 12, 24])
@pytest.mark.parametrize("horizon", [6, 30])
def test_centre_is_the_value_one_season_before(season: int, horizon: int) -> None:
    """On a repeating pattern with small noise the season is found, and errors centre on statsforecast's points."""
    rng = np.random.default_rng(season)
    y = np.tile(rng.normal(size=season) * 10, 120)[:480] + 0.01 * rng.normal(size=480)
    draws = forecast("naive", context(y), horizon, (season,))[0]
    expected = SeasonalNaive(season).forecast(y, h=horizon)["mean"]
    np.testing.assert_allclose(draws[:, 4:6].mean(-1), expected, atol=0.02)


def test_without_a_season_it_is_the_last_value() -> None:
    y = np.cumsum(np.random.default_rng(0).normal(size=300))
    draws = forecast("naive", context(y))[0]
    assert (draws[:, 0] < y[-1]).all()
    assert (draws[:, -1] > y[-1]).all()
