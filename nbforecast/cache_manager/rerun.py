"""Runs of cached results, without the frame that they were made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbforecast.engine.tasks import Priority
from nbforecast.errors import StorageError
from nbforecast.forecasters.deferred import DeferredForecaster, describe_unknown_model
from nbforecast.options import ForecastOptions
from nbforecast.session import current_session

if TYPE_CHECKING:
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.result_cache.inventory import Item
    from nbforecast.result_cache.key import ForecastSpec
    from nbforecast.run import Run


def open_run(item: Item, *, calibrate: bool = False) -> Run:
    """A run of an item's results: missing calculations follow, an origin is inferred when it is requested."""
    spec = item.key.spec
    run = current_session().build_run(_open(item), _deferred(spec), spec.model.seed, calibrate=calibrate)
    run.start(Priority.BATCH, infer=False)
    return run


def recompute(item: Item, *, calibrate: bool = False) -> Run:
    """A run that infers all of an item's origins anew; an equal one that is going on is joined.

    Raises:
        UnknownModel: This kernel does not know the model.
        OptionError: The results depend on covariates or groups, which files of the cache do not hold.
    """
    session, spec = current_session(), item.key.spec
    deferred, data = _deferred(spec), _open(item).data
    deferred.check_inputs(data)
    forecaster, seed = deferred.model(), spec.model.seed
    for work in session.engine.tasks_info():
        entry_slice = work.entry_slice
        is_at_work = work.task is not None and not work.task.is_stopped
        if is_at_work and entry_slice.key == item.key and entry_slice.entry.forced:
            run = session.build_run(entry_slice, forecaster, seed, calibrate=calibrate)
            run.start(Priority.BATCH)
            return run
    options = ForecastOptions(horizon=spec.horizon, seed=seed, force=True, calibrate=calibrate)
    return session.forecast_data(data, forecaster, options)


def why_not_recomputable(spec: ForecastSpec, models: frozenset[tuple[str, str | None]]) -> str:
    """Why results cannot be inferred anew.

    Args:
        spec: How the results were made.
        models: Names and keys of the models that this kernel knows, as `registered_keys` returns them.

    Returns:
        A sentence; empty if they can.
    """
    return describe_unknown_model(spec.model.name, spec.model.key, models)


def _deferred(spec: ForecastSpec) -> DeferredForecaster:
    return DeferredForecaster(spec.model.name, spec.model.key, spec.context, spec.levels, spec.covariates)


def _open(item: Item) -> EntrySlice:
    entry_slice = current_session().cache.open(item.key)
    if entry_slice is None:
        raise StorageError(f"The entry {item.key} cannot be read, or was removed meanwhile.")
    return entry_slice
