"""How long functions took to compile on this machine, kept beside the compiled functions on disk."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SUFFIX = "-seconds"
_in_memory: dict[str, float] = {}


def seconds_to_compile(name: str) -> float | None:
    """Returns how long a function took to compile; None if it is not compiled, here or in an earlier process.

    Args:
        name: Names the function and the shapes of its arguments.
    """
    if name in _in_memory:
        return _in_memory[name]
    path = compiled_path(name, SUFFIX)
    try:
        return None if path is None else float(path.read_text())
    except (OSError, ValueError):
        return None


def record_compilation(name: str, seconds: float) -> None:
    """Keeps how long a function took to compile, if that is not known.

    Args:
        name: Names the function and the shapes of its arguments.
        seconds: The duration of its first call.
    """
    if seconds_to_compile(name) is not None:
        return
    _in_memory[name] = seconds
    path = compiled_path(name, SUFFIX)
    try:
        if path is not None:
            path.write_text(f"{seconds:.2f}")
    except OSError:  # the next process compiles without an estimate
        return


def forget_compilations() -> None:
    """Forgets all functions of this process; files are removed with the compiled functions."""
    _in_memory.clear()


def compiled_path(name: str, suffix: str) -> Path | None:
    """Returns the path of a file about a function, beside what JAX has compiled; None if JAX keeps nothing.

    Args:
        name: Names the function and the shapes of its arguments.
        suffix: The end of the file's name.
    """
    import jax

    directory = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if directory is None or not jax.config.jax_enable_compilation_cache:  # type: ignore[attr-defined]
        return None
    return Path(directory) / f"{hashlib.sha256(f'{_platform()} {name}'.encode()).hexdigest()[:32]}{suffix}"


@cache
def _platform() -> str:
    """What compiled functions depend on beside their names."""
    import jax

    try:
        own = version("nbforecast")
    except PackageNotFoundError:  # it runs from its sources
        own = ""
    return f"{own} {jax.__version__} {jax.default_backend()} {jax.local_devices()[0].device_kind}"
