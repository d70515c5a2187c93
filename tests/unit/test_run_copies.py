"""Copies and pickles of runs and forecasts: data without a kernel."""

import copy
import pickle
import pickletools
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from tests.support.blocking_model import GatedModel


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    nbf.cache.flush()


@pytest.fixture(scope="module")
def glucose() -> pl.DataFrame:
    return nbf.sample("glucose").filter(unique_id="hall_2133-036").tail(400)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))])
def test_a_copied_or_unpickled_result_is_its_data_without_a_kernel(
    glucose: pl.DataFrame, duplicate: Callable[[Any], Any]
) -> None:
    run = nbf.forecast(glucose, "naive", wait=True, calibrate=True)
    chart = nbf.quickdraw(glucose.tail(216), -3, model="naive")  # a view of a longer history
    chart.run.wait()
    entries = nbf.cache.entries().height
    for one in (run, chart.run):
        two = duplicate(one)
        assert two.frame.equals(one.frame, null_equal=True)
        assert two.to_long().equals(one.to_long())
        assert two.scores().equals(one.scores())
        assert np.array_equal(two.array, one.array, equal_nan=True)
        assert (repr(two), two.model, two.spec, two.handle) == (repr(one), one.model, one.spec, one.handle)
        assert two.wait().done
        assert two.task is None
        assert np.array_equal(two.at(-7).draws, one.at(-7).draws)
    assert repr(duplicate(chart)) == repr(chart)
    assert duplicate(chart)._repr_mimebundle_() == chart._repr_mimebundle_()
    assert repr(duplicate(run.at(-2))) == repr(run.at(-2))
    assert nbf.cache.entries().height == entries


def test_a_copy_of_a_run_that_is_not_done_says_so_and_keeps_its_error(glucose: pl.DataFrame) -> None:
    gate = GatedModel()
    run = nbf.forecast(glucose, gate)
    unfinished = copy.deepcopy(run)
    assert unfinished.done
    assert unfinished.progress < 1
    assert unfinished.wait() is unfinished
    with pytest.raises(nbf.NbForecastError, match="this run is a copy"):
        unfinished.at(-50)
    gate.open.set()
    run.wait()

    def fail(contexts: np.ndarray, horizon: int) -> np.ndarray:
        raise ValueError("no luck")

    failed = nbf.forecast(glucose, fail)
    failed.wait_for_end()
    again = pickle.loads(pickle.dumps(failed))
    with pytest.raises(nbf.NbForecastError, match="no luck"):
        again.wait()


def test_C14_a_pickled_run_names_only_plain_classes(glucose: pl.DataFrame) -> None:
    code = pickle.dumps(nbf.forecast(glucose, "naive", wait=True))
    names = [value for operation, value, _ in pickletools.genops(code) if isinstance(value, str)]
    assert not {"Engine", "Task", "Naive", "eval", "exec"} & set(names)
