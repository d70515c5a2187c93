"""C5: fingerprints are equal where what was observed is."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

import nbforecast as nbf
from nbforecast.data import Dataset, prepare
from nbforecast.result_cache.fingerprints import MISSING, Fingerprints, align_rows, are_newest_parts
from tests.support.examples import examples
from tests.support.panel_strategies import (
    CONTEXT,
    FREQ,
    HORIZON,
    Context,
    Panel,
    Weighted,
    changed,
    empty,
    frame,
    is_tail,
    origins,
    panels,
    seen,
)


@st.composite
def two_panels(draw: st.DrawFn) -> tuple[Panel, Panel]:
    names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6).filter(
        lambda s: s == s.strip()
    )
    one = draw(panels(least=4, most=14, names=names))
    return one, draw(changed(one))


def prepared(panel: Panel, kind: str) -> Dataset:
    data = prepare(frame(panel, kind), freq=FREQ[kind])
    assert list(data.ids) == sorted(panel)
    assert len(data) == len(origins(panel))
    return data


def same_partition(slow: list[Context], fast: np.ndarray) -> None:
    """Two rows have equal fingerprints iff they have equal contents."""
    assert len(slow) == len(fast)
    assert len(set(slow)) == len(set(fast.tolist())) == len(set(zip(slow, fast.tolist(), strict=True)))


@pytest.mark.parametrize("kind", FREQ)
@examples(20)
@example(both=({"a": {0: 0.0, 1: 0.5, 2: 0.0}}, {"a": {1: 0.5, 2: 0.0}}), length=2)
@given(both=two_panels(), length=st.integers(1, 20))
def test_C5_fingerprints_are_equal_where_observations_are(kind: str, both: tuple[Panel, Panel], length: int) -> None:
    sides = [Fingerprints(prepared(p, kind)) for p in both]
    contexts, futures = [
        [
            seen(panel[name], step + a, step + b)
            for panel in both
            for name, step in origins(panel)
        ]
        for a, b in ((1 - length, 0), (1, length))
    ]  # fmt: skip
    same_partition(contexts, np.concatenate([f.contexts(length) for f in sides]))
    same_partition(futures, np.concatenate([f.futures(length) for f in sides]))


@pytest.mark.parametrize("kind", FREQ)
@examples(25)
@given(both=two_panels())
def test_C5_rows_are_aligned_by_series_and_time(kind: str, both: tuple[Panel, Panel]) -> None:
    new, old = both[::-1]
    place = {origin: row for row, origin in enumerate(origins(old))}
    expected = [place.get(origin, MISSING) for origin in origins(new)]
    found = align_rows(Fingerprints(prepared(new, kind)), Fingerprints(prepared(old, kind)))
    assert found.tolist() == expected


@pytest.mark.parametrize("kind", FREQ)
@examples(25)
@given(both=two_panels(), turned=st.booleans())
def test_C5_newest_parts_of_series_are_recognised(kind: str, both: tuple[Panel, Panel], turned: bool) -> None:
    old, new = both[::-1] if turned else both
    expected = [name in old and is_tail(new[name], old[name]) for name in sorted(new)]
    event(f"tails: {sum(expected)} of {len(expected)}")
    assert are_newest_parts(Fingerprints(prepared(new, kind)), Fingerprints(prepared(old, kind))).tolist() == expected


def test_C5_minus_zero_is_zero_and_a_missing_value_is_not() -> None:
    plain = {"a": {1: 1.0, 2: 0.0, 3: 2.0, 4: 3.0}}
    minus = {"a": {1: 1.0, 2: -0.0, 3: 2.0, 4: 3.0}}
    gap = {"a": {1: 1.0, 3: 2.0, 4: 3.0}}
    a, b, c = (Fingerprints(prepared(p, "integer")).contexts(3).tolist() for p in (plain, minus, gap))
    assert a == b
    assert [x == y for x, y in zip(a, c, strict=True)] == [True, False, False, False]


@pytest.mark.parametrize("kind", ["integer", "epoch"])
def test_C5_a_zero_at_time_zero_is_an_observation(kind: str) -> None:
    """Time zero is where arrays begin, and midnight of the first of January 1970."""
    empty()
    times = (
        pl.Series(range(40))
        if kind == "integer"
        else pl.Series(np.arange(40).astype("datetime64[h]").astype("datetime64[us]"))
    )
    table = pl.DataFrame({"ds": times, "y": [0.0, *np.random.default_rng(0).normal(size=39).round(2)]})
    model = Weighted()
    nbf.forecast(table, model, HORIZON, wait=True)
    model.count = 0
    later = nbf.forecast(table[1:-1], model, HORIZON, wait=True)
    assert (
        later.inferred == model.count == CONTEXT - 2
    )  # all that saw the first point, but for one that sees too little
    cold = nbf.forecast(table[1:-1], model, HORIZON, force=True, wait=True)
    np.testing.assert_array_equal(later.array, cold.array)
