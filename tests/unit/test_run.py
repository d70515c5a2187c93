"""C6, E1, E2, E3, E4, E5, E6, E9, Q1, Q2, S7, M6: runs, single origins, the background, errors of bad requests."""

import subprocess
import sys
import threading
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast import session
from nbforecast.data import prepare
from nbforecast.engine.inference import run_inference
from nbforecast.engine.tasks import nearest_first, newest_first
from nbforecast.forecasters.registry import resolve
from tests.support.blocking_model import GatedModel
from tests.support.cache_files import LastValueModel


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    nbf.cache.flush()


@pytest.fixture(scope="module")
def glucose() -> pl.DataFrame:
    return nbf.sample("glucose").filter(unique_id="hall_2133-036").tail(400)


def test_E1_run_inference_gives_one_float32_array(glucose: pl.DataFrame) -> None:
    data = prepare(glucose)
    rows = np.arange(300, 310)
    array = run_inference(resolve("naive"), data, rows, 12)
    assert array.shape == (10, 12, 10)
    assert array.dtype == np.float32
    assert (np.diff(array, axis=-1) >= 0).all()


def test_E1_C1_the_runs_array_is_that_of_all_origins(glucose: pl.DataFrame) -> None:
    run = nbf.forecast(glucose, "naive", wait=True)
    n = run.data.lengths[0]
    assert run.array.shape == (n, 12, 10)
    np.testing.assert_array_equal(run.frame["forecast"].to_numpy(), run.array)
    rows = np.array([n - 1, n - 25, n - 200])
    np.testing.assert_allclose(run.array[rows], run_inference(resolve("naive"), run.data, rows, 12), rtol=1e-5)
    np.testing.assert_array_equal(run.at(-24).draws, run.array[n - 25])


def test_E2_a_forecast_returns_at_once_and_is_filled_in_the_background(glucose: pl.DataFrame) -> None:
    gate = GatedModel()
    run = nbf.forecast(glucose, gate)
    assert gate.entered.wait(10)
    assert not run.done
    assert run.progress == 0
    assert set(run.frame["status"].unique()) <= {"pending", "unavailable"}
    with pytest.raises(TimeoutError, match="0% done"):
        run.wait(0.01)
    gate.open.set()
    assert run.wait() is run
    assert run.progress == 1
    assert run.inferred == run.available
    assert len([t for t in threading.enumerate() if t.name.startswith("nbforecast-inference")]) == 1


@pytest.mark.parametrize(("batch", "batches_of_a_chunk"), [(None, 1), (32, 4)])
def test_E3_one_lock_a_batch(
    batch: int | None, batches_of_a_chunk: int, glucose: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBFORECAST_CHUNK", "100")
    monkeypatch.setenv("NBFORECAST_BATCH", str(batch or ""))
    before = session.engine().statistics
    run = nbf.forecast(glucose, "naive", force=True, wait=True)
    now = session.engine().statistics
    chunks, batches, locks = (getattr(now, n) - getattr(before, n) for n in ("chunks", "batches", "locks"))
    full, rest = divmod(run.available, 100)
    of_densities = 256 // 32
    assert chunks == full + 1
    assert batches == full * batches_of_a_chunk + -(-rest // (batch or 1024)) + of_densities
    assert locks == chunks + batches == run.entry_slice.entry.lock_count


def test_E4_Q1_one_origin_is_served_while_a_batch_is_in_work(glucose: pl.DataFrame) -> None:
    gate = GatedModel()
    run = nbf.forecast(glucose, gate)
    assert gate.entered.wait(10)
    chart = nbf.quickdraw(glucose, -24, model=gate)
    assert chart.forecast.index == -24
    assert chart.forecast.draws[0, 0] == run.data.values[-25]
    assert not run.done
    gate.open.set()
    run.wait()


def test_E4_equal_requests_are_joined(glucose: pl.DataFrame) -> None:
    gate = GatedModel()
    first = nbf.forecast(glucose, gate)
    second = nbf.forecast(glucose, gate)
    gate.open.set()
    first.wait()
    second.wait()
    assert sum(len(c) for c in gate.calls) == first.available
    third = nbf.forecast(glucose, gate)
    assert third.done
    assert (third.inferred, third.reused) == (0, first.available)


def test_C6_force_does_not_read_the_cache(glucose: pl.DataFrame) -> None:
    gate = GatedModel()
    gate.open.set()
    nbf.forecast(glucose, gate, wait=True)
    before = sum(len(c) for c in gate.calls)
    again = nbf.forecast(glucose, gate, force=True, wait=True)
    assert sum(len(c) for c in gate.calls) == 2 * before
    assert again.reused == 0


def test_E4_a_cancelled_run_keeps_its_finished_results(glucose: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBFORECAST_CHUNK", "50")
    gate = GatedModel()
    run = nbf.forecast(glucose, gate)
    assert gate.entered.wait(10)
    run.cancel()
    gate.open.set()
    run.wait(10)
    assert run.cancelled
    assert run.inferred == 50
    assert run.frame["status"].value_counts().filter(status="scored")["count"].item() == 50
    assert "cancelled" in repr(run)


def test_E5_wait_raises_the_error_of_a_failing_model_with_its_cause(glucose: pl.DataFrame) -> None:
    gate = GatedModel()
    gate.open.set()
    gate.fail = True
    run = nbf.forecast(glucose, gate)
    with pytest.raises(nbf.NbForecastError, match="'gate' failed: ZeroDivisionError: no luck") as caught:
        run.wait(10)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert run.error is caught.value
    assert nbf.forecast(glucose, "naive", wait=True).progress == 1


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (lambda n, h: np.zeros((n, h)), "shape"),
        (lambda n, h: np.full((n, h, 10), np.nan), "not finite"),
        (lambda n, h: np.zeros((n, h + 1, 10)), "shape"),
    ],
)
def test_E5_a_model_that_returns_no_forecast_is_an_error(
    glucose: pl.DataFrame, output: Callable[[int, int], np.ndarray], message: str
) -> None:
    gate = GatedModel()
    gate.forecast = lambda data, rows, horizon, seed=0: output(len(rows), horizon)  # type: ignore[method-assign]
    with pytest.raises(nbf.NbForecastError, match=message):
        nbf.forecast(glucose, gate, wait=True)


def test_E6_origins_near_the_requested_index_come_first_then_the_newest() -> None:
    data = prepare(np.arange(300.0))
    rows = nearest_first(data, newest_first(data, np.arange(300)), 199)
    index = data.index()[rows]
    assert index[0] == -100
    assert set(index[:127]) == set(range(-163, -36))
    assert (np.diff(index[127:]) < 0).all()
    newest = data.index()[newest_first(data, np.arange(300))]
    assert (newest == np.arange(0, -300, -1)).all()


def test_E6_a_panel_begins_with_the_newest_origin_of_every_series() -> None:
    data = prepare(nbf.sample("glucose"))
    rows = newest_first(data, np.arange(len(data)))
    assert set(rows[:4]) == set(data.offsets[1:] - 1)


def test_Q1_a_quickdraw_infers_one_origin_and_the_others_follow(glucose: pl.DataFrame) -> None:
    gate = GatedModel()
    nbf.quickdraw(glucose, -7, model=gate)
    assert len(gate.calls[0]) == 1
    gate.open.set()
    run = nbf.forecast(glucose, gate, wait=True)
    assert run.progress == 1
    assert sum(len(c) for c in gate.calls) == run.available
    first_followers = run.data.index()[gate.calls[1][:4]]
    assert np.abs(first_followers + 7).max() <= 3


def test_Q1_a_quickdraw_of_cached_results_submits_no_task(glucose: pl.DataFrame) -> None:
    run = nbf.forecast(glucose, "naive", wait=True)
    locks = run.entry_slice.entry.lock_count
    nbf.quickdraw(glucose, -7, model="naive")
    assert not session.engine()._tasks
    assert run.entry_slice.entry.lock_count == locks


@pytest.mark.parametrize("index", [1, 24, -400_000, 400_000, 10**30, -(10**30)])
def test_Q2_an_index_out_of_range_is_an_error_before_any_inference(glucose: pl.DataFrame, index: int) -> None:
    gate = GatedModel()
    with pytest.raises(nbf.NbForecastError, match=r"valid indices run from -\d+ to 0"):
        nbf.quickdraw(glucose, index, model=gate)
    assert not gate.calls


@pytest.mark.parametrize("index", [-2.0, None, True])
def test_Q2_an_index_is_an_integer(glucose: pl.DataFrame, index: object) -> None:
    with pytest.raises(nbf.NbForecastError, match="must be an integer"):
        nbf.quickdraw(glucose, index)  # type: ignore[arg-type]


def test_S7_index_len_gives_the_smallest_valid_index(glucose: pl.DataFrame) -> None:
    data = prepare(glucose)
    smallest = 1 - int(data.lengths[0])
    assert data.row(smallest) == 0
    with pytest.raises(nbf.NbForecastError):
        data.row(smallest - 1)


def test_S3_an_unavailable_origin_is_an_error_with_the_nearest_available_one(
    glucose: pl.DataFrame,
) -> None:
    run = nbf.forecast(glucose, "auto")
    with pytest.raises(nbf.NbForecastError, match=r"too little history. The nearest index with one is -\d+"):
        run.at(1 - int(run.data.lengths[0]))
    run.cancel()


@pytest.mark.parametrize("horizon", [0, -3, 1.5, True, 10**6])
def test_a_horizon_is_a_positive_number_of_steps(glucose: pl.DataFrame, horizon: object) -> None:
    with pytest.raises(nbf.NbForecastError, match="horizon= takes a number of steps"):
        nbf.forecast(glucose, horizon=horizon)  # type: ignore[arg-type]


def test_an_unknown_model_is_an_error_with_the_nearest_name_and_all_names(glucose: pl.DataFrame) -> None:
    with pytest.raises(nbf.NbForecastError, match=r"'ato'. Did you mean 'auto'\? There are: pretrained, auto, naive"):
        nbf.forecast(glucose, "ato")
    with pytest.raises(nbf.NbForecastError, match="neither a name, nor a function, nor a forecaster"):
        nbf.forecast(glucose, 3)  # type: ignore[arg-type]


def test_an_unknown_series_is_an_error_with_the_existing_ones() -> None:
    with pytest.raises(nbf.NbForecastError, match=r"No series is called 'x'. There are 4: 'hall_1636"):
        nbf.quickdraw(nbf.sample("glucose"), series="x")


def test_a_panel_has_one_array_per_series() -> None:
    parts = [g.tail(60) for _, g in nbf.sample("glucose").group_by("unique_id", maintain_order=True)]
    run = nbf.forecast(pl.concat(parts), "naive", wait=True)
    with pytest.raises(nbf.NbForecastError, match=r"run.series\('hall_1636-69-048'\).array"):
        _ = run.array
    one = run.series("hall_2133-018")
    assert len(one.array) == len(one.frame) == run.data.lengths[2]
    assert one.frame["unique_id"].unique().to_list() == ["hall_2133-018"]
    assert one.at(-3).series == "hall_2133-018"
    np.testing.assert_array_equal(one.at(-3).draws, one.array[-4])


def test_Q3_a_chart_names_the_other_series_of_a_panel(tmp_path: object) -> None:
    chart = nbf.quickdraw(nbf.sample("glucose"), -24, model="naive", name="glucose")
    bundle = chart._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/svg+xml", "text/plain"}
    assert "'hall_1636-69-048' of 4" in bundle["text/plain"]
    assert bundle["image/svg+xml"].startswith("<svg")


def test_C4_entries_are_found_by_content_whatever_the_columns_are_called(glucose: pl.DataFrame) -> None:
    first = nbf.forecast(glucose, "naive", wait=True)
    renamed = glucose.rename({"ds": "when", "y": "mg"}).select("mg", "when").to_pandas()
    second = nbf.forecast(renamed, "naive", time="when", target="mg", wait=True)
    assert second.data.names.target == "mg"
    if first.handle == second.handle:
        assert second.inferred == 0


@pytest.mark.usefixtures("idle_sender")
def test_M6_a_shutdown_ends_the_thread_and_a_later_request_starts_another(glucose: pl.DataFrame) -> None:
    nbf.forecast(glucose, "naive", wait=True)
    session.engine().shutdown()
    names = [t.name for t in threading.enumerate() if t.name.startswith("nbforecast-")]
    assert set(names) <= {"nbforecast-compile"}, "a compilation that an earlier test has begun may still go on"
    assert nbf.forecast(glucose, "naive", force=True, wait=True).progress == 1


@pytest.mark.slow
@pytest.mark.parametrize("model", ["auto", "naive", "theta", "ridge", "pretrained"])
def test_F2_a_series_that_has_been_positive_so_far_may_fall_below_zero(model: str) -> None:
    rng = np.random.default_rng(0)
    falling = 60 - 0.1 * np.arange(600) + rng.normal(0, 0.5, 600)
    forecast = nbf.forecast(falling[:590], model, origins="latest", wait=True).at(0)
    assert forecast.draws.min() < 0
    assert (np.diff(forecast.draws, axis=-1) > 0).all()
    counts = np.where(falling < 8, 0, np.round(falling))
    assert nbf.forecast(counts, model, origins="latest", wait=True).at(0).draws.min() >= 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "ending",
    [
        "",
        "run.cancel()",
        *(pytest.param(ending, marks=pytest.mark.long) for ending in ("time.sleep(1)", "run.wait(60)")),
    ],
)
def test_E9_the_interpreter_exits_cleanly_while_work_goes_on(ending: str) -> None:
    code = f"""
import time, nbforecast as nbf
run = nbf.forecast(nbf.sample("taxi").tail(1500), "naive")
{ending}
"""
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [2, pytest.param(20, marks=pytest.mark.long)])
def test_E4_one_origin_and_a_batch_never_wait_for_each_other(seconds: int) -> None:
    """Twice as many calls as cores at once, of the model that uses all of JAX; XLA's threads must not run out."""
    code = f"""
import threading, time, numpy as np, nbforecast as nbf
from nbforecast.engine.inference import run_inference
from nbforecast.forecasters.registry import resolve
from nbforecast.data import prepare
data, model = prepare(nbf.sample("taxi")), resolve("auto")
batch, single = np.arange(1000, 1256), np.arange(1000, 1001)
for rows in (batch, single): run_inference(model, data, rows, 12)
end = time.monotonic() + {seconds}
def work(rows):
    while time.monotonic() < end: run_inference(model, data, rows, 12)
threads = [threading.Thread(target=work, args=(rows,)) for rows in (batch, single, single, single)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.slow
def test_E10_a_quickdraw_of_a_long_series_infers_no_more_than_its_share_of_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NBFORECAST_MEMORY", "1MB")
    values = np.random.default_rng(8).normal(size=4000)
    chart = nbf.quickdraw(values, -2000, model=LastValueModel())
    assert chart.run.wait_for_end(30)
    inferred = chart.run.entry_slice.pending_rows()
    assert 128 <= chart.run.inferred <= 130, "its neighbours"
    assert not {4000 - 2000 - 1 + step for step in range(-60, 60)} & set(inferred.tolist())
    assert chart.run.wait().progress == 1, "whoever waits asks for all"
