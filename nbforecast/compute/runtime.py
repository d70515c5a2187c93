"""JAX, set up once for a process that it shares with a person's other work."""

from __future__ import annotations

import logging
import os
import sys
import threading
from functools import cache
from typing import TYPE_CHECKING

from nbforecast.errors import OptionError
from nbforecast.settings import settings

if TYPE_CHECKING:
    import jax

_log = logging.getLogger("nbforecast.compute")
_lock = threading.Lock()


def start() -> jax.Device:
    """Configure JAX on first use, and return the device that computes.

    GPU memory is not preallocated unless the user chose so, since other libraries live in the same kernel; compiled
    functions are kept on disk between kernels (SPEC E2) unless the user has set a place of their own.
    """
    with _lock:
        return _start()


@cache
def _start() -> jax.Device:
    if "jax" not in sys.modules:
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax

    chosen = settings()
    if chosen.directory is not None and jax.config.jax_compilation_cache_dir is None:  # type: ignore[attr-defined]
        directory = chosen.directory / "compiled"
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            _log.warning("Compiled functions are not kept: %s cannot be made (%s).", directory, error)
        else:
            jax.config.update("jax_compilation_cache_dir", str(directory))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
            jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    try:
        return jax.devices(chosen.device)[0]
    except RuntimeError as error:
        there = ", ".join(sorted({d.platform for d in jax.devices()}))
        raise OptionError(
            f"NBFORECAST_DEVICE={chosen.device!r} is not a device JAX has here; there are: {there}."
        ) from error
