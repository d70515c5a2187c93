"""Runs of what the cache holds, without the frame that it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbforecast.engine.tasks import Priority
from nbforecast.errors import StorageError
from nbforecast.forecasters.deferred import DeferredForecaster, unknown
from nbforecast.options import ForecastOptions
from nbforecast.session import current_session, engine, results

if TYPE_CHECKING:
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.result_cache.inventory import Item
    from nbforecast.result_cache.key import ForecastSpec
    from nbforecast.run import Run


def kept(item: Item, *, calibrate: bool = False) -> Run:
    """A run of an item's results as they are; missing calculations follow, an origin is inferred when asked for."""
    spec = item.key.spec
    run = current_session().build_run(_view(item), _forecaster(spec), spec.model.seed, calibrate=calibrate)
    run.start(Priority.BATCH, infer=False)
    return run


def recomputed(item: Item, *, calibrate: bool = False) -> Run:
    """A run that infers all of an item's origins anew; one that already does is joined.

    Raises `UnknownModel` if this kernel does not know the model.
    """
    spec = item.key.spec
    forecaster, seed = _forecaster(spec).model(), spec.model.seed
    for work in engine().work():
        if work.task is not None and not work.task.stopped and work.view.key == item.key and work.view.entry.forced:
            run = current_session().build_run(work.view, forecaster, seed, calibrate=calibrate)
            run.start(Priority.BATCH)
            return run
    options = ForecastOptions(horizon=spec.horizon, seed=seed, force=True, calibrate=calibrate)
    return current_session().forecast_data(_view(item).data, forecaster, options)


def missing(spec: ForecastSpec, there: frozenset[tuple[str, str | None]]) -> str:
    """Why results cannot be inferred anew with the models that can be recalled; empty if they can."""
    return unknown(spec.model.name, spec.model.key, there)


def _forecaster(spec: ForecastSpec) -> DeferredForecaster:
    return DeferredForecaster(spec.model.name, spec.model.key, spec.context, spec.levels)


def _view(item: Item) -> EntrySlice:
    view = results().open(item.key)
    if view is None:
        raise StorageError(f"The entry {item.key} cannot be read, or has been removed meanwhile.")
    return view
