"""Builds the front end before a wheel, an sdist or an editable install, where that is needed and possible.

`NBFORECAST_SKIP_JS=1` leaves it as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# What only the tests need is left out.
STEPS = (("ci", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"), ("run", "--silent", "build"))
BUILT = (
    "nbforecast/jupyter/static/explorer.js",
    "nbforecast/jupyter/static/cache.js",
    "js/dist/labextension/package.json",
)
PALETTE = "nbforecast/charts/palette.json"  # is built into the explorer
NO_SOURCES = {"node_modules", "dist", "build", "test"}
EXTENSION = "share/jupyter/labextensions/@nbforecast/lab"


class FrontEnd(BuildHookInterface):
    """`npm ci` and `npm run build` in js/, if there is a js/ that is newer than what was built of it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        sources, built = root / "js", [root / name for name in BUILT]
        if os.environ.get("NBFORECAST_SKIP_JS") != "1" and stale(sources, built):
            build(sources, built)
        if self.target_name == "wheel" and built[-1].exists():
            build_data["shared_data"] |= {
                "js/dist/labextension": EXTENSION,
                "js/lab/install.json": f"{EXTENSION}/install.json",
            }


def build(sources: Path, built: list[Path]) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(
            "nbforecast's front end is built with npm, which is not here: install Node.js 20 or later, or set "
            "NBFORECAST_SKIP_JS=1 to install nbforecast without the explorer and the panel of JupyterLab."
        )
    installed = sources / "node_modules" / ".package-lock.json"
    current = installed.exists() and installed.stat().st_mtime > (sources / "package-lock.json").stat().st_mtime
    for step in STEPS[1:] if current else STEPS:  # what the tests have installed serves as well
        subprocess.run([npm, *step], cwd=sources, check=True)  # noqa: S603 (fixed words)
    for file in built:
        if not file.exists():
            raise RuntimeError(f"npm run build in {sources} has not made {file}.")
        file.touch()  # what is built of unchanged sources is new all the same


def stale(sources: Path, built: list[Path]) -> bool:
    """Whether there are sources, and something built of them is missing or older."""
    if not (sources / "package.json").exists():
        return False
    if not all(file.exists() for file in built):
        return True
    oldest = min(file.stat().st_mtime for file in built)
    return any(file.stat().st_mtime > oldest for file in [*files(sources), sources.parent / PALETTE])


def files(sources: Path) -> list[Path]:
    """All sources, without tests, what npm has installed and what was built of them."""
    found = []
    for folder, folders, names in os.walk(sources):
        folders[:] = [f for f in folders if f not in NO_SOURCES]
        found += [Path(folder) / name for name in names]
    return found
