"""Builds the explorer's front end before a wheel, an sdist or an editable install, where that is needed and possible.

`NBFORECAST_SKIP_JS=1` leaves it as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STEPS = (("ci", "--no-audit", "--no-fund", "--loglevel=error"), ("run", "--silent", "build"))


class FrontEnd(BuildHookInterface):
    """`npm ci` and `npm run build` in js/, if there is a js/ that is newer than the bundle."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        sources, bundle = root / "js", root / "nbforecast" / "notebook" / "static" / "explorer.js"
        if os.environ.get("NBFORECAST_SKIP_JS") == "1" or not stale(sources, bundle):
            return
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(
                "nbforecast's explorer is built with npm, which is not here: install Node.js 20 or later, or set "
                "NBFORECAST_SKIP_JS=1 to install nbforecast without the explorer."
            )
        for step in STEPS:
            subprocess.run([npm, *step], cwd=sources, check=True)  # noqa: S603 (fixed words)
        if not bundle.exists():
            raise RuntimeError(f"npm run build in {sources} has not made {bundle}.")
        bundle.touch()  # what is built of unchanged sources is new all the same


def stale(sources: Path, bundle: Path) -> bool:
    """Whether there are sources, and no bundle or an older one."""
    if not (sources / "package.json").exists():
        return False
    if not bundle.exists():
        return True
    built = bundle.stat().st_mtime
    return any(file.stat().st_mtime > built for file in files(sources))


def files(sources: Path) -> list[Path]:
    """All sources, without what npm has installed."""
    found = []
    for folder, folders, names in os.walk(sources):
        folders[:] = [f for f in folders if f != "node_modules"]
        found += [Path(folder) / name for name in names]
    return found
