"""A session: the result cache and the background engine of a process, and the runs that use them."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np
from jaxtyping import Int64, UInt8

from nbforecast.data import prepare
from nbforecast.data.origins import find_row, select_rows
from nbforecast.data.read_issued import with_issued_covariates
from nbforecast.data.span import horizon_steps
from nbforecast.engine.compile_ahead import compile_ahead
from nbforecast.engine.engine import Engine
from nbforecast.engine.tasks import Priority
from nbforecast.errors import ForkedProcessError, OptionError
from nbforecast.forecast_chart import Chart
from nbforecast.forecasters.covariate_use import availability, declared_use
from nbforecast.forecasters.registry import is_bundled, resolve
from nbforecast.interrupts import done_before_interrupts, uninterrupted
from nbforecast.learned_run import LearnedRun, learned_forecaster
from nbforecast.postprocessing.conformal import rows_that_calibrate
from nbforecast.result_cache.cache import Cache
from nbforecast.result_cache.covariate_prints import entry_key
from nbforecast.result_cache.directory import CacheDirectory
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.key import ForecastSpec
from nbforecast.run import Run
from nbforecast.safe_text import escape_controls
from nbforecast.settings import check_environment, settings
from nbforecast.text import listing, option

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbforecast.data import Dataset
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.options import DrawOptions, ForecastOptions, ModelLike
    from nbforecast.origin_forecast import Forecast
    from nbforecast.result_cache.entry import Entry
    from nbforecast.result_cache.key import CacheKey

_log = logging.getLogger("nbforecast.data")
_FIRST_BATCH = 32  # origins that a run begins with
_IDLE_SHARE = 20  # the part of the memory budget that results may take that nobody has asked for


class Session:
    """The result cache and the background engine of a process; every run is built here.

    The cache is opened and the engine is made when they are first used.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._force_lock = threading.RLock()  # held from the look for an equal forced request to the start of a task
        self._forced_draws: WeakValueDictionary[tuple[CacheKey, int], Entry] = WeakValueDictionary()
        self._cache: Cache | None = None
        self._engine: Engine | None = None
        self._logged: set[tuple[str, str]] = set()

    @property
    def cache(self) -> Cache:
        """The result cache; results that are not saved yet are saved when the interpreter exits."""
        with self._lock:
            if self._cache is None:
                check_environment()
                self._cache = _open_cache()
            return self._cache

    @property
    def engine(self) -> Engine:
        """The background engine.

        Raises:
            ForkedProcessError: The process was forked from one whose engine was in use.
        """
        self.check_process()
        with self._lock:
            if self._engine is None:
                self._engine, self._process = Engine(self.cache), os.getpid()
            return self._engine

    def forecast(self, frame: Any, options: ForecastOptions) -> Run:
        """Forecast from every origin of a frame, or from those that the options name, in the background.

        A list of models is learned from together; see `forecast_each` for a run of each.
        """
        _compile_ahead(frame, options, _FIRST_BATCH)
        return self.forecast_prepared(self.prepare(frame, options), options)

    def forecast_prepared(self, data: Dataset, options: ForecastOptions) -> Run:
        """Forecast as `forecast` does, from data that `prepare` has made with the same options."""
        return self._start_run(data, _resolve_each(options.model, options), options)

    def learns(self, options: ForecastOptions) -> bool:
        """Whether the forecasts of the options' models are corrected by what past errors teach."""
        return _learns(_resolve_each(options.model, options), options)

    def forecast_each(self, frame: Any, models: Sequence[ModelLike], options: ForecastOptions) -> dict[str, Run]:
        """Forecast with several models from every origin of a frame, in the background.

        Raises:
            OptionError: There is no model, or two have one name.
        """
        forecasters = _resolve_each(models, options)
        data = self.prepare(frame, options)
        return {forecaster.name: self.forecast_data(data, forecaster, options) for forecaster in forecasters}

    def prepare(self, frame: Any, options: ForecastOptions) -> Dataset:
        """Prepare a frame, and log what was repaired."""
        self.check_process()
        data = prepare(frame, **options.preparation)
        if options.issued_covariates is not None:
            data = with_issued_covariates(data, options.issued_covariates, options.date_order)
        self.log_warnings(data)
        return data

    def log_warnings(self, data: Dataset) -> None:
        """Log what was repaired in a dataset, once for each content, as warnings."""
        name = escape_controls(data.names.frame or "the data")
        for warning in data.warnings:
            if (data.handle, warning.sentence) not in self._logged:
                self._logged.add((data.handle, warning.sentence))
                _log.warning("%s: %s", name, warning)

    def forecast_data(self, data: Dataset, forecaster: Forecaster, options: ForecastOptions) -> Run:
        """Forecast from every origin of prepared data, or from those that the options name, in the background."""
        return self._start_run(data, [forecaster], options)

    def _start_run(self, data: Dataset, forecasters: Sequence[Forecaster], options: ForecastOptions) -> Run:
        """A run of every origin, in the background; of two equal forced requests the second joins the first (E4)."""
        with self._force_lock if options.force else contextlib.nullcontext():
            run = self._new_run(data, forecasters, options, joins=True)
            run.start(Priority.BATCH)
        return run

    def _new_run(
        self,
        data: Dataset,
        forecasters: Sequence[Forecaster],
        options: ForecastOptions,
        *,
        joins: bool = False,
        drawn: int | None = None,
    ) -> Run:
        """A run that has not started: of one model, or of one that learns from its errors and from other models."""
        joins = joins and options.origins is options.every is options.at is None
        if not _learns(forecasters, options):
            entry_slice = self.find(data, forecasters[0], options, joins=joins, drawn=drawn)
            rows = _select_rows(entry_slice, options)
            return self.build_run(entry_slice, forecasters[0], options.seed, calibrate=options.calibrate, rows=rows)
        # the data keep their covariates, for a model that reads them itself
        unlearned = {"future_covariates": None, "past_covariates": None, "issued_covariates": None, "holidays": None}
        whole = replace(options, calibrate=False, learn=False, origins=None, every=None, at=None, **unlearned)  # type: ignore[arg-type]
        base, *others = [self._new_run(data, [forecaster], whole, drawn=drawn) for forecaster in forecasters]
        forecaster = resolve(learned_forecaster(base, others), options.minimum, options.maximum)
        entry_slice = self.find(data, forecaster, options)
        rows = _select_rows(entry_slice, options)
        return LearnedRun(
            entry_slice, forecaster, self.engine, options.seed, base, others, calibrate=options.calibrate, rows=rows
        )

    def quickdraw(self, frame: Any, draw: DrawOptions, options: ForecastOptions) -> Chart:
        """Draw the forecast as of one origin at once; the others follow at idle priority, those nearby first."""
        _compile_ahead(frame, options)
        data = self.prepare(frame, options)
        row = find_row(data, draw.index, draw.series)
        run = self._new_run(data, _resolve_each(options.model, options), options, drawn=row)
        forecast = run.forecast_at(row)
        if options.force:
            self.cache.publish(run.base.entry_slice, force=True)
        limit = None if isinstance(run, LearnedRun) else settings().memory // _IDLE_SHARE
        run.start(Priority.IDLE, near=row, limit=limit)
        notices = [_other_series(data, draw.series), _not_learned_yet(forecast, run)]
        return Chart(forecast, run, draw.style, " ".join(notice for notice in notices if notice) or None)

    def find(
        self,
        data: Dataset,
        forecaster: Forecaster,
        options: ForecastOptions,
        *,
        joins: bool = False,
        drawn: int | None = None,
    ) -> EntrySlice:
        """The cached results of a request; an empty slice where there are none or `force` ignores them.

        Args:
            data: The data.
            forecaster: The model.
            options: The options of the request.
            joins: Whether a forced request joins an equal one that is in work.
            drawn: The row of a drawing; a forced one joins a forced one of the same row that is in work.
        """
        horizon = horizon_steps(options.horizon, data.frequency)
        spec = ForecastSpec.from_forecaster(forecaster, data, horizon, options.seed)

        def requested(reasons: UInt8[np.ndarray, " N"]) -> Int64[np.ndarray, " R"] | None:
            rows = select_rows(data, reasons, options.origins, options.every, options.at)
            return rows if rows is None or not options.calibrate else rows_that_calibrate(rows, data.offsets, horizon)

        reasons = partial(availability, forecaster, data, horizon)
        key = entry_key(data, spec)
        joined = self.engine.find_forced(key) if joins and options.force else None
        if joined is not None and self.cache.apply_removals(joined.entry):
            return joined.with_data(data)
        if options.force and drawn is not None:
            return self._find_draw(key, drawn, data, reasons)
        return self.cache.find(data, spec, reasons, force=options.force, exact=options.is_exact, requested=requested)

    def _find_draw(
        self, key: CacheKey, row: int, data: Dataset, reasons: Callable[[], UInt8[np.ndarray, " N"]]
    ) -> EntrySlice:
        """The new results of a forced drawing; equal ones in work share them until they are in the cache (E4)."""
        with self._force_lock:
            entry = self._forced_draws.get((key, row))
            if entry is None or entry.is_published or not self.cache.apply_removals(entry):
                entry = self.cache.find(data, key.spec, reasons, force=True).entry
                self._forced_draws[key, row] = entry
            return EntrySlice.whole(entry, data)

    def build_run(
        self,
        entry_slice: EntrySlice,
        forecaster: Forecaster,
        seed: int = 0,
        *,
        calibrate: bool = False,
        rows: Int64[np.ndarray, " R"] | None = None,
    ) -> Run:
        """A run of cached results that has not started; of some rows of the data, or of all."""
        return Run(entry_slice, forecaster, self.engine, seed, calibrate=calibrate, rows=rows)

    def shutdown(self) -> None:
        """End the engine, if there is one, and save its results; a later request starts another."""
        if self._engine is not None:
            self._engine.shutdown()
            done_before_interrupts(partial(self.cache.save_all, changed=True))

    def check_process(self) -> None:
        """Raise `ForkedProcessError` in a process that was forked from one whose engine was in use."""
        if self._engine is not None and os.getpid() != self._process:
            raise ForkedProcessError(
                "This process was forked while nbforecast was in use, and its threads are missing here. Start "
                'processes with spawn: multiprocessing.get_context("spawn").'
            )


_session = Session()


def current_session() -> Session:
    """The session of this process."""
    return _session


def results() -> Cache:
    """The result cache of this process."""
    return _session.cache


def engine() -> Engine:
    """The background engine of this process."""
    return _session.engine


def shutdown() -> None:
    """End the background of this process, if there is one, and save its results."""
    _session.shutdown()


def wait_or_cancel(run: Run) -> Run:
    """Wait for a run that no one else holds: an interrupt (Ctrl-C) cancels it. Results so far stay in the cache."""
    try:
        return run.wait()
    except KeyboardInterrupt:
        run.cancel()
        raise


def _open_cache() -> Cache:
    configured = settings()
    directory = None if configured.directory is None else CacheDirectory(configured.directory / "results")
    cache = Cache(directory, configured.memory, configured.disk)
    # the first one runs before Python waits for the chunk in work: a kernel that takes long to end is killed
    for register in (getattr(threading, "_register_atexit", atexit.register), atexit.register):
        register(_save_at_exit, cache, os.getpid())
    return cache


def _save_at_exit(cache: Cache, process: int) -> None:
    """Save what is not saved yet, whatever interrupts come (E11); a process that was forked has nothing of its own."""
    if os.getpid() != process:
        return
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if is_main else None
    try:
        uninterrupted(partial(cache.save_all, changed=True))
    finally:
        if handler is not None:
            signal.signal(signal.SIGINT, handler)


def _compile_ahead(frame: Any, options: ForecastOptions, batch: int = 1) -> None:
    """Begin to compile a model of the package for some origins at once, while the data are read."""
    if is_bundled(options.model):
        # a grid may have more steps than the frame has rows, but where it is as short as that it hardly has
        longest = next(iter(getattr(frame, "shape", ())), None)
        compile_ahead(partial(resolve, options.model), options.horizon, batch, longest)


def _select_rows(entry_slice: EntrySlice, options: ForecastOptions) -> Int64[np.ndarray, " R"] | None:
    return select_rows(entry_slice.data, entry_slice.reasons, options.origins, options.every, options.at)


def _resolve_each(models: Any, options: ForecastOptions) -> list[Forecaster]:
    """The forecasters of one model or of several, within the options' bounds.

    Raises:
        OptionError: There is no model, two have one name, or none reads groups and the options name some.
    """
    models = models if isinstance(models, (list, tuple)) else [models]
    forecasters = [resolve(model, options.minimum, options.maximum) for model in models]
    names = [forecaster.name for forecaster in forecasters]
    if not names or len(set(names)) < len(names):
        raise OptionError(f"{option('model')} takes models of different names, not {names}.")
    uses = [declared_use(forecaster) for forecaster in forecasters]
    if options.groups is not None and not any(use is not None and use.siblings for use in uses):
        raise OptionError(
            f"{option('groups', options.groups)} is for models that read several series together, such as chronos-2, "
            f"and {listing([repr(name) for name in names])} {'reads' if len(names) == 1 else 'read'} each series by "
            f"itself. Leave it out, or name another {option('model')}."
        )
    return forecasters


def _learns(forecasters: Sequence[Forecaster], options: ForecastOptions) -> bool:
    """Whether forecasts are corrected: on request, or since covariates are named that a model does not read itself."""
    if options.learn or options.issued_covariates is not None:
        return True  # models read covariates of one value a time
    if not options.has_covariates:
        return False
    ahead = options.future_covariates is not None or options.holidays is not None
    uses = [declared_use(forecaster) for forecaster in forecasters]
    return any(use is None or not use.reads(ahead=ahead, up_to_origin=not ahead) for use in uses)


def _not_learned_yet(forecast: Forecast, run: Run) -> str | None:
    """A notice that a chart shows the base forecast, where the run learns and has not yet."""
    if forecast.model == run.model:
        return None
    return (
        f"This is the forecast of {forecast.model}; what its past errors teach follows when all origins are forecast."
    )


def _other_series(data: Dataset, series: str | None) -> str | None:
    """A notice that names the other series of a panel, where none was chosen."""
    if series is not None or len(data.ids) == 1:
        return None
    names = ", ".join(data.ids[1:4]) + (" …" if len(data.ids) > 4 else "")
    return f"Series {data.ids[0]!r} of {len(data.ids)}; name another with {option('series')}: {names}."
