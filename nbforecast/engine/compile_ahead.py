"""Compiles a model's function while the data are read: nearly all of the wait for a first answer is compilation."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from nbforecast.device import devices
from nbforecast.interrupts import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbforecast.forecasters.base import Forecaster

_log = logging.getLogger("nbforecast.engine")


def compile_ahead(
    resolve: Callable[[], Forecaster], horizon: Any, batch: int = 1, longest: int | None = None
) -> threading.Thread | None:
    """Begin to compile what some origins need, in a thread of its own, if no process has compiled it yet.

    A failure is not reported: whoever needs the function meets it again.

    Args:
        resolve: Returns the model.
        horizon: H, the number of steps; nothing is done for a span, whose steps the data decide.
        batch: How many origins the function is for.
        longest: The most steps that a history can have; None if that is not known.

    Returns:
        The thread, if one was started.
    """
    if not isinstance(horizon, int):
        return None
    work = partial(_compile, resolve, horizon, batch, longest)
    thread = threading.Thread(target=uninterrupted, args=(work,), name="nbforecast-compile")
    thread.start()
    return thread


def _compile(resolve: Callable[[], Forecaster], horizon: int, batch: int, longest: int | None) -> None:
    try:
        compile_model = getattr(resolve(), "compile_ahead", None)
        if compile_model is not None:
            import jax

            with jax.default_device(devices()[0]):  # as where it is called: JAX compiles anew for another one
                compile_model(horizon, batch, longest)
    except Exception as error:
        _log.debug("Compilation ahead failed: %r", error)
