"""Runs of what the cache holds, without the frame that it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbforecast.engine.tasks import Priority
from nbforecast.errors import StorageError, UnknownModel
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
    maker = item.key.recipe.maker
    seed = maker.seed if maker else 0
    run = current_session().build_run(_view(item), _forecaster(item.key.recipe), seed, calibrate=calibrate)
    run.start(Priority.BATCH, infer=False)
    return run


def recomputed(item: Item, *, calibrate: bool = False) -> Run:
    """A run that infers all of an item's origins anew; one that already does is joined.

    Raises `UnknownModel` if this kernel does not know the model.
    """
    recipe = item.key.recipe
    if recipe.maker is None:
        raise UnknownModel(missing(recipe, frozenset()))
    forecaster, seed = _forecaster(recipe).model(), recipe.maker.seed
    for work in engine().work():
        if work.task is not None and not work.task.stopped and work.view.key == item.key and work.view.entry.forced:
            run = current_session().build_run(work.view, forecaster, seed, calibrate=calibrate)
            run.start(Priority.BATCH)
            return run
    options = ForecastOptions(horizon=recipe.horizon, seed=seed, force=True, calibrate=calibrate)
    return current_session().forecast_data(_view(item).data, forecaster, options)


def missing(recipe: ForecastSpec, there: frozenset[tuple[str, str | None]]) -> str:
    """Why results cannot be inferred anew with the models that can be recalled; empty if they can."""
    maker = recipe.maker
    return unknown(recipe.name, "", frozenset()) if maker is None else unknown(maker.name, maker.key, there)


def _forecaster(recipe: ForecastSpec) -> DeferredForecaster:
    return DeferredForecaster(recipe.name, recipe.maker.key if recipe.maker else "", recipe.context, recipe.levels)


def _view(item: Item) -> EntrySlice:
    view = results().open(item.key)
    if view is None:
        raise StorageError(f"The entry {item.key} cannot be read, or has been removed meanwhile.")
    return view
