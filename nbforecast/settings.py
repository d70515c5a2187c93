"""Settings from the environment: where files go, which device computes, how large things may become."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from nbforecast.errors import OptionError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)


@dataclass(frozen=True)
class Settings:
    """device: JAX platform, or one device of it (`cpu`, `gpu`, `gpu:1` ...), None for JAX's own choice
        (`NBFORECAST_DEVICE`).
    directory: where results and compiled functions are kept between kernels (`NBFORECAST_CACHE_DIR`); None where
        nothing may be written (`NBFORECAST_CACHE=memory`).
    memory, disk: bytes that results may take (`NBFORECAST_MEMORY`, `NBFORECAST_DISK`).
    chunk: origins inferred between two looks at the queue (`NBFORECAST_CHUNK`), None for as many as take 50 ms.
    batch: origins calculated under one lock (`NBFORECAST_BATCH`).
    precision: of the networks' matrix products on a GPU, `float32` or `bfloat16` (`NBFORECAST_PRECISION`); on a CPU,
        where `bfloat16` is slower, they are always `float32`.
    explorer: bytes of the page that an explorer adds to the output of a cell where nobody watches
        (`NBFORECAST_EXPLORER`), None for a picture alone; `nbforecast report` takes it out again.
    """

    device: str | None
    directory: Path | None
    memory: int
    disk: int
    chunk: int | None
    batch: int
    precision: str
    explorer: int | None


def settings() -> Settings:
    """The settings in force, read from the environment at every call."""
    return Settings(
        device=os.environ.get("NBFORECAST_DEVICE") or None,
        directory=_directory(),
        memory=parse_size(os.environ.get("NBFORECAST_MEMORY") or "2GB", "NBFORECAST_MEMORY"),
        disk=parse_size(os.environ.get("NBFORECAST_DISK") or "10GB", "NBFORECAST_DISK"),
        chunk=_positive("NBFORECAST_CHUNK"),
        batch=_positive("NBFORECAST_BATCH") or 32,
        precision=_one_of("NBFORECAST_PRECISION", "float32", "bfloat16"),
        explorer=_positive("NBFORECAST_EXPLORER"),
    )


def parse_size(value: str | float, option: str) -> int:
    """Bytes meant by `"2GB"`, `"500 MB"`, `"1.5GiB"` or a number; raises `OptionError` naming `option`."""
    match = _SIZE.fullmatch(str(value).strip())
    if match is None or isinstance(value, bool):
        raise OptionError(f'{option}={value!r} is not a size. Use something like "2GB", "500MB" or a number of bytes.')
    number, unit, binary = match.groups()
    size = _UNITS[unit.lower()]
    return int(float(number) * (size if not binary else 1024 ** list(_UNITS.values()).index(size)))


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
    given = os.environ.get("NBFORECAST_CACHE_DIR")
    return Path(given).expanduser() if given else platformdirs.user_cache_path("nbforecast", appauthor=False)
