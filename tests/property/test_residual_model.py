"""H1, L1: what past errors teach is as of each origin, stays when data are appended, and helps or does no harm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbforecast.postprocessing.residual_model import BaseForecasts, learn

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
SPREAD = np.array([-1.28, -0.52, 0.0, 0.52, 1.28], np.float32)
HORIZON = 2


def actual_of(values: np.ndarray) -> np.ndarray:
    padded = np.concatenate([values, np.full(HORIZON, np.nan)])
    return np.stack([padded[h : h + len(values)] for h in range(1, HORIZON + 1)], axis=1)


def make(values: np.ndarray, medians: np.ndarray, first_step: int = 0, others: int = 0) -> BaseForecasts:
    draws = (medians[..., None] + SPREAD).astype(np.float32)
    return BaseForecasts(
        draws=draws,
        levels=LEVELS,
        values=values,
        actual=actual_of(values),
        steps=np.arange(first_step, first_step + len(values)),
        offsets=np.array([0, len(values)]),
        seasons=(4, 12),
        others=np.zeros((others, len(values), HORIZON)),
        ahead=np.zeros((0, len(values), HORIZON)),
        now=np.zeros((0, len(values))),
        known=np.zeros((0, len(values))),
    )


def naive_base(seed: int, size: int, bias: float = 0.0, first_step: int = 0) -> BaseForecasts:
    """Forecasts of white noise around a daily pattern by its mean, plus a bias that depends on the phase."""
    random = np.random.default_rng(seed)
    phase = (np.arange(size) + first_step) % 4
    values = 10.0 + random.normal(size=size) + bias * (phase == 0)
    return make(values, np.full((size, HORIZON), 10.0), first_step)


def pinball(draws: np.ndarray, base: BaseForecasts) -> float:
    error = base.actual[..., None] - draws
    levels = np.array(LEVELS)
    return float(np.nanmean(np.maximum(levels * error, (levels - 1) * error)[100:]))


@given(st.integers(0, 2**31), st.integers(1, 298), st.integers(0, 200), st.booleans())
@settings(max_examples=20, deadline=None)
def test_L1_nothing_after_an_origin_changes_what_is_learned_there(seed, origin, first_step, is_missing):
    base = naive_base(seed, 300, bias=2.0, first_step=first_step)
    values = base.values.copy()
    values[origin + 1 :] = np.nan if is_missing else 1e6 * np.random.default_rng(seed).normal(size=299 - origin)
    draws = base.draws.copy()
    draws[origin + 1 :] *= 3
    changed = replace(base, values=values, actual=actual_of(values), draws=draws)
    np.testing.assert_array_equal(learn(base)[: origin + 1], learn(changed)[: origin + 1])


@given(st.integers(0, 2**31), st.integers(1, 299), st.integers(0, 200))
@settings(max_examples=15, deadline=None)
def test_H1_appending_rows_leaves_earlier_forecasts_to_the_bit(seed, size, first_step):
    whole = naive_base(seed, 300, bias=1.0, first_step=first_step)
    part = replace(
        whole,
        draws=whole.draws[:size],
        values=whole.values[:size],
        actual=actual_of(whole.values[:size]),
        steps=whole.steps[:size],
        offsets=np.array([0, size]),
        others=whole.others[:, :size],
        ahead=whole.ahead[:, :size],
        now=whole.now[:, :size],
        known=whole.known[:, :size],
    )
    np.testing.assert_array_equal(learn(part), learn(whole)[:size])


def test_H1_a_bias_is_learned_and_a_forecast_without_fault_is_kept():
    biased = naive_base(0, 1500, bias=3.0)
    assert pinball(learn(biased), biased) < 0.75 * pinball(biased.draws, biased)
    faultless = naive_base(1, 1500)
    assert pinball(learn(faultless), faultless) < 1.01 * pinball(faultless.draws, faultless)


def test_H1_bands_that_are_too_wide_or_narrow_are_rescaled():
    base = naive_base(2, 3000)
    for factor in (0.6, 1.6):
        draws = (10 + factor * (base.draws - 10)).astype(np.float32)
        learned = learn(replace(base, draws=draws))[1000:]
        inside = (learned[..., 0] <= base.actual[1000:]) & (base.actual[1000:] <= learned[..., -1])
        known = np.isfinite(base.actual[1000:])
        before = (draws[1000:, :, 0] <= base.actual[1000:]) & (base.actual[1000:] <= draws[1000:, :, -1])
        assert abs(inside[known].mean() - 0.8) < 0.6 * abs(before[known].mean() - 0.8)


def test_H1_the_panel_teaches_a_series_what_it_is_too_short_to_learn():
    parts = [naive_base(10 + k, 90, bias=3.0) for k in range(30)]
    panel = replace(
        parts[0],
        draws=np.concatenate([p.draws for p in parts]),
        values=np.concatenate([p.values for p in parts]),
        actual=np.concatenate([p.actual for p in parts]),
        steps=np.concatenate([p.steps for p in parts]),
        offsets=np.arange(0, 30 * 90 + 1, 90),
        others=np.zeros((0, 30 * 90, HORIZON)),
        ahead=np.zeros((0, 30 * 90, HORIZON)),
        now=np.zeros((0, 30 * 90)),
        known=np.zeros((0, 30 * 90)),
    )
    together = learn(panel).reshape(30, 90, HORIZON, -1)[:, 66:]
    alone = np.stack([learn(part) for part in parts])[:, 66:]
    actual = panel.actual.reshape(30, 90, HORIZON)[:, 66:]
    errors = [np.nanmean(np.abs(actual - draws[..., 2])) for draws in (together, alone)]
    assert errors[0] < 0.9 * errors[1]


def test_H1_another_model_that_knows_better_is_followed():
    random = np.random.default_rng(3)
    values = np.cumsum(random.normal(size=1500))
    medians = np.stack([values + random.normal(size=1500) for _ in range(HORIZON)], 1)
    base = make(values, medians)
    better = actual_of(values)
    other = replace(base, others=np.nan_to_num(better + 0.1 * random.normal(size=better.shape))[None])
    assert pinball(learn(other), base) < 0.7 * pinball(learn(base), base)


@pytest.mark.parametrize("kind", ["constant", "zeros", "gaps", "short", "points"])
def test_H1_odd_series_give_finite_forecasts_wherever_the_base_has_one(kind):
    size = 3 if kind == "short" else 200
    values = np.random.default_rng(4).normal(size=size) + 5
    if kind == "constant":
        values[:] = 0.1
    elif kind == "zeros":
        values[:] = 0.0
    elif kind == "gaps":
        values[50:120] = np.nan
    base = make(values, np.full((size, HORIZON), 5.0))
    if kind == "points":
        base = replace(base, draws=base.draws[..., 2:3], levels=(0.5,))
    draws = base.draws.copy()
    draws[:5] = np.nan
    learned = learn(replace(base, draws=draws))
    np.testing.assert_array_equal(np.isfinite(learned), np.isfinite(draws))
    assert (np.diff(learned[5:], axis=-1) >= 0).all()
