"""What an installation has, what it lacks, and the command that mends it: `nbforecast doctor`."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from nbforecast import device
from nbforecast.errors import NbForecastError
from nbforecast.jupyter.assets import has_bundle
from nbforecast.settings import settings
from nbforecast.text import byte_size

_LIBRARIES = ("jax", "jaxlib", "polars", "numpy", "narwhals", "pyarrow")
_FRONT_ENDS = ("jupyterlab", "notebook", "ipykernel", "anywidget", "ipywidgets")
# what an extra adds, by the module that shows that it is installed
_EXTRAS = {
    "notebook": ("papermill", "JupyterLab, the explorer and reports"),
    "excel": ("xlsxwriter", "spreadsheets"),
    "holidays": ("holidays", "public holidays"),
    "cgm": ("cgm_format", "exports of glucose sensors"),
    "watch": ("watchfiles", "changes of files at once"),
    "hub": ("huggingface_hub", "networks from the Hugging Face Hub"),
    "ray": ("ray", "Ray clusters"),
}
_EXTENSION = Path("share/jupyter/labextensions/@nbforecast/lab/package.json")


@dataclass(frozen=True)
class Finding:
    """One line of a diagnosis.

    Attributes:
        subject: What was looked at.
        state: What was found.
        remedy: The command or the step that mends it; empty where nothing is wrong or missing.
        is_fault: Whether something does not work; otherwise a remedy adds what is optional.
    """

    subject: str
    state: str
    remedy: str = ""
    is_fault: bool = False


def diagnose() -> list[Finding]:
    """Looks at versions, the device, the cache, the front end and optional libraries; nothing is changed.

    Returns:
        The findings, in the order in which they are shown.
    """
    return [*_versions(), _device(), _cache(), *_front_end(), *_extras()]


def describe(findings: list[Finding]) -> str:
    """Writes findings as lines for a terminal."""
    width = max(len(finding.subject) for finding in findings)
    lines = []
    for finding in findings:
        mark = "!" if finding.is_fault else "+" if finding.remedy else " "
        remedy = f"  → {finding.remedy}" if finding.remedy else ""
        lines.append(f"{mark} {finding.subject:<{width}}  {finding.state}{remedy}")
    faults = sum(finding.is_fault for finding in findings)
    summary = "Everything works." if not faults else f"{faults} to mend, marked with !."
    return "\n".join([*lines, "", f"{summary} Lines with + name what can be added."])


def _versions() -> list[Finding]:
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    libraries = ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES)
    return [Finding("nbforecast", f"{_version('nbforecast')}, {system}"), Finding("libraries", libraries)]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _device() -> Finding:
    try:
        devices = device.devices()
    except NbForecastError as error:
        return Finding("device", str(error), "unset NBFORECAST_DEVICE", is_fault=True)
    has_card = devices[0].platform == "cpu" and shutil.which("nvidia-smi") is not None
    remedy = 'pip install "nbforecast[cuda12]"' if has_card and not os.environ.get("NBFORECAST_DEVICE") else ""
    state = device.describe(devices)
    return Finding("device", f"{state}; there is an NVIDIA driver" if remedy else state, remedy)


def _cache() -> Finding:
    try:
        chosen = settings()
    except NbForecastError as error:
        return Finding("cache", str(error), "correct or unset the variable", is_fault=True)
    if chosen.directory is None:
        return Finding("cache", "in memory only (NBFORECAST_CACHE=memory)")
    directory = chosen.directory
    existing = next((folder for folder in (directory, *directory.parents) if folder.exists()), directory)
    if not os.access(existing, os.W_OK | os.X_OK):
        return Finding("cache", f"{directory} cannot be written to", "set NBFORECAST_CACHE_DIR", is_fault=True)
    used = sum(file.stat().st_size for file in directory.rglob("*") if file.is_file()) if directory.exists() else 0
    free = shutil.disk_usage(existing).free
    budgets = f"at most {byte_size(chosen.memory)} of memory and {byte_size(chosen.disk)} of disk"
    return Finding("cache", f"{directory}, {byte_size(used)}, {byte_size(free)} free; {budgets}")


def _front_end() -> list[Finding]:
    missing = [name for name in ("ipykernel", "anywidget", "ipywidgets") if find_spec(name) is None]
    there = ", ".join(f"{name} {number}" for name in _FRONT_ENDS if (number := _version(name)))
    install = 'pip install "nbforecast[notebook]"'
    findings = [Finding("front ends", there or "none", install if missing else "")]
    if not has_bundle("explorer"):
        build = "npm --prefix js ci && npm --prefix js run build"
        findings.append(Finding("explorer", "its script was not built", build, is_fault=True))
    elif _version("jupyterlab"):
        has_panel = (Path(sys.prefix) / _EXTENSION).exists()
        state = "installed" if has_panel else "not found in this environment"
        remedy = "" if has_panel else "pip install --force-reinstall --no-deps nbforecast"
        findings.append(Finding("panel of JupyterLab", state, remedy))
    return findings


def _extras() -> list[Finding]:
    return [
        Finding(f"extra {name}", f"not installed: {purpose}", f'pip install "nbforecast[{name}]"')
        for name, (module, purpose) in _EXTRAS.items()
        if find_spec(module) is None
    ]
