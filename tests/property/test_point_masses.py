"""H1: values that occur again and again at the edge of a series keep a probability of their own when it is learned."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

import nbforecast as nbf
from nbforecast.postprocessing.point_masses import EdgeMass, keep_masses
from tests.support.examples import examples

numbers = st.integers(-3, 4).map(float)


@given(st.lists(st.one_of(numbers, st.just(float("nan"))), min_size=1, max_size=40), st.integers(0, 39))
@examples(20)
def test_L1_the_edge_is_that_of_the_values_so_far(values, first):
    mass = EdgeMass.of(np.array(values), first)
    for place, row in enumerate(range(first, len(values))):
        present = np.array([value for value in values[: row + 1] if not np.isnan(value)])
        others = present[present > present.min()] if len(present) else present
        is_mass = len(others) > 0 and (present == present.min()).sum() >= max(5, 0.05 * len(present))
        assert mass.is_mass[place] == is_mass
        if is_mass:
            assert (mass.edge[place], mass.middle[place]) == (present.min(), (present.min() + others.min()) / 2)


@given(st.lists(numbers, min_size=4, max_size=4), st.floats(-3, 3), st.floats(0.3, 2), st.booleans())
@examples(20)
def test_H1_draws_stay_ascending_and_those_at_an_edge_stay_there_after_a_small_shift(base, shift, scale, is_upper):
    sign = -1 if is_upper else 1
    values = sign * np.array([0.0, 2.0] * 10)
    before = np.sort(sign * np.array(base, np.float32))[None, None]
    after = (before + np.float32(shift)) * np.float32(scale)
    learned = keep_masses(after, before, values, slice(19, 20))
    assert (np.diff(learned) >= 0).all()
    for old, new, moved in zip(before.ravel() * sign, learned.ravel() * sign, after.ravel() * sign, strict=True):
        if old == 0:
            assert new == (0 if moved < 1 else moved) or moved > 1
        if old >= 0 >= moved:
            assert new == 0


def test_H1_a_series_of_counts_keeps_its_zeros():
    """Sales on promotion days only, and not on all of them."""
    random = np.random.default_rng(0)
    promotion = random.random(330) < 0.2
    sold = np.where(promotion & (random.random(330) < 0.8), random.poisson(3, 330) + 1.0, 0.0)
    frame = pl.DataFrame({"y": sold[:300].tolist() + [None] * 30, "promotion": promotion, "t": range(330)})
    run = nbf.forecast(frame, "naive", 4, time="t", target="y", future_covariates="promotion", wait=True)
    base, learned = run.base.scores(), run.scores()
    assert learned["crps"].item() < base["crps"].item()
    assert learned["coverage_80"].item() > 0.7, "no zero is a little outside"
    zeros_before, zeros = ((each.column("forecast") == 0).mean() for each in (run.base, run))
    assert zeros > 0.8 * zeros_before > 0.2
