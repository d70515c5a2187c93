"""Settings from environment variables: directories, device, budgets and batch sizes."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import platformdirs

from nbforecast.errors import OptionError
from nbforecast.safe_text import brief_repr
from nbforecast.text import did_you_mean
from nbforecast.user_path import user_path

if TYPE_CHECKING:
    from pathlib import Path

_VARIABLES = tuple(
    f"NBFORECAST_{name}"
    for name in (
        "DEVICE",
        "CACHE",
        "CACHE_DIR",
        "MEMORY",
        "DISK",
        "CHUNK",
        "BATCH",
        "PRECISION",
        "EXPLORER",
        "SKIP_JS",
        "COMPILED",
        "OPTION_STYLE",  # which reports set for their kernels
    )
)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)


@dataclass(frozen=True)
class Settings:
    """Settings of a process.

    Attributes:
        device: JAX platform, or one device of it (`cpu`, `gpu`, `gpu:1`); None is JAX's default
            (`NBFORECAST_DEVICE`).
        directory: Directory of results and compiled functions (`NBFORECAST_CACHE_DIR`); None if nothing is written
            (`NBFORECAST_CACHE=memory`). Compiled functions are kept in the user's own directory if others can write
            to this one.
        memory: Bytes of memory that results may use (`NBFORECAST_MEMORY`).
        disk: Bytes of disk that results may use (`NBFORECAST_DISK`).
        chunk: Number of origins inferred between two looks at the queue (`NBFORECAST_CHUNK`); None is the number that
            takes 50 ms.
        batch: Number of origins that are calculated at once and written under one lock, at most (`NBFORECAST_BATCH`).
        precision: Precision of the networks' matrix products on a GPU, `float32` or `bfloat16`
            (`NBFORECAST_PRECISION`); a CPU, on which `bfloat16` is slower, always uses `float32`.
        explorer: Bytes of the page that an explorer adds to the output of a cell in a non-interactive session
            (`NBFORECAST_EXPLORER`); None adds a picture only. `nbforecast report` removes the page again.
        compiled: Folder of compiled functions that an administrator has made for all users (`NBFORECAST_COMPILED`); see
            `nbforecast warm`.
    """

    device: str | None
    directory: Path | None
    memory: int
    disk: int
    chunk: int | None
    batch: int
    precision: str
    explorer: int | None
    compiled: Path | None


def settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        OptionError: A variable has a value that makes no sense.
    """
    return Settings(
        device=os.environ.get("NBFORECAST_DEVICE") or None,
        directory=_directory(),
        memory=_size("NBFORECAST_MEMORY", "2GB"),
        disk=_size("NBFORECAST_DISK", "10GB"),
        chunk=_positive("NBFORECAST_CHUNK"),
        batch=_positive("NBFORECAST_BATCH") or 1024,
        precision=_one_of("NBFORECAST_PRECISION", "float32", "bfloat16"),
        explorer=_positive("NBFORECAST_EXPLORER"),
        compiled=_path("NBFORECAST_COMPILED"),
    )


def user_directory() -> Path:
    """The directory of results and compiled functions that is the user's own."""
    return platformdirs.user_cache_path("nbforecast", appauthor=False)


def check_environment() -> None:
    """Warn of variables whose names begin like ours and are none of them."""
    for name in os.environ:
        if name.startswith("NBFORECAST_") and not name.startswith("NBFORECAST_TEST_") and name not in _VARIABLES:
            hint = did_you_mean(name, _VARIABLES)
            warnings.warn(f"The environment variable {name} is no setting of nbforecast.{hint}", stacklevel=2)


def parse_size(value: str | float, given: str) -> int:
    """Read a size: `"2GB"`, `"500 MB"`, `"1.5GiB"` or a number of bytes.

    Args:
        value: The size.
        given: How the option was given, for the error.

    Returns:
        The size in bytes.

    Raises:
        OptionError: The value is not a size.
    """
    match = _SIZE.fullmatch(str(value).strip())
    if match is None or isinstance(value, bool):
        raise OptionError(f'{given} is not a size. Use something like "2GB", "500MB" or a number of bytes.')
    number, unit, binary = match.groups()
    size = _UNITS[unit.lower()]
    return int(float(number) * (size if not binary else 1024 ** list(_UNITS.values()).index(size)))


def _size(name: str, default: str) -> int:
    value = os.environ.get(name) or default
    return parse_size(value, f"{name}={brief_repr(value)}")


def _positive(name: str) -> int | None:
    text = os.environ.get(name, "")
    if not text:
        return None
    if not text.isdigit() or int(text) == 0:
        raise OptionError(f"The environment variable {name} must be a positive integer, not {text!r}.")
    return int(text)


def _one_of(name: str, default: str, other: str) -> str:
    value = os.environ.get(name) or default
    if value not in (default, other):
        raise OptionError(f"The environment variable {name} must be {default!r} or {other!r}, not {value!r}.")
    return value


def _directory() -> Path | None:
    if _one_of("NBFORECAST_CACHE", "disk", "memory") == "memory":
        return None
    return _path("NBFORECAST_CACHE_DIR") or user_directory()


def _path(name: str) -> Path | None:
    path = os.environ.get(name)
    return user_path(path, OptionError) if path else None
