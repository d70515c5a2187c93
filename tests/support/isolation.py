"""A cache directory of their own for tests and benchmarks: no results at the start, compiled functions kept."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def use_own_directory() -> None:
    """Have this process and those it starts keep results in an empty directory, removed at the end."""
    kept = Path(os.environ.get("NBFORECAST_CACHE_DIR") or "build/cache").resolve() / "compiled"
    kept.mkdir(parents=True, exist_ok=True)
    own = Path(tempfile.mkdtemp(prefix="nbforecast-"))
    (own / "compiled").symlink_to(kept)
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    os.environ["NBFORECAST_CACHE_DIR"] = str(own)
