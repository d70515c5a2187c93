"""Settings from the environment: where files go, which device computes, how large the pieces of work are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from nbforecast.errors import OptionError


@dataclass(frozen=True)
class Settings:
    """device: JAX platform (`cpu`, `gpu` ...), None for JAX's own choice (`NBFORECAST_DEVICE`).
    directory: where compiled functions are kept (`NBFORECAST_CACHE_DIR`).
    chunk: origins inferred between two looks at the queue. batch: origins calculated under one lock.
    """

    device: str | None
    directory: Path
    chunk: int = 512
    batch: int = 32


def settings() -> Settings:
    """The settings in force, read from the environment at every call."""
    return Settings(
        device=os.environ.get("NBFORECAST_DEVICE") or None,
        directory=_directory(),
        chunk=_positive("NBFORECAST_CHUNK", 512),
        batch=_positive("NBFORECAST_BATCH", 32),
    )


def _positive(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    if not text:
        return default
    if not text.isdigit() or int(text) == 0:
        raise OptionError(f"The environment variable {name} must be a positive integer, not {text!r}.")
    return int(text)


def _directory() -> Path:
    given = os.environ.get("NBFORECAST_CACHE_DIR")
    return Path(given).expanduser() if given else platformdirs.user_cache_path("nbforecast", appauthor=False)
