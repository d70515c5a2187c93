"""Compiles all that a model's forecasts need, before anybody waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbforecast.device import compiled_directory, devices
from nbforecast.engine.calculation import batch_size
from nbforecast.errors import StorageError
from nbforecast.forecasters.registry import resolve
from nbforecast.scoring.origin_scores import calculate, densities, draw_levels
from nbforecast.settings import settings
from nbforecast.shared_compiled import copy_missing, machine_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def warm(model: str | None = None, horizon: int = 12, to: Path | None = None) -> Path:
    """Compile a model's functions of all batch sizes, those of one origin first, and the calculations.

    Args:
        model: Name of the model; None is the default one.
        horizon: H, the number of steps.
        to: A folder for all users of the machine (`NBFORECAST_COMPILED`), which receives a copy.

    Returns:
        The folder that has the compiled functions.

    Raises:
        StorageError: Nothing is kept on disk.
    """
    import jax

    folder = compiled_directory()
    if folder is None:
        raise StorageError("NBFORECAST_CACHE=memory keeps nothing on disk: set it to disk, or leave it out.")
    forecaster = resolve(model)
    compile_ahead: Callable[[int, int, int | None], None] | None = getattr(forecaster, "compile_ahead", None)
    sizes: tuple[int, ...] = getattr(forecaster, "batch_sizes", None) or ()
    if compile_ahead is not None:
        with jax.default_device(devices()[0]):
            for batch in sizes:
                compile_ahead(horizon, batch, None)
                compile_ahead(horizon, batch, 1)  # of short histories, whose windows are shorter with some models
    levels = draw_levels(forecaster.levels, forecaster.draws)
    for count in (1, settings().batch):
        draws = np.zeros((count, horizon, forecaster.draws), np.float32)
        calculate(draws, np.zeros(draws.shape[:2]), levels, batch_size(draws))
    densities(draws[:1], batch_size(draws[:1]))
    if to is not None:
        shared = to / machine_name()
        shared.mkdir(parents=True, exist_ok=True, mode=0o755)
        copy_missing(folder, shared)
        for path in shared.iterdir():
            path.chmod(0o644)
        return shared
    return folder
