"""Results of the tests go to a directory of their own, empty at the start; compiled functions are kept between runs."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_kept = Path(os.environ.get("NBFORECAST_CACHE_DIR") or "build/cache").resolve() / "compiled"
_kept.mkdir(parents=True, exist_ok=True)
_own = Path(tempfile.mkdtemp(prefix="nbforecast-tests-"))
(_own / "compiled").symlink_to(_kept)
atexit.register(shutil.rmtree, _own, ignore_errors=True)
os.environ["NBFORECAST_CACHE_DIR"] = str(_own)
