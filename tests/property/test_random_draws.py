"""E8: random draws are keyed by seed, series, origin time and sample: batching, order and overlap do not matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from nbforecast.data import prepare
from nbforecast.engine.batch_size import BatchSizer
from nbforecast.engine.inference import run_inference
from nbforecast.forecasters.window_forecaster import WindowForecaster
from tests.support.examples import examples

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.forecasters.windows import Windows

DRAWS, HORIZON, LENGTH = 5, 3, 120


@dataclass(frozen=True)
class Walk(WindowForecaster):
    """A random walk: every sample of every origin has noise of its own, and the last value plays a part."""

    algorithm = "walk"
    algorithm_version = 1
    name: str = "walk"
    context: int = 8
    levels: tuple[float, ...] | None = None
    draws: int = DRAWS
    batch_sizes = (4, 16)

    def predict(self, windows: Windows, horizon: int) -> jax.Array:
        def origin(key: jax.Array, last: jax.Array) -> jax.Array:
            keys = jax.vmap(lambda sample: jax.random.fold_in(jax.random.wrap_key_data(key), sample))(np.arange(DRAWS))
            noise = jax.vmap(lambda k: jax.random.normal(k, (horizon,)))(keys)
            return noise.cumsum(1).T + 0 * last

        return jax.vmap(origin)(windows.key, windows.location)


def panel(first: int = 0, last: int = LENGTH, ids: str = "abc") -> Dataset:
    rows = [(i, at, np.sin(at / 7) + ord(i)) for i in ids for at in range(first, last)]
    return prepare(pl.DataFrame(rows, schema=["unique_id", "ds", "y"], orient="row"), freq=1)


WHOLE = panel()
MODEL = Walk()


def noise(data: Dataset, rows: np.ndarray, seed: int = 0, pace: BatchSizer | None = None) -> np.ndarray:
    return run_inference(MODEL, data, rows, HORIZON, seed, pace)


ALL = noise(WHOLE, np.arange(len(WHOLE)))


@examples(20)
@given(
    rows=st.lists(st.integers(0, len(WHOLE) - 1), min_size=1, max_size=60, unique=True),
    size=st.integers(1, 40),
)
def test_E8_the_same_draws_in_any_order_and_batch(rows: list[int], size: int) -> None:
    np.testing.assert_array_equal(noise(WHOLE, np.array(rows), pace=BatchSizer.fixed(size)), ALL[rows])


@examples(15)
@given(first=st.integers(0, 60), last=st.integers(80, LENGTH), ids=st.sampled_from(["abc", "ca", "b"]))
def test_E8_the_same_draws_from_overlapping_data(first: int, last: int, ids: str) -> None:
    part = panel(first, last, ids)
    found = noise(part, np.arange(len(part)))
    for at, name in enumerate(part.ids):
        start = WHOLE.offsets[WHOLE.position(name)]
        mine = slice(part.offsets[at], part.offsets[at + 1])
        np.testing.assert_allclose(found[mine], ALL[start + first : start + last], rtol=1e-5, atol=1e-5)


def test_E8_every_seed_series_origin_and_sample_has_draws_of_its_own() -> None:
    rows = np.arange(len(WHOLE))
    relative = np.round(ALL - WHOLE.values[:, None, None].astype(np.float32), 3)
    firsts = relative[:, 0].ravel()
    assert len(np.unique(firsts)) > 0.6 * len(firsts), "rounded normals that are all different"
    assert (np.diff(ALL, axis=-1) > 0).all()
    other = noise(WHOLE, rows, seed=1)
    for seed in (0, -1, 1 << 32 | 1, 2):
        assert np.mean(np.isclose(other, noise(WHOLE, rows, seed=seed), atol=1e-3)) < 0.01
    np.testing.assert_array_equal(noise(WHOLE, rows, seed=1), other)
    standard = ALL[:, 0] - WHOLE.values[:, None]
    assert abs(standard.mean()) < 0.15
    assert abs(standard.std() - 1) < 0.15
