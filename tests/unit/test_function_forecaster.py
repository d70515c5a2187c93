"""F1, E5, C4: anybody's own function as a model: shapes, levels, errors, and what tells its versions apart."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import pytest

import nbforecast as nbf
from nbforecast.data import prepare
from nbforecast.forecasters import registry
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.forecasters.code_digest import code_digest
from nbforecast.forecasters.unavailable import UnavailableReason

if TYPE_CHECKING:
    from collections.abc import Iterator

SCALE = 2.0


def last(contexts: np.ndarray, horizon: int) -> np.ndarray:
    return np.repeat(contexts[:, -1:], horizon, 1)


@pytest.fixture(autouse=True)
def models_as_before() -> Iterator[None]:
    models, forecasters = dict(registry._models), dict(registry._forecasters)
    yield
    registry._models.clear()
    registry._models.update(models)
    registry._forecasters.clear()
    registry._forecasters.update(forecasters)


def walk(seed: int = 0, length: int = 90) -> np.ndarray:
    return 20 + np.random.default_rng(seed).standard_normal(length).cumsum()


def test_F1_a_function_is_a_model() -> None:
    values = walk()
    run = nbf.forecast(values, last, 5, wait=True)
    assert (run.model, run.array.shape) == ("last", (90, 5, 1))
    assert run.progress == 1
    ok = np.flatnonzero(np.isfinite(run.array[:, 0, 0]))
    np.testing.assert_allclose(run.array[ok, 3, 0], values[ok], rtol=1e-6)
    errors = np.abs(values[10 + 1 : 10 + 6] - values[10])
    np.testing.assert_allclose(run.frame["abs_error"].to_numpy()[10], errors, rtol=1e-4)
    assert nbf.forecast(values, last, 5, wait=True).inferred == 0
    assert nbf.quickdraw(values, -3, model=last, horizon=5).forecast.median[0] == pytest.approx(values[-4])


@pytest.mark.parametrize("levels", [(0.1, 0.5, 0.9), None])
def test_F1_draws_are_quantiles_or_samples(levels: tuple[float, ...] | None) -> None:
    def spread(contexts: np.ndarray, horizon: int) -> np.ndarray:
        assert contexts.dtype == np.float64
        assert contexts.shape[1] == 24
        return last(contexts, horizon)[..., None] + np.array([3.0, -3.0, 0.0])

    nbf.register("spread", spread, context=24, levels=levels, draws=3, summary="a test")
    run = nbf.forecast(walk(1), "spread", 4, wait=True)
    assert run.array.shape == (90, 4, 3)
    draws = run.at(-20).draws
    np.testing.assert_allclose(np.diff(draws, axis=1), 3, rtol=1e-4)
    assert run.at(-20).quantile_levels == (levels or (1 / 6, 0.5, 5 / 6))
    row = nbf.models().filter(name="spread").row(0, named=True)
    assert (row["kind"], row["context"], row["draws"]) == ("registered", 24, "3 quantiles" if levels else "3 samples")


def test_F1_contexts_are_padded_and_gaps_are_bridged_or_missing() -> None:
    seen: dict[int, np.ndarray] = {}

    def watch(contexts: np.ndarray, horizon: int) -> np.ndarray:
        for context in contexts:
            seen[int(np.isfinite(context).sum())] = context
        return last(contexts, horizon)

    values = np.arange(60.0)
    values[[30, 31]] = np.nan
    data = prepare(values)
    model = FunctionForecaster(watch, context=40, least=3)
    ok = np.flatnonzero(model.availability(data) == 0)
    assert ok[0] == 2
    assert model.forecast(data, np.array([2, 45]), 3).shape == (2, 3, 1)
    assert np.isnan(seen[3][:-3]).all()
    np.testing.assert_allclose(seen[40], np.arange(6.0, 46.0), rtol=1e-6)


def test_S3_whole_contexts_have_no_gap_after_their_first_value() -> None:
    seen: list[np.ndarray] = []

    def watch(contexts: np.ndarray, horizon: int) -> np.ndarray:
        seen.extend(contexts)
        return last(contexts, horizon)

    values = walk(5, 400)
    rng = np.random.default_rng(5)
    for start, length in zip(rng.integers(2, 380, 25), rng.integers(1, 16, 25), strict=True):
        values[start : min(start + length, 399)] = np.nan
    data = prepare(values)
    every = np.flatnonzero(np.isfinite(data.values))
    for least in (5, 30):
        model = FunctionForecaster(watch, context=30, least=least, whole=True)
        seen.clear()
        model.forecast(data, every, 1)
        missing = np.isnan(seen)
        whole = ~(np.diff(missing.astype(int), axis=1) > 0).any(1) & ~missing[:, -least:].any(1)
        codes = model.availability(data)
        np.testing.assert_array_equal(codes[every] == UnavailableReason.AVAILABLE, whole)
        assert 20 < whole.sum() < len(every) - 20
        assert not (np.isnan(data.values) & (codes == UnavailableReason.AVAILABLE)).any()
        assert set(codes[: least - 1]) == {UnavailableReason.TOO_SHORT}
        assert set(codes[least - 1 :]) == {UnavailableReason.AVAILABLE, UnavailableReason.INCOMPLETE}


def test_F1_a_function_may_take_the_seed_and_a_batch_of_its_own() -> None:
    sizes: list[int] = []

    def draw(contexts: np.ndarray, horizon: int, seed: int) -> np.ndarray:
        sizes.append(len(contexts))
        return last(contexts, horizon) + seed

    model = FunctionForecaster(draw, seeded=True, batch=32, key=str(np.random.default_rng().random()))
    run = nbf.forecast(walk(6), model, 2, seed=100, wait=True)
    np.testing.assert_allclose(run.array[50, :, 0], walk(6)[50] + 100, rtol=1e-5)
    assert max(sizes) == 32
    with pytest.raises(nbf.NbForecastError, match="batch= takes a positive number"):
        FunctionForecaster(draw, batch=0)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda c, h: c[:, -1], r"returned an array of shape \(\d+,\); expected \(origins, horizon, draws\)"),
        (lambda c, h: np.zeros((len(c), h, 4)), "levels= or draws= say how many"),
        (lambda c, h: np.full((len(c), h), np.nan), "not finite"),
        (lambda c, h: [["a"] * h] * len(c), "ValueError"),
        (lambda c, h: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda c: c, "TypeError"),
    ],
)
def test_E5_what_a_function_does_wrong_is_told(function: Any, said: str) -> None:
    with pytest.raises(nbf.NbForecastError, match=said):
        nbf.forecast(walk(), function, 3, wait=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"levels": [0.9, 0.1]}, "ascending probabilities"),
        ({"levels": [0.0, 0.5]}, "probabilities between 0 and 1, not 0.0"),
        ({"levels": [0.1, 0.9], "draws": 3}, "does not fit 2 levels"),
        ({"context": 0}, "context= takes a positive number"),
        ({"draws": True}, "draws= takes a positive number"),
    ],
)
def test_E5_options_that_make_no_sense_are_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(nbf.NbForecastError, match=said):
        nbf.register("it", last, **options)


@pytest.mark.parametrize("thing", [3, object(), FunctionForecaster, None])
def test_E5_what_is_no_model_is_told(thing: object) -> None:
    with pytest.raises(nbf.NbForecastError, match="neither a name, nor a function, nor a forecaster"):
        nbf.register("it", thing)  # type: ignore[arg-type]
    with pytest.raises(nbf.NbForecastError, match="context: only for functions"):
        nbf.register("it", registry.resolve("naive"), context=3)


def make(factor: float) -> Any:
    def scaled(contexts: np.ndarray, horizon: int) -> np.ndarray:
        return last(contexts, horizon) * factor

    return scaled


def test_C4_a_function_is_told_apart_by_its_code_and_what_it_refers_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert code_digest(make(2.0)) == code_digest(make(2.0)) != code_digest(make(3.0))
    assert code_digest(lambda c, h: c) != code_digest(lambda c, h: c + 1)
    assert code_digest(functools.partial(last, horizon=3)) != code_digest(functools.partial(last, horizon=4))

    def by_global(contexts: np.ndarray, horizon: int) -> np.ndarray:
        return contexts * SCALE

    before = code_digest(by_global)
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    assert code_digest(by_global) != before
    weights = np.ones(3)

    def by_array(contexts: np.ndarray, horizon: int) -> np.ndarray:
        return contexts @ weights

    one = code_digest(by_array)
    assert code_digest(by_array) == one
    weights[0] = 2
    assert code_digest(by_array) != one


def test_C4_what_a_comprehension_inside_refers_to_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def nested(contexts: np.ndarray, horizon: int) -> np.ndarray:
        return np.stack([[SCALE * v for v in c] for c in contexts])

    before = code_digest(nested)
    assert code_digest(nested) == before
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    assert code_digest(nested) != before


class Fitted:
    """As anybody writes one."""

    def __init__(self, weight: float) -> None:
        self.weight = np.full(3, weight)

    def predict(self, contexts: np.ndarray, horizon: int) -> np.ndarray:
        return np.repeat(self.scaled(contexts[:, -1:]), horizon, 1)

    def scaled(self, values: np.ndarray) -> np.ndarray:
        return values * self.weight[0]


def test_C4_a_fitted_model_is_told_apart_by_its_state_and_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Fitted(2.0)

    def use(contexts: np.ndarray, horizon: int) -> np.ndarray:
        return model.predict(contexts, horizon)

    before = {f: code_digest(f) for f in (use, model.predict)}
    assert {f: code_digest(f) for f in before} == before
    assert nbf.forecast(walk(3), use, 4, wait=True).inferred == 83
    assert nbf.forecast(walk(3), use, 4, wait=True).inferred == 0
    model.weight[0] = 3.0
    fitted = {f: code_digest(f) for f in before}
    monkeypatch.setattr(Fitted, "scaled", lambda self, values: values - self.weight[0])
    edited = {f: code_digest(f) for f in before}
    for f in before:
        assert len({before[f], fitted[f], edited[f]}) == 3


def test_C4_what_cannot_be_pickled_is_a_model_of_its_own_unless_a_key_is_given() -> None:
    lock = threading.Lock()

    def use(contexts: np.ndarray, horizon: int) -> np.ndarray:
        with lock:
            return last(contexts, horizon)

    assert FunctionForecaster(use).key != FunctionForecaster(use).key
    assert FunctionForecaster(use, key="v1").key == FunctionForecaster(use, key="v1").key


def test_C4_a_jitted_function_is_told_apart_by_what_it_wraps() -> None:
    assert code_digest(jax.jit(lambda c: c + 1)) == code_digest(jax.jit(lambda c: c + 1))
    assert code_digest(jax.jit(lambda c: c + 1)) != code_digest(jax.jit(lambda c: c + 2))
