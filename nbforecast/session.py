"""What a kernel has one of: the cache and the engine; and the requests that use them."""

from __future__ import annotations

import atexit
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.data import prepare
from nbforecast.engine.engine import Engine
from nbforecast.engine.tasks import Priority
from nbforecast.errors import OptionError
from nbforecast.forecasters.base import resolve
from nbforecast.origin_forecast import Chart, Style
from nbforecast.result_cache.cache import Cache
from nbforecast.result_cache.directory import CacheDirectory
from nbforecast.result_cache.key import ForecastSpec
from nbforecast.run import Run
from nbforecast.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbforecast.data import Dataset
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.result_cache.entry_slice import EntrySlice

MAX_HORIZON = 4096


_making = threading.RLock()


def results() -> Cache:
    """The result cache of this process; what it has not saved is saved when the interpreter exits."""
    with _making:
        return _results()


def engine() -> Engine:
    """The background of this process."""
    with _making:
        return _engine()


def shutdown() -> None:
    """End the background, if there is one, and save what it has found; a later request starts another."""
    if _engine.cache_info().currsize:
        engine().shutdown()
        results().save_all(changed=True)


@cache
def _results() -> Cache:
    chosen = settings()
    store = None if chosen.directory is None else CacheDirectory(chosen.directory / "results")
    kept = Cache(store, chosen.memory, chosen.disk)
    # first before Python waits for the chunk in work: a kernel that takes long to end is killed
    for register in (getattr(threading, "_register_atexit", atexit.register), atexit.register):
        register(kept.save_all, changed=True)
    return kept


@cache
def _engine() -> Engine:
    return Engine(results())


def forecast(
    frame: Any,
    model: str | Forecaster | Callable[..., Any] | None = None,
    horizon: int = 12,
    *,
    time: str | None = None,
    target: str | None = None,
    id: str | None = None,
    freq: Any = None,
    max_duration: Any = None,
    seed: int = 0,
    force: bool = False,
    calibrate: bool = False,
    wait: bool = False,
    name: str | None = None,
) -> Run:
    """Forecast from every origin of a frame, in the background; returns at once unless `wait`.

    frame: anything narwhals reads (Polars, pandas, PyArrow, DuckDB ...), a CSV or Parquet path, a series or array.
    model: a name from `nbf.models()`, a forecaster, or a function of contexts (B, L) and the horizon that returns
        points (B, H); one that returns draws (B, H, Q) is registered first (`nbf.register`). horizon: steps ahead.
    time, target, id: columns, where they cannot be told by themselves. freq: the grid's step, else inferred.
    max_duration: use only the newest part ("18h", "90d", a number of steps). seed: for models that draw at random.
    force: do not use what the cache holds. calibrate: have bands at 50, 80, 90 and 95 % hold what they promise, by the
    errors of past forecasts of the same series. name: what to call the frame in titles.

    Raises `NbForecastError` for input or options that make no sense; a model's failure is raised by `run.wait()`.
    """
    forecaster = resolve(model)
    steps, seed = check_horizon(horizon), check_seed(seed)
    data = prepare(frame, time=time, target=target, id=id, freq=freq, max_duration=max_duration, name=name)
    run = begin(data, forecaster, steps, seed, force=force, calibrate=calibrate)
    return attend(run) if wait else run


def begin(data: Dataset, forecaster: Forecaster, horizon: int, seed: int, *, force: bool, calibrate: bool) -> Run:
    """A run of prepared data, at work from now on."""
    run = Run(_find(data, forecaster, horizon, seed, force), forecaster, engine(), seed, calibrate=calibrate)
    run.start(Priority.BATCH)
    return run


def attend(run: Run) -> Run:
    """Wait for a run that nobody else holds; interrupting the wait cancels it, and what is finished stays."""
    try:
        return run.wait()
    except KeyboardInterrupt:
        run.cancel()
        raise


def quickdraw(
    frame: Any,
    index: int = 0,
    series: str | None = None,
    model: str | Forecaster | Callable[..., Any] | None = None,
    horizon: int = 12,
    *,
    time: str | None = None,
    target: str | None = None,
    id: str | None = None,
    freq: Any = None,
    max_duration: Any = None,
    seed: int = 0,
    force: bool = False,
    calibrate: bool = False,
    style: Style = "bands",
    name: str | None = None,
) -> Chart:
    """Draw the forecast as of one origin at once; the others follow in the background, those nearby first.

    index: the origin, 0 for the last data point, -24 for 24 grid steps before it. series: which one of a panel (the
    first, if not said). style: "bands" or "density". The other parameters are those of `forecast`.

    Raises `IndexOutOfRange` with the valid range before anything is inferred, `OriginUnavailable` with the reason.
    """
    if style not in ("bands", "density"):
        raise OptionError(f"style= takes 'bands' or 'density', not {style!r}.")
    forecaster = resolve(model)
    steps, seed = check_horizon(horizon), check_seed(seed)
    data = prepare(frame, time=time, target=target, id=id, freq=freq, max_duration=max_duration, name=name)
    row = data.row(index, series)
    view = _find(data, forecaster, steps, seed, force)
    run = Run(view, forecaster, engine(), seed, calibrate=calibrate)
    drawn = run.at(index, series)
    if force:
        results().offer(view, force=True)
    run.start(Priority.IDLE, near=row)
    return Chart(drawn, run, style, _others(data, series))


def check_horizon(horizon: int) -> int:
    """The horizon, if it is one; raises `OptionError` otherwise."""
    if isinstance(horizon, bool) or not isinstance(horizon, (int, np.integer)) or not 1 <= horizon <= MAX_HORIZON:
        raise OptionError(f"horizon= takes a number of steps from 1 to {MAX_HORIZON}, not {horizon!r}.")
    return int(horizon)


def check_seed(seed: int) -> int:
    """The seed, if it is one; raises `OptionError` otherwise."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not -(2**63) <= seed < 2**63:
        raise OptionError(f"seed= takes a whole number of up to 64 bits, not {seed!r}.")
    return int(seed)


def _find(data: Dataset, forecaster: Forecaster, horizon: int, seed: int, force: bool) -> EntrySlice:
    """What the cache knows of the data's forecasts; nothing, if forced."""
    recipe = ForecastSpec.of(forecaster, data, horizon, seed)
    return results().find(data, recipe, lambda: forecaster.availability(data), force=force)


def _others(data: Dataset, series: str | None) -> str | None:
    if series is not None or len(data.ids) == 1:
        return None
    rest = ", ".join(data.ids[1:4]) + (" …" if len(data.ids) > 4 else "")
    return f"Series {data.ids[0]!r} of {len(data.ids)}; name another with series= or -s: {rest}."
