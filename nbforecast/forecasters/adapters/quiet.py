"""Calls into libraries whose warnings, logs and random numbers belong to the whole process."""

from __future__ import annotations

import logging
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOGGERS = ("pytorch_lightning", "lightning", "lightning_fabric", "darts", "neuralforecast", "statsforecast")
_thread = threading.local()


@contextmanager
def quiet() -> Iterator[None]:
    """Hide this thread's warnings, and the libraries' log records below errors.

    `catch_warnings` is not used: filters belong to the process, and two threads that restore them in turn would leave
    the user's warnings off for good.
    """
    show_warning = warnings.showwarning
    if not getattr(show_warning, "passes_by_thread", False):

        def show(*args: Any, **kwargs: Any) -> None:
            if not _is_quiet():
                show_warning(*args, **kwargs)

        show.passes_by_thread = True  # type: ignore[attr-defined]
        warnings.showwarning = show
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in _LOGGERS:
            logging.getLogger(name).addFilter(_passes)
    was_quiet = _is_quiet()
    _thread.quiet = True
    try:
        yield
    finally:
        _thread.quiet = was_quiet


def _is_quiet() -> bool:
    return getattr(_thread, "quiet", False)


def _passes(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR or not _is_quiet()


@contextmanager
def numpy_seed(seed: int) -> Iterator[None]:
    """Seed NumPy's global generator, for libraries that draw from it, and restore its state at the end.

    Args:
        seed: The seed.
    """
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
