"""Seasons (F2): found where they are, not where they are not, and taken out forwards only."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.forecasters.scaled_context import scale_context
from nbforecast.forecasters.seasonality import deseasonalize, find_seasons, seasonal_component, seasonal_positions
from tests.support.requirements import shared
from tests.support.windows import context, past_of, windows


@jax.jit
def _find(batch):
    return find_seasons(scale_context(batch), batch.seasons)


_adjusted = jax.jit(deseasonalize)


def _seasons(x: np.ndarray, calendar: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    found = _find(windows(x, calendar))
    return np.asarray(found.short), np.asarray(found.long)


@pytest.mark.slow
@pytest.mark.parametrize("season", [4, 7, 12, 24, 52, 168])
def test_a_season_is_found_without_a_calendar(season: int) -> None:
    rng = np.random.default_rng(season)
    pattern = rng.normal(size=(20, season))
    x = np.tile(pattern, (1, 512 // season + 1))[:, :512] + 0.4 * rng.normal(size=(20, 512))
    short, _ = _seasons(x)
    assert (short == season).mean() >= 0.9


def test_two_seasons_are_found() -> None:
    rng = np.random.default_rng(1)
    t = np.arange(512)
    day, week = rng.normal(size=(20, 24)), rng.normal(size=(20, 7))
    x = day[:, t % 24] * 2 + week[:, t // 24 % 7] * 1.5 + 0.2 * rng.normal(size=(20, 512))
    short, long = _seasons(x)
    assert (short == 24).mean() >= 0.9
    assert (long == 168).mean() >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize(
    "noise",
    [
        lambda r, s: r.normal(size=s),
        lambda r, s: np.cumsum(r.normal(size=s), axis=1),
        lambda r, s: np.cumsum(np.cumsum(r.normal(size=s), axis=1), axis=1),
        lambda r, s: r.standard_t(2, size=s),
    ],
    ids=["white", "random walk", "integrated twice", "heavy tails"],
)
def test_noise_has_no_season(noise) -> None:
    x = noise(np.random.default_rng(0), (400, 512))
    short, _ = _seasons(x)
    assert (short > 0).mean() < 0.05


@pytest.mark.slow
def test_a_calendar_season_needs_to_show() -> None:
    """The calendar proposes; a one-sided 5 % test decides."""
    rng = np.random.default_rng(0)
    short, _ = _seasons(rng.normal(size=(500, 512)), (12,))
    assert (short > 0).mean() < 0.12
    x = rng.normal(size=(200, 60)) + 1.5 * np.sin(2 * np.pi * np.arange(60) / 12)
    short, _ = _seasons(context(*x), (12,))
    assert (short == 12).mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize(("file", "expected"), [("m4_hourly_shared", 24)])
def test_real_hours_without_dates(file: str, expected: int) -> None:
    parts = pl.read_parquet(shared(f"{file}.parquet")).partition_by("unique_id")
    short, _ = _seasons(context(*(p["y"].to_numpy() for p in parts)))
    assert ((short == expected) | (short == 168)).mean() > 0.9
    assert (short == expected).mean() > 0.6


@pytest.mark.slow
def test_taxis_have_days_and_weeks() -> None:
    y = nbf.sample("taxi")["y"].to_numpy()
    x = np.stack([y[i - 512 : i] for i in range(600, len(y), 150)])
    for calendar in ((24, 168), ()):
        short, long = _seasons(x, calendar)
        assert (short == 24).mean() > 0.8
        assert (long == 168).mean() > 0.6


@pytest.mark.parametrize("season", [1, 5, 24])
def test_ahead_stays_before_the_origin_at_the_same_phase(season: int) -> None:
    at = jnp.array([[100, 200]])
    where = np.asarray(seasonal_positions(at, jnp.array([season, season]), 60))
    target = np.asarray(at)[:, None] + np.arange(1, 61)[:, None]
    assert (where <= np.asarray(at)[:, None]).all()
    assert ((target - where) % season == 0).all()
    assert (target - where - np.arange(1, 61)[:, None] < season).all()


@pytest.mark.slow
def test_a_clean_season_is_taken_out_wholly() -> None:
    t = np.arange(400)
    x = context(10 * np.sin(2 * np.pi * t / 12) - 50 - 0.2 * t)
    batch = windows(x, (12,))
    past, adjusted = past_of(batch), _adjusted(past_of(batch), _find(batch))
    left = np.asarray(adjusted.values)[-200:, 0] * float(past.scale[0])
    np.testing.assert_allclose(np.diff(left), -0.2, atol=0.08)
    season = np.asarray(jax.jit(seasonal_component, static_argnums=2)(adjusted, jnp.array([[511]]), 24))[
        0, :, 0
    ] * float(past.scale[0])
    np.testing.assert_allclose(season - season.mean(), 10 * np.sin(2 * np.pi * (400 + np.arange(24)) / 12), atol=0.3)


def test_l1_the_component_at_a_step_ignores_what_follows() -> None:
    """L1 inside the context: inner forecasts are honest only if seasonal states are causal."""
    rng = np.random.default_rng(0)
    x = np.sin(2 * np.pi * np.arange(512) / 24)[None] * 5 - 90 + rng.normal(size=(1, 512))
    y = x.copy()
    y[0, 400:] += rng.normal(0, 9, 112)
    found = _find(windows(x, (24,)))
    scale = np.asarray(past_of(windows(x)).scale)
    one, two = (
        _adjusted(past_of(windows(v))._replace(values=jnp.array((v - x[:, -1:]).T / scale, jnp.float32)), found)
        for v in (x, y)
    )
    np.testing.assert_array_equal(one.short[:400], two.short[:400])
    np.testing.assert_array_equal(one.values[:400], two.values[:400])
