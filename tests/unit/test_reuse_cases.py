"""C5, C6, C7: what is reused of earlier results, case by case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast import session
from nbforecast.data import Dataset, prepare
from nbforecast.result_cache import parquet
from nbforecast.result_cache.cache import Cache
from nbforecast.result_cache.directory import CacheDirectory
from nbforecast.result_cache.key import ForecastSpec, ModelSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.run import Run
from tests.support.panel_strategies import (
    CONTEXT,
    HORIZON,
    SCORES,
    Panel,
    Weighted,
    empty,
    frame,
    result,
)

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    empty()


@pytest.fixture(scope="module")
def glucose() -> pl.DataFrame:
    """600 grid steps of one series; the last two points are neighbours on the grid."""
    table = nbf.sample("glucose").filter(unique_id="hall_2133-036")
    data = prepare(table)
    assert np.isfinite(data.values[-2:]).all()
    return table.filter(pl.col("ds") > data.times(data.time[[-601]]).item())


def walk(first: int, end: int, seed: int = 0) -> Panel:
    """A random walk's points from grid step `first` to before `end`; the same walk whatever the ends."""
    values = np.random.default_rng(seed).normal(size=400).cumsum()
    return {"walk": {s: float(values[s]) for s in range(first, end)}}


def forecast(panel: Panel, model: Weighted, **options: Any) -> Run:
    return nbf.forecast(frame(panel), model, **{"horizon": HORIZON, "freq": "5min", "wait": True, **options})


def saved() -> list[Path]:
    """The files that hold results; a view has a file that only says of what."""
    assert nbf.cache.directory is not None
    paths = sorted(nbf.cache.directory.glob("*.parquet"))
    return [path for path in paths if parquet.read_metadata(path).view is None]


@pytest.mark.parametrize("restart", [False, True], ids=["one kernel", "after a restart"])
@pytest.mark.parametrize("model", ["naive", "auto"])
def test_C5_C6_E8_an_appended_row_infers_one_origin(glucose: pl.DataFrame, model: str, restart: bool) -> None:
    before = nbf.forecast(glucose[:-1], model, wait=True)
    kept = before.array.copy()
    if restart:
        empty(disk=False)
    after = nbf.forecast(glucose, model, wait=True)
    assert (after.inferred, after.reused) == (1, before.available)
    assert after.available == before.available + 1
    np.testing.assert_array_equal(after.array[:-1], kept)
    cold = nbf.forecast(glucose, model, force=True, wait=True)
    assert (cold.inferred, cold.reused) == (cold.available, 0)
    np.testing.assert_allclose(after.array, cold.array, rtol=1e-5, atol=1e-3)
    for name in SCORES:
        found, expected = (r.frame[name].to_numpy() for r in (after, cold))
        if name != "covered":
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3, err_msg=name)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected), err_msg=name)
    gained = np.isfinite(after.frame["crps"].to_numpy()[:-1]) & np.isnan(before.frame["crps"].to_numpy())
    newest = np.arange(-12, 0)
    assert [np.flatnonzero(row).tolist() for row in gained[newest]] == [[11 - i] for i in range(12)]
    assert not gained[:-12].any()


@pytest.mark.parametrize("count", [2, 5, 6, 9, 60, 115])
def test_C5_a_subset_with_the_same_end_is_a_slice(count: int) -> None:
    """Also one that is too short to be forecast by itself: the longer history knows more of the same past."""
    model = Weighted(least=6)
    whole = forecast(walk(0, 120), model)
    files, model.count = saved(), 0
    part = forecast(walk(120 - count, 120), model)
    assert part.reused == part.available == count
    assert part.inferred == model.count == 0
    assert np.shares_memory(part.array, whole.array)
    np.testing.assert_array_equal(part.array, whole.array[-count:])
    assert part.frame.height == count
    np.testing.assert_array_equal(part.frame["crps"].to_numpy(), whole.frame["crps"].to_numpy()[-count:])
    empty(disk=False)
    assert saved() == files
    assert len(files) == 1
    again = forecast(walk(120 - count, 120), model)
    assert (again.reused, again.inferred, model.count) == (count, 0, 0)
    assert np.shares_memory(again.array, forecast(walk(0, 120), model).array)
    listed = {row["handle"]: row["view_of"] for row in nbf.cache.entries().iter_rows(named=True)}
    assert listed == {whole.handle: None, part.handle: whole.handle}


def test_C5_one_series_of_a_panel_is_a_slice_of_it() -> None:
    model = Weighted()
    panel = {"a": walk(0, 60)["walk"], "b": walk(0, 90, 1)["walk"], "c": walk(10, 70, 2)["walk"]}
    whole = forecast(panel, model)
    model.count = 0
    one, two = forecast({"b": panel["b"]}, model), forecast({n: panel[n] for n in "ac"}, model)
    assert model.count == one.inferred == two.inferred == 0
    assert np.shares_memory(one.array, whole.series("b").array)
    np.testing.assert_array_equal(two.series("c").array, whole.series("c").array)
    np.testing.assert_array_equal(two.frame["crps"].to_numpy()[60:], whole.frame["crps"].to_numpy()[150:])
    assert len(saved()) == 1


@pytest.mark.parametrize("restart", [False, True], ids=["one kernel", "after a restart"])
def test_C5_C7_a_superset_infers_older_origins_and_cut_contexts(restart: bool) -> None:
    model = Weighted()
    part = forecast(walk(50, 150), model)
    kept = part.array.copy()
    if restart:
        empty(disk=False)
    model.count = 0
    whole = forecast(walk(0, 150), model)
    cut = CONTEXT - 1
    assert model.count == whole.inferred == whole.available - (100 - cut)
    np.testing.assert_array_equal(whole.array[50 + cut :], kept[cut:])
    assert (whole.array[50 : 50 + cut] != part.array[:cut]).any((1, 2)).all()
    cold = result(forecast(walk(0, 150), model, force=True), walk(0, 150))
    assert result(whole, walk(0, 150)).forecast == cold.forecast
    if not restart:
        assert len(saved()) == 1, "the part is a view of the whole now"


@pytest.mark.parametrize("restart", [False, True], ids=["one kernel", "after a restart"])
def test_C5_a_forecast_from_a_longer_context_is_not_reused_for_a_cut_one(restart: bool) -> None:
    """A part beside another series takes the longer history's forecasts over; a row later it is no part any more."""
    model = Weighted()
    forecast({"walk": walk(0, 100)["walk"], "other": walk(0, 50, 1)["walk"]}, model)
    model.count = 0
    beside = forecast({"walk": walk(40, 100)["walk"], "other": walk(0, 50, 2)["walk"]}, model)
    assert model.count == beside.available - 60
    if restart:
        empty(disk=False)
    model.count = 0
    later = forecast(walk(40, 101), model)
    cut = CONTEXT - 1
    assert (
        model.count == later.inferred == cut - 1 + 1
    )  # the contexts cut short, one of them too short, and the new one
    np.testing.assert_array_equal(later.array, forecast(walk(40, 101), model, force=True).array)


@pytest.mark.parametrize("at", [40, 60, 70])
def test_C5_an_edited_point_infers_the_contexts_it_touches_and_rescores_what_it_followed(at: int) -> None:
    model = Weighted()
    before = forecast(walk(0, 100), model)
    panel = walk(0, 100)
    panel["walk"][at] += 5
    model.count = 0
    after = forecast(panel, model)
    assert model.count == after.inferred == CONTEXT
    changed_rows = np.flatnonzero((after.array != before.array).any((1, 2)) & np.isfinite(before.array).all((1, 2)))
    assert changed_rows.tolist() == list(range(at, at + CONTEXT))
    old, new = before.frame["crps"].to_numpy(), after.frame["crps"].to_numpy()
    rescored = np.flatnonzero(((old != new) & ~(np.isnan(old) & np.isnan(new))).any(1))
    assert rescored.tolist() == list(range(at - HORIZON, at + CONTEXT))


def test_C5_C7c_a_different_past_for_the_same_times_never_matches() -> None:
    model = Weighted()
    one, other = walk(0, 100), walk(0, 100)
    for step in other["walk"]:
        other["walk"][step] += 1e-9
    first = forecast(one, model)
    kept = first.array.copy()
    model.count = 0
    second = forecast(other, model)
    assert (model.count, second.reused) == (second.available, 0)
    for panel, steps in ((walk(0, 100, 1), 0), ({"walk": {s + 1: v for s, v in one["walk"].items()}}, 1)):
        third = forecast(panel, model)
        assert third.reused == 0, steps
    assert forecast({"wolk": one["walk"]}, model).reused == 0
    np.testing.assert_array_equal(first.array, kept)
    assert len(nbf.cache.entries()) == 5


CHANGED_RECIPES: dict[str, Callable[[], tuple[Weighted, dict[str, Any]]]] = {
    "seed": lambda: (Weighted(), {"seed": 1}),
    "horizon": lambda: (Weighted(), {"horizon": HORIZON + 1}),
    "key": lambda: (Weighted("other"), {}),
}


@pytest.mark.parametrize("restart", [False, True], ids=["one kernel", "after a restart"])
@pytest.mark.parametrize("what", CHANGED_RECIPES)
def test_C5_another_seed_horizon_or_model_never_matches(what: str, restart: bool) -> None:
    forecast(walk(0, 100), Weighted())
    if restart:
        empty(disk=False)
    model, options = CHANGED_RECIPES[what]()
    same, part = forecast(walk(0, 100), model, **options), forecast(walk(0, 99), model, **options)
    assert (same.reused, same.inferred) == (0, same.available)
    assert part.inferred == 0, "the second one of the new spec is served by the first"


def test_C6_force_reads_nothing_of_other_entries_either() -> None:
    model = Weighted()
    forecast(walk(0, 100), model)
    for panel in (walk(0, 100), walk(40, 100), walk(0, 90), walk(0, 101)):
        model.count = 0
        run = forecast(panel, model, force=True)
        assert (run.inferred, run.reused, model.count) == (run.available, 0, run.available)


def test_C5_C13_a_part_saved_by_another_kernel_gives_its_own_rows(tmp_path: Path) -> None:
    """This kernel holds the part as a view of a longer history that lacks some of its rows; the file has them."""
    whole, part, more = (prepare(frame(walk(*ends)), freq="5min") for ends in ((0, 20), (10, 20), (10, 22)))
    spec = ForecastSpec(ModelSpec("m", "m", 0, whole.max_gap), 2, (0.25, 0.75), 3)

    def find(cache: Cache, data: Dataset) -> EntrySlice:
        return cache.find(data, spec, lambda: np.zeros(len(data), np.uint8))

    def fill(view: EntrySlice, rows: np.ndarray) -> None:
        """Forecasts that tell their origin's grid step."""
        at = view.entry_rows(rows)
        step = view.entry.data.frequency.to_step(view.entry.data.time[at]) - whole.frequency.to_step(whole.time[:1])
        view.entry.write_forecasts(at, np.broadcast_to(step[:, None, None], (len(at), 2, 2)).astype(np.float32))

    here, there = (Cache(CacheDirectory(tmp_path), 1 << 30, 1 << 30) for _ in range(2))
    fill(find(here, whole), np.r_[0:5, 15:20])
    assert find(here, part).entry.data is whole
    elsewhere = find(there, part)
    fill(elsewhere, np.arange(10))
    there.save(elsewhere.entry)
    found = find(here, more).take("forecast", np.arange(12))[:, 0, 0]
    known = np.isfinite(found)
    np.testing.assert_array_equal(found[known], np.arange(10, 22)[known])
    assert known.tolist() == [True] * 10 + [False] * 2


@pytest.mark.parametrize("restart", [False, True], ids=["one kernel", "after a restart"])
@pytest.mark.parametrize("options", [{"exact": True}, {"max_duration": 30}], ids=["exact=True", "max_duration="])
@pytest.mark.parametrize("before", ["the longer history", "a part served from it"])
def test_C5_who_limits_the_history_gets_forecasts_of_this_history_alone(
    before: str, options: dict[str, Any], restart: bool
) -> None:
    cold = forecast(walk(70, 100), Weighted()).array.copy()
    empty()
    model = Weighted()
    whole = forecast(walk(0, 100), model)
    if before == "a part served from it":
        part = forecast(walk(70, 100), model)
        (warning,) = part.warnings
        assert (warning.flag, warning.count) == ("longer_history", int((part.array != cold).any((1, 2)).sum()))
        assert "exact=True" in str(warning)
        notes = part.at(-29).fan().notes
        assert "from a longer history" in notes
        assert "from a longer history" not in part.at(0).fan().notes
    if restart:
        empty(disk=False)
    model.count = 0
    history = walk(0, 100) if "max_duration" in options else walk(70, 100)
    exact = forecast(history, model, **options)
    np.testing.assert_array_equal(exact.array, cold)
    cut = int(((whole.array[-30:] != cold) & np.isfinite(cold)).any((1, 2)).sum())
    assert exact.inferred == model.count == cut > 0, "the first contexts are cut short"
    assert not exact.warnings
    forecast(walk(0, 101), model)
    forecast(walk(0, 100), model)
    session.results().complete(whole.entry_slice, publish=True)
    if restart:
        empty(disk=False)
    model.count = 0
    np.testing.assert_array_equal(forecast(history, model, **options).array, cold)
    assert model.count == 0, "they stay"


def test_C5_C9_exact_forecasts_stay_exact_in_their_file() -> None:
    model = Weighted()
    forecast(walk(0, 100), model)
    exact = forecast(walk(70, 100), model, exact=True).array.copy()
    empty(disk=False)
    forecast(walk(0, 100), model)
    again = forecast(walk(70, 100), model)
    np.testing.assert_array_equal(again.array, exact)
    assert not again.warnings
