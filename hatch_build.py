"""Builds the front end before a wheel, an sdist or an editable install, where that is needed and possible.

`NBFORECAST_SKIP_JS=1` skips the build. hatch-jupyter-builder does not take the place of this hook: it builds either
always or only where no output exists, never where sources are newer; and it runs `npm install`, with the packages of
the tests, where `npm ci` keeps to the lock file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Without the packages that only the tests need.
STEPS = (("ci", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"), ("run", "--silent", "build"))
OUTPUTS = (
    "nbforecast/jupyter/static/explorer.js",
    "nbforecast/jupyter/static/cache.js",
    "js/dist/labextension/package.json",
)
PALETTE = "nbforecast/charts/palette.json"  # is built into the explorer
NO_SOURCES = {"node_modules", "dist", "build", "test"}
EXTENSION = "share/jupyter/labextensions/@nbforecast/lab"


class FrontEnd(BuildHookInterface):
    """Runs `npm ci` and `npm run build` in js/, if there are sources that are newer than the built files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Builds the front end if necessary, and adds the extension of JupyterLab to a wheel."""
        root = Path(self.root)
        folder, outputs = root / "js", [root / name for name in OUTPUTS]
        if os.environ.get("NBFORECAST_SKIP_JS") != "1" and is_stale(folder, outputs):
            build(folder, outputs)
        if self.target_name == "wheel" and outputs[-1].exists():
            build_data["shared_data"] |= {
                "js/dist/labextension": EXTENSION,
                "js/lab/install.json": f"{EXTENSION}/install.json",
            }


def build(folder: Path, outputs: list[Path]) -> None:
    """Builds the front end with npm.

    Args:
        folder: The folder of the sources.
        outputs: The files that the build makes.

    Raises:
        RuntimeError: If npm is missing, or an output is.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(
            "npm is missing, which builds the front end of nbforecast: install Node.js 20 or later, or set "
            "NBFORECAST_SKIP_JS=1 to install nbforecast without the explorer and the panel of JupyterLab."
        )
    installed = folder / "node_modules" / ".package-lock.json"
    is_current = installed.exists() and installed.stat().st_mtime > (folder / "package-lock.json").stat().st_mtime
    for step in STEPS[1:] if is_current else STEPS:  # an installation for the tests is used as it is
        subprocess.run([npm, *step], cwd=folder, check=True)  # noqa: S603 (fixed words)
    for output in outputs:
        if not output.exists():
            raise RuntimeError(f"npm run build in {folder} did not make {output}.")
        output.touch()  # also where the build did not write it, because its own sources are unchanged


def is_stale(folder: Path, outputs: list[Path]) -> bool:
    """Returns whether there are sources, and an output is missing or older than one of them."""
    if not (folder / "package.json").exists():
        return False
    if not all(output.exists() for output in outputs):
        return True
    oldest = min(output.stat().st_mtime for output in outputs)
    return any(source.stat().st_mtime > oldest for source in sources(folder))


def sources(folder: Path) -> list[Path]:
    """Returns all source files, without tests, installed packages and built files."""
    files = [folder.parent / PALETTE]
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in NO_SOURCES]
        files += [Path(parent) / name for name in names]
    return files
