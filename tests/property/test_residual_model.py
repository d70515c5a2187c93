"""H1, L1: what past errors teach is as of each origin, stays when data are appended, and helps or does no harm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nbforecast.postprocessing.residual_model import BaseForecasts, Learner, learn
from tests.support.examples import examples

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
SPREAD = np.array([-1.28, -0.52, 0.0, 0.52, 1.28], np.float32)
HORIZON = 2


def actual_of(values: np.ndarray) -> np.ndarray:
    padded = np.concatenate([values, np.full(HORIZON, np.nan)])
    return np.stack([padded[h : h + len(values)] for h in range(1, HORIZON + 1)], axis=1)


def make(values: np.ndarray, medians: np.ndarray, first_step: int = 0) -> BaseForecasts:
    draws = (medians[..., None] + SPREAD).astype(np.float32)
    return BaseForecasts(
        draws=draws,
        levels=LEVELS,
        values=values,
        first_steps=np.array([first_step]),
        offsets=np.array([0, len(values)]),
        seasons=(4, 12),
        others=(),
        covariates=np.zeros((0, len(values) + HORIZON)),
        is_future=np.zeros(0, bool),
    )


def naive_base(seed: int, size: int, bias: float = 0.0, first_step: int = 0) -> BaseForecasts:
    """Forecasts of white noise around a daily pattern by its mean, plus a bias that depends on the phase."""
    random = np.random.default_rng(seed)
    phase = (np.arange(size) + first_step) % 4
    values = 10.0 + random.normal(size=size) + bias * (phase == 0)
    return make(values, np.full((size, HORIZON), 10.0), first_step)


def pinball(draws: np.ndarray, base: BaseForecasts) -> float:
    error = actual_of(base.values)[..., None] - draws
    levels = np.array(LEVELS)
    return float(np.nanmean(np.maximum(levels * error, (levels - 1) * error)[100:]))


@given(st.integers(0, 2**31), st.integers(1, 298), st.integers(0, 200), st.booleans())
@examples(15)
def test_L1_nothing_after_an_origin_changes_what_is_learned_there(seed, origin, first_step, is_missing):
    base = naive_base(seed, 300, bias=2.0, first_step=first_step)
    values = base.values.copy()
    values[origin + 1 :] = np.nan if is_missing else 1e6 * np.random.default_rng(seed).normal(size=299 - origin)
    draws = base.draws.copy()
    draws[origin + 1 :] *= 3
    changed = replace(base, values=values, draws=draws)
    np.testing.assert_array_equal(learn(base)[: origin + 1], learn(changed)[: origin + 1])


def part_of(whole: BaseForecasts, sizes: list[int]) -> BaseForecasts:
    """The first rows of each series."""
    rows = np.concatenate([start + np.arange(size) for start, size in zip(whole.offsets, sizes, strict=False)])
    steps = [
        start + s * HORIZON + np.arange(size + HORIZON)
        for s, (start, size) in enumerate(zip(whole.offsets, sizes, strict=False))
    ]
    return replace(
        whole,
        draws=whole.draws[rows],
        values=whole.values[rows],
        offsets=np.append(0, np.cumsum(sizes)),
        covariates=whole.covariates[:, np.concatenate(steps)],
        prints=None if whole.prints is None else whole.prints[rows],
    )


def panel_of(parts: list[BaseForecasts]) -> BaseForecasts:
    return replace(
        parts[0],
        draws=np.concatenate([p.draws for p in parts]),
        values=np.concatenate([p.values for p in parts]),
        first_steps=np.concatenate([p.first_steps for p in parts]),
        offsets=np.append(0, np.cumsum([len(p.values) for p in parts])),
        covariates=np.concatenate([p.covariates for p in parts], axis=1),
    )


@given(st.integers(0, 2**31), st.integers(1, 299), st.integers(0, 200))
@examples(10)
def test_H1_appending_rows_leaves_earlier_forecasts_to_the_bit(seed, size, first_step):
    whole = naive_base(seed, 300, bias=1.0, first_step=first_step)
    np.testing.assert_array_equal(learn(part_of(whole, [size])), learn(whole)[:size])


@given(st.integers(0, 2**31), st.lists(st.integers(1, 299), max_size=4), st.integers(0, 200), st.booleans())
@examples(10)
def test_H1_E8_rows_that_come_later_are_learned_as_if_all_came_at_once(seed, sizes, first_step, has_covariates):
    whole = naive_base(seed, 300, bias=1.0, first_step=first_step)
    if has_covariates:
        covariates = np.random.default_rng(seed).normal(size=(2, 300 + HORIZON))
        whole = replace(whole, covariates=covariates, is_future=np.array([True, False]))
    learner, row, pieces = Learner(), 0, []
    for size in [*sorted(sizes), 300]:
        pieces.append(learner.learn(part_of(whole, [size]), np.array([row])))
        row = size
    np.testing.assert_allclose(np.concatenate(pieces), learn(whole), rtol=1e-5, atol=1e-5)


def test_H1_E8_a_panel_goes_on_where_series_grow_and_begins_anew_after_an_edit():
    whole = panel_of([naive_base(s, 300, bias=3.0, first_step=7 * s) for s in range(3)])
    prints = np.arange(900, dtype=np.uint64)
    whole = replace(whole, prints=prints)
    learned = learn(whole)
    learner, sizes = Learner(), [150, 140, 130]
    learner.learn(part_of(whole, sizes), np.append(0, np.cumsum(sizes))[:-1])
    for size in ([150, 160, 130], [190, 180, 180], [300, 300, 290]):
        part = part_of(whole, size)
        first = part.offsets[:-1] + sizes
        assert [learner.learned(s) for s in range(3)] == sizes
        expected = [
            learned[300 * s + old : 300 * s + new] for s, (old, new) in enumerate(zip(sizes, size, strict=True))
        ]
        np.testing.assert_allclose(learner.learn(part, first), np.concatenate(expected), rtol=1e-5, atol=1e-5)
        sizes = size
    edited = replace(whole, prints=prints + np.uint64(1), values=whole.values + 0.5)
    np.testing.assert_array_equal(learner.learn(edited, whole.offsets[:-1]), learn(edited))


@given(st.integers(1, 150), st.integers(0, 300))
@examples(10)
@example(60, 50)
def test_H1_a_panel_learns_whenever_a_short_series_begins(size, first_step):
    """Its first block may begin and end before it does."""
    short = naive_base(1, size, bias=3.0, first_step=first_step)
    whole = panel_of([naive_base(0, 300, bias=3.0), short])
    learned = learn(whole)
    assert np.isfinite(learned).all()


def test_H1_a_series_that_lags_far_behind_a_panel_is_learned_as_if_all_came_at_once():
    whole = panel_of([naive_base(s, 500, bias=3.0) for s in range(2)])
    learner = Learner()
    learner.learn(part_of(whole, [500, 10]), np.array([0, 500]))
    late = learner.learn(whole, np.array([500, 510]))
    np.testing.assert_allclose(late, learn(whole)[510:], rtol=1e-5, atol=1e-5)


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
        actual = actual_of(base.values)[1000:]
        inside = (learned[..., 0] <= actual) & (actual <= learned[..., -1])
        known = np.isfinite(actual)
        before = (draws[1000:, :, 0] <= actual) & (actual <= draws[1000:, :, -1])
        assert abs(inside[known].mean() - 0.8) < 0.6 * abs(before[known].mean() - 0.8)


def test_H1_the_panel_teaches_a_series_what_it_is_too_short_to_learn():
    parts = [naive_base(10 + k, 90, bias=3.0) for k in range(30)]
    panel = panel_of(parts)
    together = learn(panel).reshape(30, 90, HORIZON, -1)[:, 66:]
    alone = np.stack([learn(part) for part in parts])[:, 66:]
    actual = np.stack([actual_of(part.values) for part in parts])[:, 66:]
    errors = [np.nanmean(np.abs(actual - draws[..., 2])) for draws in (together, alone)]
    assert errors[0] < 0.9 * errors[1]


def test_H1_another_model_that_knows_better_is_followed():
    random = np.random.default_rng(3)
    values = np.cumsum(random.normal(size=1500))
    medians = np.stack([values + random.normal(size=1500) for _ in range(HORIZON)], 1)
    base = make(values, medians)
    better = actual_of(values)
    medians = np.nan_to_num(better + 0.1 * random.normal(size=better.shape)).astype(np.float32)
    other = replace(base, others=((medians[..., None], (0.5,)),))
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
